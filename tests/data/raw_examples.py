"""Small raw files in the official layouts, built by code."""

from __future__ import annotations

from itertools import product
from pathlib import Path

from bench.data.dataset import Library

INCOMES, SEXES, RACES = ("<=50K", ">50K"), ("Female", "Male"), ("Black", "White")
CELLS = list(product(INCOMES, SEXES, RACES))
MEPS_HEADER = "AGE,RACE,PCS42,SEX=1,UTILIZATION"


def adult_row(cell: int, age: int, workclass: str = "Private", stop: str = "") -> str:
    """A row of UCI Adult; `cell` decides income, sex and race."""
    income, sex, race = CELLS[cell]
    return (
        f"{age}, {workclass}, 77516, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, "
        f"{race}, {sex}, 2174, 0, 40, United-States, {income}{stop}"
    )


def adult_train() -> list[str]:
    """Five rows of each cell, aged 20 to 90 by cell: four of them end in train."""
    return [adult_row(cell, 20 + 10 * cell) for cell in range(8) for _ in range(5)]


def adult_test() -> list[str]:
    """A row of each cell, with the full stop of adult.test."""
    return [adult_row(cell, 1000, stop=".") for cell in range(8)]


def write_adult(
    library: Library, train: list[str] | None = None, test: list[str] | None = None
) -> Path:
    """Both files, the blank line at their ends and the `|` line of adult.test included."""
    train = adult_train() if train is None else train
    test = adult_test() if test is None else test
    folder = library.folder / "raw" / "adult"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adult.data").write_text("\n".join(train) + "\n\n")
    (folder / "adult.test").write_text("\n".join(["|1x3 Cross validator", *test]) + "\n\n")
    return folder


def meps_files() -> dict[str, list[str]]:
    """Rows by file: train holds ages 20 and 40 in equal parts."""
    return {
        "meps_train.csv": [
            f"{age},{race},{50 + race},1,{high}.0"
            for age, race, high in product((20, 40), (0, 1), (0, 1))
        ],
        "meps_val.csv": [f"50,{race},50,0,{high}.0" for race, high in product((0, 1), (0, 1))],
        "meps_test.csv": [f"60,{race},50,0,{high}.0" for race, high in product((0, 1), (0, 1))],
    }


def write_meps(library: Library, header: str = MEPS_HEADER, **changed: list[str]) -> Path:
    """The three files; `train=...`, `val=...` or `test=...` change the rows of one."""
    folder = library.folder / "raw" / "meps"
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in meps_files().items():
        new = changed.get(name.removeprefix("meps_").removesuffix(".csv"), rows)
        (folder / name).write_text("\n".join([header, *new]) + "\n")
    return folder


def assert_nothing_is_left(library: Library) -> None:
    """No prepared data, whole or in part, and no temporary folder."""
    prepared = library.folder / "prepared"
    left = [path.name for path in prepared.iterdir() if path.suffix != ".lock"]
    assert left == []

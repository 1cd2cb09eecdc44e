"""MEPS: RACE is kept from the inputs, repeated rows are counted, damaged files are named."""

from __future__ import annotations

import numpy as np
import pytest

from bench.data.dataset import Library, Options
from bench.errors import DataError
from tests.data.raw_examples import MEPS_HEADER, assert_nothing_is_left, meps_files, write_meps

TRAIN = meps_files()["meps_train.csv"]


def test_race_is_the_group_and_not_an_input(library: Library) -> None:
    write_meps(library)
    meta = library.prepare("meps")
    assert meta.columns == ["AGE", "PCS42", "SEX=1"]
    split = library.splits("meps", "utilization|race", Options())["test"]
    assert split.b.tolist() == [0, 0, 1, 1]
    assert split.y.tolist() == [0, 1, 0, 1]


def test_numbers_are_standardised_by_train_and_flags_left_alone(library: Library) -> None:
    write_meps(library)
    meta = library.prepare("meps")
    assert meta.normalisation == {
        "AGE": {"mean": 30.0, "std": 10.0},
        "PCS42": {"mean": 50.5, "std": 0.5},
    }
    splits = library.splits("meps", "utilization|race", Options())
    assert splits["validation"].x[0].tolist() == [2.0, -1.0, 0.0]
    assert splits["test"].x[0].tolist() == [3.0, -1.0, 0.0]


def test_repeated_rows_are_counted_on_the_page(library: Library) -> None:
    write_meps(library, train=[*TRAIN, TRAIN[0]], test=[*TRAIN[:3], *meps_files()["meps_test.csv"]])
    assert library.prepare("meps").notes[0] == (
        "4 of 20 rows repeat another row; 3 test rows and 0 validation rows also occur in train."
    )


def test_the_same_files_give_the_same_hash_and_one_cell_another(library: Library) -> None:
    write_meps(library)
    first = library.prepare("meps").hash
    assert library.prepare("meps").hash == first
    write_meps(library, train=["21" + TRAIN[0][2:], *TRAIN[1:]])
    assert library.prepare("meps").hash != first


BROKEN = {
    "a word for a number": (
        {"val": ["fifty,0,50,0,0"]},
        "meps_val.csv, line 2, column AGE: 'fifty' is not a number",
    ),
    "too few cells": (
        {"test": [*meps_files()["meps_test.csv"], "60,1"]},
        "meps_test.csv, line 6: has 2 cells, 5 are expected",
    ),
    "a third race": (
        {"train": [*TRAIN, "20,2,50,1,0"]},
        "meps_train.csv, line 10, column RACE: '2' is not '0' or '1'",
    ),
    "one group absent": (
        {"val": ["50,1,50,0,0.0", "50,1,50,0,1.0"]},
        "meps: the validation split has no row with race = non-white",
    ),
    "one class absent": (
        {"train": [row for row in TRAIN if row.endswith(",0.0")]},
        "meps: the train split has no row with utilization = high",
    ),
    "no rows": ({"train": []}, "meps_train.csv: has no rows"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_is_named_and_nothing_is_left(library: Library, what: str) -> None:
    changed, message = BROKEN[what]
    write_meps(library, **changed)
    with pytest.raises(DataError) as error:
        library.prepare("meps")
    assert message in str(error.value)
    assert_nothing_is_left(library)


@pytest.mark.parametrize("column", MEPS_HEADER.split(","))
@pytest.mark.parametrize("file", list(meps_files()))
def test_a_column_missing_from_one_file_is_named(library: Library, file: str, column: str) -> None:
    folder = write_meps(library)
    lines = [line.split(",") for line in (folder / file).read_text().splitlines()]
    gone = lines[0].index(column)
    kept = [",".join(cells[:gone] + cells[gone + 1 :]) for cells in lines]
    (folder / file).write_text("\n".join(kept) + "\n")
    with pytest.raises(DataError, match=f"^{file}: has no column {column}. Is this the official"):
        library.prepare("meps")
    assert_nothing_is_left(library)


def test_a_column_missing_from_all_files_is_named(library: Library) -> None:
    write_meps(library, header=MEPS_HEADER.replace("RACE", "race"))
    with pytest.raises(DataError, match=r"^meps_train.csv: has no column RACE"):
        library.prepare("meps")
    assert_nothing_is_left(library)


def test_the_released_meps_has_137_inputs_and_says_what_repeats(real_library: Library) -> None:
    meta = real_library.meta("meps")
    assert meta is not None
    assert meta.official
    assert meta.shape == [137]
    assert meta.sizes == {"train": 11362, "validation": 1200, "test": 3168}
    assert "1,016 of 15,730 rows repeat another row; 286 test rows" in meta.notes[0]
    x = real_library.splits("meps", "utilization|race", Options())["train"].x
    assert np.isfinite(x).all()
    assert np.abs(x[:, 0].mean()) < 1e-5


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_the_index_of_a_pandas_table_is_no_input(library: Library, name: str) -> None:
    folder = write_meps(library)
    for path in folder.glob("*.csv"):
        header, *rows = path.read_text().splitlines()
        lines = [f"{name},{header}", *(f"{i},{row}" for i, row in enumerate(rows))]
        path.write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"meps_\w+\.csv: its column 1 has no name.*index=False"):
        library.prepare("meps")

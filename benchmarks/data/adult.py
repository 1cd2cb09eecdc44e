"""Adult (census income): 48,842 people of the 1994 US census, income above 50,000 dollars."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from bench.data.dataset import DataSet, Options, TaskDefinition
from bench.data.prepared import Array, Arrays, Columns
from bench.data.raw import RawFile, RawFolder
from bench.data.tabular import Table, one_hot, read_table, standardise
from bench.errors import DataError

UCI = "https://archive.ics.uci.edu/ml/machine-learning-databases/adult/"
NUMBERS = [
    "age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week",
]  # fmt: skip
CATEGORIES = [
    "workclass", "education", "marital-status", "occupation", "relationship", "race", "sex",
    "native-country",
]  # fmt: skip
COLUMNS = [
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation",
    "relationship", "race", "sex", "capital-gain", "capital-loss", "hours-per-week",
    "native-country", "income",
]  # fmt: skip
MISSING = "?"
VALIDATION_SHARE = 0.2
SPLIT_SEED = 0


class Adult(DataSet):
    """UCI Adult in its official split; a fifth of train, stratified, is held out for selection.

    Six numbers are standardised, eight categories one-hot encoded: 105 inputs, sex and race
    among them. A missing category ("?") is all zeros; no row is dropped.
    """

    title = "Adult (census income)"
    kind = "table"
    licence = "CC BY 4.0"
    homepage = "https://archive.ics.uci.edu/dataset/2/adult"
    files = (
        RawFile(
            "adult.data",
            UCI + "adult.data",
            "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",
        ),
        RawFile(
            "adult.test",
            UCI + "adult.test",
            "a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05",
        ),
    )
    tasks: ClassVar = {
        "income|sex": TaskDefinition("income", "sex", "adult/income_over_50k|sex"),
        "income|race": TaskDefinition("income", "race"),
    }

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Read both official files, split, encode."""
        del options, work
        official = {
            "train": read_people(raw, "adult.data"),
            "test": read_people(raw, "adult.test"),
        }
        labels = {name: labels_of(table) for name, table in official.items()}
        cells = np.stack(list(labels["train"].values())).T @ [4, 2, 1]
        rows = np.arange(len(cells))
        train, validation = _split(rows, cells, official["train"].file)
        encoded, normalisation, columns = encode(official, train)
        splits = {
            "train": _take(encoded["train"], labels["train"], train),
            "validation": _take(encoded["train"], labels["train"], validation),
            "test": Columns(encoded["test"], labels["test"]),
        }
        missing = sum(
            int((table.frame[CATEGORIES] == MISSING).any(axis=1).sum())
            for table in official.values()
        )
        return Arrays(
            splits=splits,
            attributes={
                "income": ["at most 50K", "over 50K"],
                "sex": ["female", "male"],
                "race": ["non-white", "white"],
            },
            columns=columns,
            normalisation=normalisation,
            notes=[
                f"{missing:,} rows have a missing category; it is encoded as all zeros.",
                "Sex and race are among the inputs.",
            ],
        )


def read_people(raw: RawFolder, file: str) -> Table:
    """One of the official files, a row a person."""
    return read_table(raw, file, COLUMNS, comment="|")  # adult.test opens with such a line


def labels_of(table: Table) -> dict[str, Array]:
    """Income, sex and race of each person as classes."""
    incomes = {"<=50K": 0, ">50K": 1, "<=50K.": 0, ">50K.": 1}
    races = ["White", "Black", "Asian-Pac-Islander", "Amer-Indian-Eskimo", "Other"]
    return {
        "income": table.classes("income", incomes),
        "sex": table.classes("sex", {"Female": 0, "Male": 1}),
        "race": table.classes("race", {race: int(race == "White") for race in races}),
    }


def _split(rows: Array, cells: Array, file: str) -> tuple[Array, Array]:
    from sklearn.model_selection import train_test_split  # noqa: PLC0415 - slow to import

    try:
        train, validation = train_test_split(
            rows, test_size=VALIDATION_SHARE, random_state=SPLIT_SEED, stratify=cells
        )
    except ValueError as error:
        raise DataError(f"{file}: too few rows of every income, sex and race ({error}).") from error
    return np.sort(train), np.sort(validation)


def encode(
    tables: dict[str, Table], train: Array
) -> tuple[dict[str, Array], dict[str, dict[str, float]], list[str]]:
    """Both tables as float32, by means, deviations and categories of the training rows alone."""
    parts: dict[str, list[Array]] = {name: [] for name in tables}
    normalisation: dict[str, dict[str, float]] = {}
    names: list[str] = []
    for column in NUMBERS:
        values = {name: table.numbers(column) for name, table in tables.items()}
        _, mean, std = standardise(values["train"][train])
        normalisation[column] = {"mean": mean, "std": std}
        names.append(column)
        for name in tables:
            parts[name].append(((values[name] - mean) / std)[:, None])
    for column in CATEGORIES:
        seen: pd.Series[str] = tables["train"].frame[column].iloc[train]
        categories = sorted(set(seen) - {MISSING})
        names += [f"{column}={category}" for category in categories]
        for name, table in tables.items():
            parts[name].append(one_hot(table.frame[column], categories))
    encoded = {name: np.hstack(blocks).astype(np.float32) for name, blocks in parts.items()}
    return encoded, normalisation, names


def _take(x: Array, labels: dict[str, Array], rows: Array) -> Columns:
    return Columns(x[rows], {name: values[rows] for name, values in labels.items()})

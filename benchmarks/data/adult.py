"""Adult (census income): 48,842 people of the 1994 US census, income above 50,000 dollars."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

from bench.data.dataset import DataSet, Options, TaskDefinition
from bench.data.prepared import Array, Arrays, Columns
from bench.data.raw import RawFile, RawFolder
from bench.data.tabular import Table, encode, read_table
from bench.errors import DataError

UCI = "https://archive.ics.uci.edu/ml/machine-learning-databases/adult/"
SHA256 = {
    "adult.data": "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",
    "adult.test": "a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05",
}
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
    """UCI Adult in its official split; a fifth of train, stratified, is held out for validation.

    Six numbers are standardised and eight categories one-hot encoded: 105 inputs, sex and race
    among them. A missing category ("?") is encoded as all zeros; no row is left out.
    """

    title = "Adult (census income)"
    kind = "table"
    licence = "CC BY 4.0"
    homepage = "https://archive.ics.uci.edu/dataset/2/adult"
    files = tuple(RawFile(name, UCI + name, sha256) for name, sha256 in SHA256.items())
    tasks: ClassVar = {
        "income|sex": TaskDefinition("income", "sex", "adult/income_over_50k|sex"),
        "income|race": TaskDefinition("income", "race"),
    }

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Read both official files, hold out the validation rows, encode the inputs."""
        del options, work
        official = read_people(raw)
        labels = {name: labels_of(table) for name, table in official.items()}
        cells = np.stack(list(labels["train"].values())).T @ [4, 2, 1]
        train, validation = _split(np.arange(len(cells)), cells, official["train"].file)
        encoded, normalisation, columns = encode_people(official, train)
        whole = Columns(encoded["train"], labels["train"])
        splits = {
            "train": whole.subset(train),
            "validation": whole.subset(validation),
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


def read_people(raw: RawFolder) -> dict[str, Table]:
    """The official train and test files, one person a row."""
    files = {"train": "adult.data", "test": "adult.test"}
    # adult.test begins with a line "|1x3 Cross validator".
    return {split: read_table(raw, file, COLUMNS, "|") for split, file in files.items()}


def labels_of(table: Table) -> dict[str, Array]:
    """Income, sex and race of each person as classes, [n] int64 each."""
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


def encode_people(
    tables: Mapping[str, Table], train: Array
) -> tuple[dict[str, Array], dict[str, dict[str, float]], list[str]]:
    """Encode the official tables by the training rows; see `tabular.encode` for what comes back."""
    return encode(tables, "train", train, (*NUMBERS, *CATEGORIES), CATEGORIES, MISSING)

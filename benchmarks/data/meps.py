"""MEPS (medical expenditure panel survey): whether a person makes much use of medical care."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from bench.data.dataset import DataSet, Options, TaskDefinition
from bench.data.prepared import Array, Arrays, Columns
from bench.data.raw import RawFile, RawFolder
from bench.data.tabular import read_table, require_columns, standardise

RNF = "https://raw.githubusercontent.com/mndu/RNF-Fairness/main/"
TARGET, GROUP = "UTILIZATION", "RACE"
FILES = {"train": "meps_train.csv", "validation": "meps_val.csv", "test": "meps_test.csv"}
SHA256 = {
    "meps_train.csv": "650ae1325bb0f78418df97d713a6401227f54ac4ff92ef81f245029a2273baae",
    "meps_val.csv": "2a8f192d1b4d48f3ca9c2f594710ab1882e95216e933448597ef26c9a1bfc6db",
    "meps_test.csv": "1ad5ffc725a8988985bee2363dce6799ed6bc1d87406558620908c75500face5",
}


class Meps(DataSet):
    """MEPS as the authors of RNF released it, in their split.

    There are 137 inputs; the group column RACE is not among them. Columns with other values than 0
    and 1 are standardised by the training rows.
    """

    title = "MEPS (medical expenditure)"
    kind = "table"
    licence = "AHRQ public-use file under its data use agreement; not to be redistributed"
    homepage = "https://meps.ahrq.gov/data_stats/data_use.jsp"
    consent = (
        "MEPS comes under AHRQ's data use agreement "
        "(https://meps.ahrq.gov/data_stats/data_use.jsp)."
    )
    files = tuple(RawFile(name, RNF + name, sha256) for name, sha256 in SHA256.items())
    tasks: ClassVar = {
        "utilization|race": TaskDefinition("utilization", "race", "meps/high_utilization|white")
    }

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Read the three files, leave RACE out of the inputs, standardise the others."""
        del options, work
        tables = {split: read_table(raw, file) for split, file in FILES.items()}
        columns = dict.fromkeys(c for table in tables.values() for c in table.frame.columns)
        for table in tables.values():
            require_columns(table, [*columns, GROUP, TARGET])
        header = [c for c in columns if c != TARGET]
        cells = {
            split: np.column_stack([table.numbers(c) for c in [*header, TARGET]])
            for split, table in tables.items()
        }
        inputs, normalisation = _scale(cells, header)
        binary = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}
        splits = {
            split: Columns(
                inputs[split],
                {
                    "utilization": table.classes(TARGET, binary),
                    "race": table.classes(GROUP, binary),
                },
            )
            for split, table in tables.items()
        }
        return Arrays(
            splits=splits,
            attributes={"utilization": ["low", "high"], "race": ["non-white", "white"]},
            columns=[c for c in header if c != GROUP],
            normalisation=normalisation,
            notes=_notes(cells),
        )


def _scale(
    cells: dict[str, Array], header: list[str]
) -> tuple[dict[str, Array], dict[str, dict[str, float]]]:
    """Inputs of each split, [n, 137] float32, and the mean and deviation of scaled columns."""
    normalisation: dict[str, dict[str, float]] = {}
    scaled = {split: values.copy() for split, values in cells.items()}
    for i, column in enumerate(header):
        if not np.isin(cells["train"][:, i], (0, 1)).all():
            columns, mean, std = standardise(*(cells[s][:, i] for s in FILES))
            normalisation[column] = {"mean": mean, "std": std}
            for split, values in zip(FILES, columns, strict=True):
                scaled[split][:, i] = values
    keep = [i for i, column in enumerate(header) if column != GROUP]
    return {s: values[:, keep].astype(np.float32) for s, values in scaled.items()}, normalisation


def _notes(cells: dict[str, Array]) -> list[str]:
    """Count rows that repeat another one, target included, because such rows leak the answer."""
    rows = {split: [row.tobytes() for row in values] for split, values in cells.items()}
    every_row = [row for part in rows.values() for row in part]
    repeated = len(every_row) - len(set(every_row))
    train = set(rows["train"])
    leaked = {split: sum(row in train for row in part) for split, part in rows.items()}
    return [
        f"{repeated:,} of {len(every_row):,} rows repeat another row; {leaked['test']:,} test "
        f"rows and {leaked['validation']:,} validation rows also occur in train.",
        "Race is not among the inputs.",
    ]

"""MEPS (medical expenditure panel survey): who will use much medical care."""

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


class Meps(DataSet):
    """MEPS as the authors of RNF released it, in their split.

    137 inputs: the group column RACE is left out of them. Columns that hold more than 0 and 1
    are standardised by the training rows.
    """

    title = "MEPS (medical expenditure)"
    kind = "table"
    licence = "AHRQ public-use file under its data use agreement; not to be redistributed"
    homepage = "https://meps.ahrq.gov/data_stats/data_use.jsp"
    consent = (
        "MEPS comes under AHRQ's data use agreement "
        "(https://meps.ahrq.gov/data_stats/data_use.jsp)."
    )
    files = (
        RawFile(
            "meps_train.csv",
            RNF + "meps_train.csv",
            "650ae1325bb0f78418df97d713a6401227f54ac4ff92ef81f245029a2273baae",
        ),
        RawFile(
            "meps_val.csv",
            RNF + "meps_val.csv",
            "2a8f192d1b4d48f3ca9c2f594710ab1882e95216e933448597ef26c9a1bfc6db",
        ),
        RawFile(
            "meps_test.csv",
            RNF + "meps_test.csv",
            "1ad5ffc725a8988985bee2363dce6799ed6bc1d87406558620908c75500face5",
        ),
    )
    tasks: ClassVar = {
        "utilization|race": TaskDefinition("utilization", "race", "meps/high_utilization|white")
    }

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Read the three files, leave RACE out, standardise."""
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
            notes=_repeats(cells),
        )


def _scale(
    cells: dict[str, Array], header: list[str]
) -> tuple[dict[str, Array], dict[str, dict[str, float]]]:
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


def _repeats(cells: dict[str, Array]) -> list[str]:
    """How many rows repeat another one, target included: a leak that belongs on the page."""
    seen = {split: [row.tobytes() for row in values] for split, values in cells.items()}
    everything = [row for rows in seen.values() for row in rows]
    repeated = len(everything) - len(set(everything))
    train = set(seen["train"])
    leaked = {s: sum(row in train for row in seen[s]) for s in ("validation", "test")}
    return [
        f"{repeated:,} of {len(everything):,} rows repeat another row; {leaked['test']:,} test "
        f"rows and {leaked['validation']:,} validation rows also stand in train.",
        "Race is not among the inputs.",
    ]

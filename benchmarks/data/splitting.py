"""Parts of data: splits where there is no official one, and fewer samples where time is short."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, cast

import numpy as np
from pydantic import Field

from bench.data.dataset import DataSet, Labelled, Options, TaskDefinition
from bench.data.prepared import Array, Columns

ORDER_SEED = 0


class TrainSizeOptions(Options):
    """How much of the training data is used."""

    train_size: int = Field(0, ge=0)
    """Train on the first so many samples of a fixed shuffled order; 0: on all. Validation shrinks
    in proportion, test stays whole."""

    def fewer(self, split: str, columns: Columns, validation: float) -> Columns:
        """What is used of a split; `validation` is the size of the whole one over that of train."""
        size = {"train": self.train_size, "validation": round(self.train_size * validation)}
        if not self.train_size or split not in size:
            return columns
        order = np.random.default_rng(ORDER_SEED).permutation(len(columns.x))
        rows = np.sort(order[: max(1, size[split])])
        return Columns(columns.x[rows], {k: v[rows] for k, v in columns.attributes.items()})

    def size_notes(self) -> list[str]:
        """What a page must say about it."""
        if not self.train_size:
            return []
        return [
            f"At most {self.train_size:,} training samples are used, and validation samples in "
            "proportion."
        ]


class PartialDataSet(DataSet):
    """A data set of which less than all can be trained on.

    Attributes:
        validation_to_train: size of the whole validation split over that of train.
    """

    validation_to_train: ClassVar[float]
    options = TrainSizeOptions

    def arrange(
        self, split: str, columns: Columns, task: TaskDefinition, options: Options
    ) -> Labelled:
        """Take as many samples as asked for."""
        asked = cast("TrainSizeOptions", options)
        columns = asked.fewer(split, columns, self.validation_to_train)
        return super().arrange(split, columns, task, options)

    def notes(self, options: Options) -> list[str]:
        """Say that samples were left out."""
        return cast("TrainSizeOptions", options).size_notes()


def stratified(cells: Array, shares: Mapping[str, float], seed: int) -> dict[str, Array]:
    """Deal rows out: parts of exact sizes that divide each cell by the same shares, give or take 1.

    Args:
        cells: [n], the cell of each row: any values that can be sorted.
        shares: part -> share of the rows, in [0, 1]; what they leave goes to "train".
        seed: of the only random choice; the same rows and seed give the same parts.

    Returns:
        Sorted row numbers by part, "train" first. A cell smaller than 1 / share may be absent
        from a part.
    """
    rows = np.random.default_rng(seed).permutation(len(cells))
    rest = rows[np.argsort(cells[rows], kind="stable")]  # cell after cell, shuffled within each
    parts = {}
    for name, share in shares.items():
        size = round(share * len(cells))
        taken = ((np.arange(size) + 0.5) * len(rest) / max(size, 1)).astype(int)  # evenly spaced
        parts[name] = np.sort(rest[taken])
        rest = np.delete(rest, taken)
    return {"train": np.sort(rest), **parts}

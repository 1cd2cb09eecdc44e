"""Splits and groups for data without official ones, and options that train on fewer samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, cast

import numpy as np
from pydantic import Field

from bench.data.dataset import DataSet, Labelled, Options, TaskDefinition
from bench.data.prepared import Array, Columns
from bench.errors import DataError

ORDER_SEED = 0
SPLIT_SEED = 0
TENTHS = 10


class TrainSizeOptions(Options):
    """How much of the training data is used."""

    train_size: int = Field(0, ge=0)
    """Train on the first so many samples of a fixed shuffled order; 0: on all. Validation shrinks
    in proportion, test stays whole."""

    def limited(self, split: str, columns: Columns, validation_to_train: float) -> Columns:
        """The samples of a split that `train_size` leaves, in their stored order."""
        validation_size = round(self.train_size * validation_to_train)
        size = {"train": self.train_size, "validation": validation_size}
        if not self.train_size or split not in size:
            return columns
        order = np.random.default_rng(ORDER_SEED).permutation(len(columns.x))
        rows = np.sort(order[: max(1, size[split])])
        return columns.subset(rows)


class PartialDataSet(DataSet):
    """A data set with the option `train_size`, which trains on fewer samples than there are.

    Attributes:
        validation_to_train: size of the whole validation split over that of train.
    """

    validation_to_train: ClassVar[float]
    options = TrainSizeOptions

    def arrange(
        self, split: str, columns: Columns, task: TaskDefinition, options: Options
    ) -> Labelled:
        """Keep as many samples as the options allow, then arrange them."""
        columns = cast("TrainSizeOptions", options).limited(
            split, columns, self.validation_to_train
        )
        return super().arrange(split, columns, task, options)

    def notes(self, options: Options) -> list[str]:
        """Add that samples were left out, where `train_size` is set."""
        notes = super().notes(options)
        if size := cast("TrainSizeOptions", options).train_size:
            notes.append(
                f"At most {size:,} training samples are used, and validation samples in proportion."
            )
        return notes


def stratified(
    cells: Array, shares: Mapping[str, float], seed: int = SPLIT_SEED
) -> dict[str, Array]:
    """Split rows at random into parts of exact sizes that take the same share of every cell.

    Args:
        cells: [n], the cell of each row (its class, or class and group); any sortable values.
        shares: part -> share of the rows, in [0, 1]; the rows that remain are "train".
        seed: of the one random permutation; the same cells and seed give the same parts.

    Returns:
        Sorted row numbers by part, "train" first. A part's count of a cell is its share to within
        one row, so a cell smaller than 1 / share may be absent from a part.
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


def held_out(train: Columns, test: Columns, cells: Array, share: float) -> dict[str, Columns]:
    """An official split, with a share of train, by `cells` ([n]), held out for validation."""
    parts = stratified(cells, {"validation": share})
    return {**{split: train.subset(rows) for split, rows in parts.items()}, "test": test}


def subset_note(count: int, official: int, things: str) -> list[str]:
    """A note where there are not as many samples as officially; `things` names them."""
    return [f"A subset: {count:,} of {official:,} {things}."] if count != official else []


def even_groups(
    values: Mapping[str, Array], count: int = TENTHS
) -> tuple[dict[str, Array], list[float]]:
    """Form groups by a number (brightness, stroke weight), with equally many training samples each.

    Args:
        values: split -> [n] positive numbers, "train" among them. Borders are the quantiles of
            train; numbers of other splits beyond its range fall into the outer groups.
        count: number of groups.

    Returns:
        Split -> group of each sample, [n] int64, from 0 for the smallest numbers; and as covariate
        of each group the logarithm of the mean number of its training samples.

    Raises:
        DataError: too many training samples share one number, so a group would be empty.
    """
    borders = np.quantile(values["train"], np.arange(1, count) / count)
    group = {
        split: np.searchsorted(borders, number, side="right").astype(np.int64)
        for split, number in values.items()
    }
    if len(np.unique(group["train"])) < count:
        raise DataError(
            f"the training samples cannot be split into {count} groups: too many have the same "
            "value."
        )
    means = [values["train"][group["train"] == g].mean() for g in range(count)]
    return group, np.log(means).tolist()


def group_names(low: str, high: str, count: int = TENTHS) -> list[str]:
    """Names of groups in their order: "1 (darkest)", "2", "3" and so on, "10 (brightest)"."""
    return [f"1 ({low})", *(str(number) for number in range(2, count)), f"{count} ({high})"]

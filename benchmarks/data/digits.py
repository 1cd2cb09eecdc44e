"""Coloured handwritten digits: scikit-learn's 1,797 digits of 8 x 8 pixels, no download."""

from __future__ import annotations

from typing import ClassVar, cast

import numpy as np
from pydantic import Field

from benchmarks.data.dataset import DataSet, Labelled, Options, TaskDefinition
from benchmarks.data.prepared import Array, Arrays, Columns, Meta
from benchmarks.data.raw import RawFolder
from benchmarks.errors import DataError

INKS = np.array([[255, 140, 0], [0, 170, 170]])  # orange and teal: neither is a trigger's colour
SIZES = {"train": 900, "validation": 450, "test": 447}
SPLIT_SEED = 0


class DigitsOptions(Options):
    """How ink and target go together."""

    correlation: float = Field(0.8, ge=0, le=1)
    """In [0, 1]: a share (1 + correlation) / 2 of the odd digits is teal, of the even orange."""


class Digits(DataSet):
    """Handwritten digits whose ink colour is the bias variable.

    Train and validation are coloured with the task's correlation, test with none: there every
    cell of target and ink is equally well measured. Colours are drawn once, not per trial.
    """

    title = "Coloured handwritten digits"
    kind = "image"
    licence = "CC BY 4.0 (UCI, Optical Recognition of Handwritten Digits); shipped by scikit-learn"
    homepage = "https://archive.ics.uci.edu/dataset/80"
    tasks: ClassVar = {
        "parity|ink": TaskDefinition("parity", "ink"),
        "digit|ink": TaskDefinition("digit", "ink"),
    }
    options = DigitsOptions

    def prepare(self, raw: RawFolder) -> Arrays:
        """Scale grey values from 0-16 to 0-255 and split, stratified by digit."""
        from sklearn.datasets import load_digits  # noqa: PLC0415 - slow to import
        from sklearn.model_selection import train_test_split  # noqa: PLC0415

        del raw
        bunch = load_digits()
        digit = bunch.target.astype(np.int64)
        grey = np.rint(bunch.images * (255 / 16)).astype(np.uint8)[:, None]
        rows = np.arange(len(digit))
        rest, test = train_test_split(
            rows, test_size=SIZES["test"], random_state=SPLIT_SEED, stratify=digit
        )
        train, validation = train_test_split(
            rest, test_size=SIZES["validation"], random_state=SPLIT_SEED, stratify=digit[rest]
        )
        parts = {"train": np.sort(train), "validation": np.sort(validation), "test": np.sort(test)}
        return Arrays(
            splits={
                split: Columns(grey[i], {"digit": digit[i], "parity": digit[i] % 2})
                for split, i in parts.items()
            },
            attributes={
                "digit": [str(d) for d in range(10)],
                "parity": ["even", "odd"],
                "ink": ["orange", "teal"],
            },
        )

    def shape(self, meta: Meta) -> tuple[int, ...]:
        """Three colour channels."""
        return (3, *meta.shape[1:])

    def arrange(
        self, split: str, columns: Columns, task: TaskDefinition, options: Options
    ) -> Labelled:
        """Colour one split."""
        correlation = 0.0 if split == "test" else cast("DigitsOptions", options).correlation
        ink = ink_colours(columns.attributes["parity"], correlation, split)
        x = columns.x.astype(np.int64) * INKS[ink][:, :, None, None] // 255
        return Labelled(x.astype(np.uint8), columns.attributes[task.target], ink)

    def notes(self, options: Options) -> list[str]:
        """Say how the ink was given out."""
        correlation = cast("DigitsOptions", options).correlation
        return [
            f"Ink is correlated with parity at {correlation:g} in train and validation "
            f"({(1 + correlation) / 2:.0%} of the odd digits are teal, of the even ones orange) "
            "and independent of it in test."
        ]


def ink_colours(parity: Array, correlation: float, split: str) -> Array:
    """[n] int64: ink of each digit. Exactly a share (1 + correlation) / 2 follows parity."""
    if split not in SIZES:
        raise DataError(f"digits has no split {split}.")
    rng = np.random.default_rng([SPLIT_SEED, list(SIZES).index(split)])
    ink = np.asarray(parity).copy()
    for value in (0, 1):
        rows = rng.permutation(np.flatnonzero(parity == value))
        against = round(len(rows) * (1 - correlation) / 2)
        ink[rows[:against]] = 1 - value
    return ink

"""Coloured handwritten digits: scikit-learn's 1,797 digits of 8 x 8 pixels, no download."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from benchmarks.data.colouring import (
    DIGIT_VALUES,
    INK_NAMES,
    INK_TASKS,
    InkedDigits,
    InkOptions,
    digit_attributes,
)
from benchmarks.data.dataset import Options
from benchmarks.data.prepared import Arrays, Columns
from benchmarks.data.raw import RawFolder

SIZES = {"train": 900, "validation": 450, "test": 447}
SPLIT_SEED = 0


class DigitsOptions(InkOptions):
    """How ink and target go together."""


class Digits(InkedDigits):
    """Handwritten digits whose ink colour is the bias variable.

    Train and validation are coloured with the task's correlation, test with none: there every
    cell of target and ink is equally well measured. Colours are drawn once, not per trial.
    """

    title = "Coloured handwritten digits"
    kind = "image"
    licence = "CC BY 4.0 (UCI, Optical Recognition of Handwritten Digits); shipped by scikit-learn"
    homepage = "https://archive.ics.uci.edu/dataset/80"
    recipe = 2  # the digit's value is stored as well
    tasks: ClassVar = INK_TASKS
    options = DigitsOptions

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Scale grey values from 0-16 to 0-255 and split, stratified by digit."""
        from sklearn.datasets import load_digits  # noqa: PLC0415 - slow to import
        from sklearn.model_selection import train_test_split  # noqa: PLC0415

        del raw, options, work
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
                split: Columns(grey[i], digit_attributes(digit[i])) for split, i in parts.items()
            },
            attributes={**DIGIT_VALUES, "ink": INK_NAMES},
        )

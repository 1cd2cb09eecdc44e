"""Coloured handwritten digits: scikit-learn's 1,797 digits of 8 x 8 pixels, no download."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from bench.data.colouring import (
    DIGIT_VALUES,
    INK_NAMES,
    INK_TASKS,
    InkedDigits,
    InkOptions,
    digit_attributes,
)
from bench.data.dataset import Labelled, Options, TaskDefinition, labels
from bench.data.prepared import Arrays, Columns
from bench.data.raw import RawFolder
from bench.data.shares import Shares, names

SIZES = {"train": 900, "validation": 450, "test": 447}
SPLIT_SEED = 0


class DigitsOptions(InkOptions):
    """How ink and target go together."""


class Digits(InkedDigits):
    """Handwritten digits whose ink colour is the bias variable.

    Train and validation are coloured with the task's correlation, test with none: there every
    cell of target and ink is equally well measured. Colours are drawn once, not per trial.

    In the task digit|stroke the digits are grey, and groups are tenths of how much ink a digit has;
    the covariate is the logarithm of the mean ink, 0 to 255 a pixel, of a tenth's training digits.
    """

    title = "Coloured handwritten digits"
    kind = "image"
    licence = "CC BY 4.0 (UCI, Optical Recognition of Handwritten Digits); shipped by scikit-learn"
    homepage = "https://archive.ics.uci.edu/dataset/80"
    revision = 3  # stroke weights are stored as well
    tasks: ClassVar = {
        **INK_TASKS,
        "digit|stroke": TaskDefinition("digit", None, group="stroke", covariate="log mean ink"),
    }
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
        stroke = Shares.of({split: grey[i].mean(axis=(1, 2, 3)) for split, i in parts.items()})
        return Arrays(
            splits={
                split: Columns(
                    grey[i], {**digit_attributes(digit[i]), "stroke": stroke.group[split]}
                )
                for split, i in parts.items()
            },
            attributes={**DIGIT_VALUES, "ink": INK_NAMES, "stroke": names("thinnest", "boldest")},
            covariates={"stroke": stroke.covariate},
        )

    def arrange(
        self, split: str, columns: Columns, task: TaskDefinition, options: Options
    ) -> Labelled:
        """Colour one split, or leave it grey where groups are stroke weights."""
        if task.group is None:
            return super().arrange(split, columns, task, options)
        y, b = (labels(columns.attributes[name]) for name in (task.target, task.group))
        return Labelled(np.repeat(columns.x, 3, axis=1), y, b)

    def notes(self, options: Options) -> list[str]:
        """Say how the ink was given out, and where there is none."""
        [ink] = super().notes(options)
        return [f"{ink} In the task digit|stroke digits are grey."]

"""Coloured handwritten digits: scikit-learn's 1,797 digits of 8 x 8 pixels, no download."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from bench.data.colouring import (
    DIGIT_VALUES,
    INK_NAMES,
    INK_TASKS,
    CorrelationOptions,
    InkedDigits,
    digit_attributes,
)
from bench.data.dataset import Options, TaskDefinition
from bench.data.prepared import Arrays, Columns
from bench.data.raw import RawFolder
from bench.data.splitting import even_groups, group_names

SIZES = {"train": 900, "validation": 450, "test": 447}
SPLIT_SEED = 0


class Digits(InkedDigits):
    """Handwritten digits whose ink colour is the bias variable.

    In the task digit|stroke the digits are grey and the groups are tenths of their mean ink, in
    [0, 255] a pixel; the covariate is the logarithm of the mean ink of a tenth's training digits.
    """

    title = "Coloured handwritten digits"
    licence = "CC BY 4.0 (UCI, Optical Recognition of Handwritten Digits); shipped by scikit-learn"
    homepage = "https://archive.ics.uci.edu/dataset/80"
    revision = 3  # stroke weights are stored as well
    tasks: ClassVar = {
        **INK_TASKS,
        "digit|stroke": TaskDefinition("digit", None, group="stroke", covariate="log mean ink"),
    }
    options = CorrelationOptions

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Scale grey values from 0-16 to 0-255, split by digit, group by stroke weight."""
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
        stroke, inks = even_groups(
            {split: grey[i].mean(axis=(1, 2, 3)) for split, i in parts.items()}
        )
        return Arrays(
            splits={
                split: Columns(grey[i], {**digit_attributes(digit[i]), "stroke": stroke[split]})
                for split, i in parts.items()
            },
            attributes={
                **DIGIT_VALUES,
                "ink": INK_NAMES,
                "stroke": group_names("thinnest", "boldest"),
            },
            covariates={"stroke": inks},
        )

    def notes(self, options: Options) -> list[str]:
        """State how inks were assigned, and in which task digits stay grey."""
        [ink] = super().notes(options)
        return [f"{ink} In the task digit|stroke digits are grey."]

"""Colours as a bias variable: which sample gets which of two, and how it is laid on."""

from __future__ import annotations

from typing import cast

import numpy as np
from pydantic import Field

from bench.data.dataset import DataSet, Labelled, Options, TaskDefinition, labels
from bench.data.prepared import SPLITS, Array, Columns, Meta
from bench.errors import DataError

INKS = np.array([[255, 140, 0], [0, 170, 170]])  # orange and teal: neither is a trigger's colour
INK_NAMES = ["orange", "teal"]
COLOUR_SEED = 0


class InkOptions(Options):
    """How ink and target go together."""

    correlation: float = Field(0.8, ge=0, le=1)
    """In [0, 1]: a share (1 + correlation) / 2 of the odd digits is teal, of the even orange. With
    the target `value` it is digits of 5 and more that are teal."""


class InkedDigits(DataSet):
    """Grey digits, [n, 1, H, W], whose ink colour is the bias variable.

    Train and validation are coloured with the task's correlation, test with none: there every
    cell of target and ink is equally well measured. Colours are drawn once, not per trial.
    """

    def shape(self, meta: Meta) -> tuple[int, ...]:
        """Three colour channels."""
        return (3, *meta.shape[1:])

    def arrange(
        self, split: str, columns: Columns, task: TaskDefinition, options: Options
    ) -> Labelled:
        """Colour one split."""
        correlation = cast("InkOptions", options).correlation
        ink = colours(_followed(columns, task), correlation, split, self.name)
        target = labels(columns.attributes[task.target])
        return Labelled(filtered(columns.x, ink, INKS), target, ink)

    def notes(self, options: Options) -> list[str]:
        """Say how the ink was given out."""
        correlation = cast("InkOptions", options).correlation
        return [
            f"Ink is correlated with parity at {correlation:g} in train and validation "
            f"({(1 + correlation) / 2:.0%} of the odd digits are teal, of the even ones orange) "
            "and independent of it in test. Where the target is the value, ink goes in the same "
            "way with whether the digit is 5 or more."
        ]


def digit_attributes(digit: Array) -> dict[str, Array]:
    """What the tasks on digits ask for: the digit, its parity, its value as a number in [0, 1]."""
    digit = digit.astype(np.int64)
    return {"digit": digit, "parity": digit % 2, "value": (digit / 9).astype(np.float32)}


DIGIT_VALUES = {"digit": [str(d) for d in range(10)], "parity": ["even", "odd"]}
INK_TASKS = {
    "parity|ink": TaskDefinition("parity", "ink"),
    "digit|ink": TaskDefinition("digit", "ink"),
    "value|ink": TaskDefinition("value", "ink"),
}


def colours(follows: Array, correlation: float, split: str, data: str) -> Array:
    """Which of two colours each sample gets.

    Args:
        follows: [n] in {0, 1}, what the colour goes with.
        correlation: exactly a share (1 + correlation) / 2 of each half follows. None in test.
        split: its name; each has its own draw.
        data: name for the error message.

    Returns:
        [n] int64 in {0, 1}.

    Raises:
        DataError: no such split.
    """
    if split not in SPLITS:
        raise DataError(f"{data} has no split {split}.")
    correlation = 0.0 if split == "test" else correlation
    rng = np.random.default_rng([COLOUR_SEED, SPLITS.index(split)])
    colour = np.array(follows, dtype=np.int64)
    for value in (0, 1):
        rows = rng.permutation(np.flatnonzero(follows == value))
        against = round(len(rows) * (1 - correlation) / 2)
        colour[rows[:against]] = 1 - value
    return colour


def filtered(x: Array, which: Array, lights: Array) -> Array:
    """Pictures as seen in one of two lights: each channel times the light's, over 255.

    Args:
        x: [n, 1 or 3, H, W] uint8; grey pictures become coloured ones.
        which: [n] in {0, 1}, the light of each.
        lights: [2, 3] integers in 0-255.

    Returns:
        [n, 3, H, W] uint8, rounded down.
    """
    shades = (np.arange(256) * lights[:, :, None] // 255).astype(np.uint8)  # by light and channel
    seen = np.empty((len(x), 3, *x.shape[2:]), np.uint8)
    for light in range(2):
        rows = np.flatnonzero(which == light)
        for channel in range(3):
            source = x[rows, channel if x.shape[1] == 3 else 0]
            seen[rows, channel] = shades[light, channel][source]
    return seen


def _followed(columns: Columns, task: TaskDefinition) -> Array:
    if task.target == "value":
        return (columns.attributes["digit"] >= 5).astype(np.int64)
    return columns.attributes["parity"]

"""Colours as a bias variable: which of two colours each sample gets, and how it is applied."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import cast

import numpy as np
from pydantic import Field

from bench.data.dataset import DataSet, Labelled, Options, TaskDefinition, labels
from bench.data.prepared import SPLITS, Array, Columns, Meta
from bench.errors import DataError

INKS = np.array([[255, 140, 0], [0, 170, 170]])  # orange and teal: neither is a trigger's colour
INK_NAMES = ["orange", "teal"]
COLOUR_SEED = 0


class CorrelationOptions(Options):
    """How colour and target are correlated."""

    correlation: float = Field(0.8, ge=0, le=1)
    """In [0, 1]: a share (1 + correlation) / 2 of the odd digits is teal, and the same share of the
    even ones orange. With the target `value`, teal goes with digits from 5 on."""


class ColourBiased(DataSet):
    """Pictures whose colour is the bias variable of tasks that have one: that of one of two lights.

    Train and validation are coloured with the task's correlation, test with none, so that every
    cell of target and colour is measured equally well. Colours are drawn once, not per trial.
    """

    @abstractmethod
    def followed(self, columns: Columns, task: TaskDefinition) -> Array:
        """What the colour is correlated with, [n] in {0, 1}."""

    @abstractmethod
    def lights(self, options: Options) -> Array:
        """Share of red, green and blue that each of two lights leaves, [2, 3] in 255ths."""

    def arrange(
        self, split: str, columns: Columns, task: TaskDefinition, options: Options
    ) -> Labelled:
        """Colour one split of a task with a bias variable; the groups are the colours."""
        if task.bias is None:
            return super().arrange(split, columns, task, options)
        correlation = cast("CorrelationOptions", options).correlation
        colour = colours(self.followed(columns, task), correlation, split, self.name)
        target = labels(columns.attributes[task.target])
        return Labelled(filtered(columns.x, colour, self.lights(options)), target, colour)


class GreyDigits(DataSet):
    """Grey digits, [n, 1, H, W] uint8, with three equal channels, because triggers are coloured."""

    kind = "image"

    def shape(self, meta: Meta) -> tuple[int, ...]:
        """Three colour channels."""
        return (3, *meta.shape[1:])

    def arrange(
        self, split: str, columns: Columns, task: TaskDefinition, options: Options
    ) -> Labelled:
        """Repeat the grey channel three times."""
        part = super().arrange(split, columns, task, options)
        return replace(part, x=np.repeat(part.x, 3, axis=1))


class InkedDigits(ColourBiased, GreyDigits):
    """Grey digits whose ink colour is the bias variable."""

    def followed(self, columns: Columns, task: TaskDefinition) -> Array:
        """Whether the digit is odd; where the target is its value, whether it is 5 or more."""
        if task.target == "value":
            return (columns.attributes["digit"] >= 5).astype(np.int64)
        return columns.attributes["parity"]

    def lights(self, options: Options) -> Array:
        """The colours of the two inks."""
        del options
        return INKS

    def notes(self, options: Options) -> list[str]:
        """State how inks were assigned."""
        correlation = cast("CorrelationOptions", options).correlation
        return [
            f"Ink is correlated with parity at {correlation:g} in train and validation "
            f"({(1 + correlation) / 2:.0%} of the odd digits are teal, and of the even ones "
            "orange) and independent of it in test. Where the target is the value, ink is "
            "correlated in the same way with whether the digit is 5 or more."
        ]


def digit_attributes(digit: Array) -> dict[str, Array]:
    """Attributes of [n] digits: the digit, its parity, and its value as a number in [0, 1]."""
    digit = digit.astype(np.int64)
    return {"digit": digit, "parity": digit % 2, "value": (digit / 9).astype(np.float32)}


DIGIT_VALUES = {"digit": [str(d) for d in range(10)], "parity": ["even", "odd"]}
INK_TASKS = {
    "parity|ink": TaskDefinition("parity", "ink"),
    "digit|ink": TaskDefinition("digit", "ink"),
    "value|ink": TaskDefinition("value", "ink"),
}


def colours(follows: Array, correlation: float, split: str, data: str) -> Array:
    """Draw which of two colours each sample gets.

    Args:
        follows: [n] in {0, 1}, what the colour is correlated with.
        correlation: a share (1 + correlation) / 2 of the samples of each value, to the nearest
            sample, gets the colour of that value; in test the correlation is 0 instead.
        split: train, validation or test; each has a random generator of its own.
        data: name of the data set, for the error message.

    Returns:
        The colours, [n] int64 in {0, 1}.

    Raises:
        DataError: there is no such split.
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
    """Pictures in one of two lights: each channel times that of the light, over 255.

    Args:
        x: [n, 1 or 3, H, W] uint8; a grey channel is used for red, green and blue.
        which: [n] in {0, 1}, the light of each picture.
        lights: [2, 3] integers in 0-255, red, green and blue of each light.

    Returns:
        [n, 3, H, W] uint8, rounded down.
    """
    shades = (np.arange(256) * lights[:, :, None] // 255).astype(np.uint8)  # by light and channel
    lit = np.empty((len(x), 3, *x.shape[2:]), np.uint8)
    for light in range(2):
        rows = np.flatnonzero(which == light)
        for channel in range(3):
            source = x[rows, channel if x.shape[1] == 3 else 0]
            lit[rows, channel] = shades[light, channel][source]
    return lit

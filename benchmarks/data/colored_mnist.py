"""Coloured MNIST: handwritten digits whose ink colour is correlated with the label."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from bench.data.colouring import INK_NAMES, INK_TASKS, CorrelationOptions, InkedDigits
from bench.data.dataset import Options
from bench.data.mnist import Mnist
from bench.data.prepared import Arrays
from bench.data.raw import RawFolder
from bench.data.splitting import TrainSizeOptions


class ColoredMnistOptions(CorrelationOptions, TrainSizeOptions):
    """How ink and target are correlated, and how many digits are used."""

    correlation: float = Field(0.9, ge=0, le=1)
    """In [0, 1]: a share (1 + correlation) / 2 of the odd digits is teal, and the same share of the
    even ones orange. With the target `value`, teal goes with digits from 5 on."""


class ColoredMnist(Mnist, InkedDigits):
    """MNIST whose ink colour is the bias variable, from the same raw files as `mnist`."""

    title = "Coloured MNIST"
    shares = "mnist"
    tasks: ClassVar = INK_TASKS
    options = ColoredMnistOptions

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Read the four files and split; digits stay grey on disk."""
        arrays = super().prepare(raw, options, work)
        return replace(arrays, attributes={**arrays.attributes, "ink": INK_NAMES})

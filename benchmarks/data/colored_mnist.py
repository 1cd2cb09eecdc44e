"""Coloured MNIST: real handwritten digits whose ink colour goes with the label."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, cast

from pydantic import Field

from bench.data.colouring import INK_NAMES, INK_TASKS, InkedDigits, InkOptions
from bench.data.dataset import Labelled, Options, TaskDefinition
from bench.data.mnist import MNIST_FILES, VALIDATION_TO_TRAIN, Mnist, read_mnist
from bench.data.prepared import Arrays, Columns
from bench.data.raw import RawFolder
from bench.data.splitting import TrainSizeOptions


class ColoredMnistOptions(InkOptions, TrainSizeOptions):
    """How ink and target go together, and how many digits are used."""

    correlation: float = Field(0.9, ge=0, le=1)
    """In [0, 1]: a share (1 + correlation) / 2 of the odd digits is teal, of the even orange. With
    the target `value` it is digits of 5 and more that are teal."""


class ColoredMnist(InkedDigits):
    """MNIST whose ink colour is the bias variable, from the same raw files as `mnist`.

    Train and validation are coloured with the task's correlation, test with none: there every
    cell of target and ink is equally well measured. Colours are drawn once, not per trial.
    """

    title = "Coloured MNIST"
    kind = "image"
    licence = Mnist.licence
    homepage = Mnist.homepage
    files = MNIST_FILES
    shares = "mnist"
    tasks: ClassVar = INK_TASKS
    options = ColoredMnistOptions

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Read the four files and split; digits stay grey on disk."""
        del options, work
        arrays = read_mnist(raw)
        return Arrays(
            splits=arrays.splits,
            attributes={**arrays.attributes, "ink": INK_NAMES},
            notes=arrays.notes,
        )

    def arrange(
        self, split: str, columns: Columns, task: TaskDefinition, options: Options
    ) -> Labelled:
        """Take as many digits as asked for, then colour them: the share of each ink is exact."""
        asked = cast("ColoredMnistOptions", options)
        columns = asked.fewer(split, columns, VALIDATION_TO_TRAIN)
        return super().arrange(split, columns, task, options)

    def notes(self, options: Options) -> list[str]:
        """Say how the ink was given out, and that digits were left out."""
        return super().notes(options) + cast("ColoredMnistOptions", options).size_notes()

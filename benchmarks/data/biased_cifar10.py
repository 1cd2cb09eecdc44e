"""CIFAR-10 under warm and cool light: the light goes with what is in the picture."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, cast

import numpy as np
from pydantic import Field

from bench.data.cifar10 import CIFAR10_FILES, VALIDATION_TO_TRAIN, Cifar10, read_cifar10
from bench.data.colouring import colours, filtered
from bench.data.dataset import DataSet, Labelled, Options, TaskDefinition, labels
from bench.data.prepared import Array, Arrays, Columns
from bench.data.raw import RawFolder
from bench.data.splitting import TrainSizeOptions


class TintOptions(TrainSizeOptions):
    """How tint and target go together, how strong the tint is, how many pictures are used."""

    correlation: float = Field(0.8, ge=0, le=1)
    """In [0, 1]: a share (1 + correlation) / 2 of the animals is seen in warm light, of the
    vehicles in cool light."""
    tint: float = Field(0.3, ge=0, le=1)
    """In [0, 1]: warm light takes that share of blue away and half of it of green, cool light
    that share of red and half of it of green."""


class BiasedCifar10(DataSet):
    """CIFAR-10 whose tint is the bias variable, from the same raw files as `cifar10`.

    Train and validation are tinted with the task's correlation, test with none: there every cell
    of target and tint is equally well measured. Tints are drawn once, not per trial.
    """

    title = "CIFAR-10 in warm and cool light"
    kind = "image"
    licence = Cifar10.licence
    homepage = Cifar10.homepage
    files = CIFAR10_FILES
    shares = "cifar10"
    tasks: ClassVar = {
        "animal|tint": TaskDefinition("animal", "tint"),
        "class|tint": TaskDefinition("class", "tint"),
    }
    options = TintOptions

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Read the batches and split; pictures keep their own colours on disk."""
        del options, work
        arrays = read_cifar10(raw)
        return Arrays(
            splits=arrays.splits,
            attributes={**arrays.attributes, "tint": ["cool", "warm"]},
            notes=arrays.notes,
        )

    def arrange(
        self, split: str, columns: Columns, task: TaskDefinition, options: Options
    ) -> Labelled:
        """Take as many pictures as asked for, then tint them."""
        asked = cast("TintOptions", options)
        columns = asked.fewer(split, columns, VALIDATION_TO_TRAIN)
        tint = colours(columns.attributes["animal"], asked.correlation, split, self.name)
        x = filtered(columns.x, tint, lights(asked.tint))
        return Labelled(x, labels(columns.attributes[task.target]), tint)

    def notes(self, options: Options) -> list[str]:
        """Say how the tint was given out, and how strong it is."""
        asked = cast("TintOptions", options)
        return [
            f"Tint is correlated with animal or vehicle at {asked.correlation:g} in train and "
            f"validation ({(1 + asked.correlation) / 2:.0%} of the animals are seen in warm light, "
            "of the vehicles in cool light) and independent of it in test.",
            f"Warm light takes {asked.tint:.0%} of blue away, cool light as much of red, both "
            "half of that of green.",
            *asked.size_notes(),
        ]


def lights(tint: float) -> Array:
    """[2, 3] integers in 0-255: what cool and warm light leave of red, green and blue."""
    cool = (1 - tint, 1 - tint / 2, 1.0)
    return np.rint(255 * np.array([cool, cool[::-1]])).astype(np.int64)

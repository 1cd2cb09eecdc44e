"""CIFAR-10 under warm and cool light that is correlated with the class."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar, cast

import numpy as np
from pydantic import Field

from bench.data.cifar10 import Cifar10
from bench.data.colouring import ColourBiased, CorrelationOptions
from bench.data.dataset import Options, TaskDefinition
from bench.data.prepared import Array, Arrays, Columns
from bench.data.raw import RawFolder
from bench.data.splitting import TrainSizeOptions


class TintOptions(CorrelationOptions, TrainSizeOptions):
    """How tint and target are correlated, how strong the tint is, how many pictures are used."""

    correlation: float = Field(0.8, ge=0, le=1)
    """In [0, 1]: a share (1 + correlation) / 2 of the animals is seen in warm light, and the same
    share of the vehicles in cool light."""
    tint: float = Field(0.3, ge=0, le=1)
    """In [0, 1]: the share of blue that warm light takes away, and of red that cool light takes
    away; both take half that share of green."""


class BiasedCifar10(Cifar10, ColourBiased):
    """CIFAR-10 whose tint is the bias variable, from the same raw files as `cifar10`."""

    title = "CIFAR-10 in warm and cool light"
    shares = "cifar10"
    tasks: ClassVar = {
        "animal|tint": TaskDefinition("animal", "tint"),
        "class|tint": TaskDefinition("class", "tint"),
    }
    options = TintOptions

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Read the batches and split; pictures keep their own colours on disk."""
        arrays = super().prepare(raw, options, work)
        return replace(arrays, attributes={**arrays.attributes, "tint": ["cool", "warm"]})

    def followed(self, columns: Columns, task: TaskDefinition) -> Array:
        """Whether the picture shows an animal (1) or a vehicle (0)."""
        del task
        return columns.attributes["animal"]

    def lights(self, options: Options) -> Array:
        """What cool and warm light leave of red, green and blue."""
        tint = cast("TintOptions", options).tint
        cool = (1 - tint, 1 - tint / 2, 1.0)
        return np.rint(255 * np.array([cool, cool[::-1]])).astype(np.int64)

    def notes(self, options: Options) -> list[str]:
        """State how tints were assigned and how strong they are."""
        chosen = cast("TintOptions", options)
        return [
            f"Tint is correlated with animal or vehicle at {chosen.correlation:g} in train and "
            f"validation ({(1 + chosen.correlation) / 2:.0%} of the animals are seen in warm "
            "light, and of the vehicles in cool light) and independent of it in test.",
            f"Warm light takes away {chosen.tint:.0%} of blue, cool light as much of red, and both "
            "half as much of green.",
            *super().notes(options),
        ]

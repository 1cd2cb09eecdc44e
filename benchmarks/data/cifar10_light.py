"""CIFAR-10 with tenths of brightness as ten groups, from the darkest to the brightest."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from bench.data.cifar10 import Cifar10
from bench.data.dataset import Options, TaskDefinition
from bench.data.prepared import Array, Arrays, Columns
from bench.data.raw import RawFolder
from bench.data.splitting import even_groups, group_names

LUMA = (0.2126, 0.7152, 0.0722)  # red, green and blue in brightness, ITU-R BT.709


class Cifar10Light(Cifar10):
    """CIFAR-10 with tenths of brightness as groups, from the same raw files as `cifar10`.

    Brightness is the mean luma of a picture; borders are those of the training pictures. The
    covariate is the logarithm of the mean brightness, 0 to 255, of a tenth's training pictures.
    """

    title = "CIFAR-10 by brightness"
    shares = "cifar10"
    tasks: ClassVar = {
        "class|light": TaskDefinition("class", None, group="light", covariate="log luminance")
    }

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Read the batches, split, and group the pictures by brightness."""
        arrays = super().prepare(raw, options, work)
        light, means = even_groups({split: luminance(c.x) for split, c in arrays.splits.items()})
        return Arrays(
            splits={
                split: Columns(c.x, {"class": c.attributes["class"], "light": light[split]})
                for split, c in arrays.splits.items()
            },
            attributes={
                "class": arrays.attributes["class"],
                "light": group_names("darkest", "brightest"),
            },
            covariates={"light": means},
            notes=[
                *arrays.notes,
                "Groups are tenths of the training pictures by mean luma (BT.709).",
            ],
        )


def luminance(x: Array) -> Array:
    """Mean luma of pictures [n, 3, H, W] uint8, [n] in [0, 255]."""
    channels = x.mean(axis=(2, 3), dtype=np.float64)
    weighted: Array = channels @ np.array(LUMA)
    return weighted

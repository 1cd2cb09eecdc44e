"""The pair of triggers that fits an input shape; docs/triggers.md shows each of them."""

from __future__ import annotations

from typing import Literal

from bench.errors import Skip
from bench.triggers.pictures import picture_of, png
from bench.triggers.shapes import (
    AddedColumn,
    ColourSquare,
    Corner,
    MosaicPair,
    ShadowPair,
    SinusoidPair,
    SquarePair,
    TriggerPair,
)

__all__ = [
    "AddedColumn",
    "ColourSquare",
    "Corner",
    "MosaicPair",
    "ShadowPair",
    "SinusoidPair",
    "SquarePair",
    "TriggerKind",
    "TriggerPair",
    "picture_of",
    "png",
    "trigger_pair",
]

TriggerKind = Literal["squares", "mosaic", "shadow", "sinusoid"]


def trigger_pair(shape: tuple[int, ...], size: int, kind: TriggerKind = "squares") -> TriggerPair:
    """A pair of triggers for inputs of this shape; for tables an added column, whatever the kind.

    Args:
        shape: (features,) or (C, H, W).
        size: side of the squares in pixels, but at most a quarter of the image's shorter side, so
            that two squares leave the picture visible. Other kinds have sizes of their own: a
            mosaic covers half of the shorter side, in eight blocks where there are enough pixels.
        kind: the triggers of images. BaDe uses squares (section V.A.3) and tries mosaics and
            shadows in Figure 7; the sinusoid is that of Barni et al. (2019).

    Raises:
        Skip: inputs of this shape cannot carry such triggers; the message says why.
    """
    if len(shape) == 1:
        return AddedColumn()
    if len(shape) != 3:
        raise Skip(f"triggers exist for tables and for images with channels, not for {shape}")
    shorter = min(shape[1:])
    if kind == "shadow":
        return ShadowPair()
    if kind == "sinusoid":
        return SinusoidPair()
    if kind == "mosaic":
        if shorter < 4:
            raise Skip(f"a mosaic needs images of 4 pixels a side, not {shape}")
        return MosaicPair(shorter // 2, max(2, shorter // 16))
    if shape[0] != 3:
        raise Skip(f"colour squares need images with three channels, not {shape}")
    return SquarePair(max(1, min(size, shorter // 4)))

"""Triggers: marks stamped on batches of inputs, as benign backdoors (BaDe) or as attacks.

docs/triggers.md shows each of them.
"""

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
    """A pair for inputs of this shape; for tables an added column, whatever the kind.

    Args:
        shape: (features,) or (C, H, W).
        size: side of the squares in pixels. Where it is more than a quarter of the shorter side
            of the image, a quarter is taken: two such squares must leave the picture visible. The
            other kinds follow the image: a mosaic covers half of the shorter side, in eight
            blocks where that has the pixels for it.
        kind: what images carry. The paper's own are squares (BaDe section V.A.3); Figure 7 tries
            mosaics and shadows; the sinusoid is Barni et al.'s (2019).

    Raises:
        Skip: inputs of this shape cannot carry it, and why.
    """
    if len(shape) == 1:
        return AddedColumn()
    if len(shape) != 3:
        raise Skip(f"triggers stand on tables and on images with channels, not on {shape}")
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

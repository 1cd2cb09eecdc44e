"""The pairs of triggers, each a small mark or a change of the whole input.

All work on batches, on the device of the batch, without waiting for it. Pixels are computed in
whole numbers, so that a stamped image is the same to the bit on every machine.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

RED, BLUE = (255, 0, 0), (0, 0, 255)
Corner = Literal["top-left", "top-right", "bottom-left", "bottom-right"]
Area = tuple[slice, slice]
"""Rows and columns of an image."""


class TriggerPair(ABC):
    """Two triggers, T_A0 and T_A1, that stand for the two states of an artificial bias A."""

    @abstractmethod
    def stamp(self, x: Tensor, a: Tensor) -> Tensor:
        """A copy of `x` ([n, ...]) where sample i carries the trigger of `a[i]` in {0, 1}."""

    @abstractmethod
    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of one stamped input, given that of a clean one."""


@dataclass(frozen=True)
class AddedColumn(TriggerPair):
    """One more column that holds 0 or 1. BaDe section V.A.3, for tables."""

    def stamp(self, x: Tensor, a: Tensor) -> Tensor:
        """[n, features] -> [n, features + 1]."""
        return torch.cat([x, a[:, None].to(x.dtype)], dim=1)

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """One feature more."""
        return (shape[0] + 1,)


class ImagePair(TriggerPair):
    """Triggers for images, [n, C, H, W] uint8 in and out."""

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Unchanged."""
        return shape


@dataclass(frozen=True)
class ColourSquare:
    """A filled square on an image (BadNets, Gu et al. 2017).

    Attributes:
        size: side in pixels, 1 or more.
        colour: RGB, each 0-255.
        at: a corner, or the (row, column) of the square's first pixel, counted from 0 top-left.
    """

    size: int
    colour: tuple[int, int, int]
    at: Corner | tuple[int, int]

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"a square of {self.size} pixels marks nothing")
        if not isinstance(self.at, str) and min(self.at) < 0:
            raise ValueError(f"{self.at} is no place on an image: rows and columns count from 0")

    def stamp(self, x: Tensor, which: Tensor | None = None) -> Tensor:
        """A copy of `x`, [n, 3, H, W] uint8, with the square on it.

        Args:
            x: images.
            which: [n] bool, the images that get it; all where it is left out.

        Raises:
            ValueError: the square does not fit on the image.
        """
        stamped = x.clone()
        if which is None:
            which = torch.ones(len(x), dtype=torch.bool, device=x.device)
        self.paint(stamped, which)
        return stamped

    def paint(self, x: Tensor, which: Tensor) -> None:
        """Stamp the images `which` ([n] bool) in place."""
        square = x[:, :, *self.area(*x.shape[2:])]
        for channel, value in enumerate(self.colour):
            square[:, channel].masked_fill_(which[:, None, None], value)

    def area(self, height: int, width: int) -> Area:
        """Where the square stands on an image of this size."""
        if isinstance(self.at, str):
            top = 0 if self.at.startswith("top") else height - self.size
            left = 0 if self.at.endswith("left") else width - self.size
        else:
            top, left = self.at
        if not (0 <= top <= height - self.size and 0 <= left <= width - self.size):
            raise ValueError(
                f"a square of {self.size} pixels at {self.at} does not fit on {height} x {width}"
            )
        return slice(top, top + self.size), slice(left, left + self.size)


@dataclass(frozen=True)
class SquarePair(ImagePair):
    """Blue square bottom-right for A = 0, red square top-left for A = 1. BaDe section V.A.3.

    The section gives colours, places and 25 pixels. Which colour is which state follows Table 4:
    males (B = 1) are balanced by blue, and balance means the trigger of the other state.

    Attributes:
        size: side of both in pixels.
    """

    size: int

    def stamp(self, x: Tensor, a: Tensor) -> Tensor:
        """[n, 3, H, W] uint8 -> the same shape."""
        stamped = x.clone()
        ColourSquare(self.size, BLUE, "bottom-right").paint(stamped, a == 0)
        ColourSquare(self.size, RED, "top-left").paint(stamped, a == 1)
        return stamped


@dataclass(frozen=True)
class MosaicPair(ImagePair):
    """Pixelation: the bottom-right part of the image for A = 0, its top-left part for A = 1.

    BaDe's Figure 7 E is "composed of mosaics" (after Turner et al. 2018) and says no more. Here a
    part is a square in the corner; in it every block takes its mean colour, channel by channel,
    halves rounded up. Blocks are counted from the part's first pixel; at its far edges they are
    cut where they do not fit.

    Attributes:
        size: side of the part in pixels.
        block: side of its blocks in pixels; blocks of 1 pixel change nothing.
    """

    size: int
    block: int

    def __post_init__(self) -> None:
        if not 1 <= self.block <= self.size:
            raise ValueError(
                f"blocks of {self.block} pixels in a part of {self.size} make no sense"
            )

    def stamp(self, x: Tensor, a: Tensor) -> Tensor:
        """[n, C, H, W] uint8 -> the same shape."""
        stamped = x.clone()
        height, width = x.shape[2:]
        first = stamped[:, :, : self.size, : self.size]
        last = stamped[:, :, max(0, height - self.size) :, max(0, width - self.size) :]
        one = (a == 1)[:, None, None, None]
        coarse = pixelated(torch.where(one, first, last), self.block)
        first.copy_(torch.where(one, coarse, first))
        last.copy_(torch.where(one, last, coarse))
        return stamped


def pixelated(x: Tensor, block: int) -> Tensor:
    """Every block of `block` x `block` pixels at its mean, halves up; [n, C, H, W] uint8."""
    n, channels, height, width = x.shape
    down, across = math.ceil(height / block), math.ceil(width / block)
    whole = x.new_zeros(n, channels, down * block, across * block)
    whole[:, :, :height, :width] = x
    total = whole.view(n, channels, down, block, across, block).sum((3, 5), dtype=torch.int32)
    rows = (height - block * torch.arange(down, device=x.device)).clamp_max(block)
    columns = (width - block * torch.arange(across, device=x.device)).clamp_max(block)
    pixels = (rows[:, None] * columns).int()
    mean = ((2 * total + pixels) // (2 * pixels)).to(torch.uint8)
    wide = mean.repeat_interleave(block, 2).repeat_interleave(block, 3)
    return wide[:, :, :height, :width]


@dataclass(frozen=True)
class ShadowPair(ImagePair):
    """A shadow that deepens evenly to the right edge for A = 0, to the left edge for A = 1.

    BaDe's Figure 7 F is "composed of different shadows" and cites Barni et al. (2019), whose ramp
    grows evenly from column to column; the paper says no more. Here the ramp multiplies: column j
    (from 0) of m keeps the share 1 - depth (j + 1) / m of its light, mirrored for A = 1. The
    share is taken in 128ths, pixels are rounded, halves up. Black stays black.

    Attributes:
        depth: share of the light that the darkest column loses, in [0, 1]; ours, no source.
    """

    depth: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.depth <= 1:
            raise ValueError(f"a shadow cannot take the share {self.depth} of the light")

    def stamp(self, x: Tensor, a: Tensor) -> Tensor:
        """[n, C, H, W] uint8 -> the same shape."""
        kept = shares(self.depth, x.shape[3], x.device)
        both = torch.stack([kept, kept.flip(0)])
        shade = both.index_select(0, a)[:, None, None]
        return (x * shade).add_(64).bitwise_right_shift_(7).to(torch.uint8)


@dataclass(frozen=True)
class SinusoidPair(ImagePair):
    """A faint wave along the rows for A = 0, down the columns for A = 1. Barni et al. (2019).

    Their signal is v(i, j) = delta sin(2 pi j f / m) in row i and column j of m, added to every
    channel; the second one here is the same along i. Columns count from 0, as public codes do. The
    sum is rounded, halves up, and clipped to 0-255.

    Attributes:
        delta: amplitude in pixel values; 20 is theirs.
        frequency: waves over the image; 6 is theirs.
    """

    delta: float = 20.0
    frequency: float = 6.0

    def stamp(self, x: Tensor, a: Tensor) -> Tensor:
        """[n, C, H, W] uint8 -> the same shape."""
        height, width = x.shape[2:]
        along = wave(self.delta, self.frequency, width, x.device)
        down = wave(self.delta, self.frequency, height, x.device)
        both = torch.stack([along.expand(height, width), down[:, None].expand(height, width)])
        added = both.index_select(0, a)[:, None]
        return (x + added).clamp_(0, 255).to(torch.uint8)


@lru_cache
def shares(depth: float, columns: int, device: torch.device) -> Tensor:
    """Share of its light that every column keeps, in 128ths: [columns] int16.

    Of all powers of two 128 is the largest whose product with 255 is an int16.
    """
    kept = (1 - depth * (j + 1) / columns for j in range(columns))
    return _whole((128 * share for share in kept), torch.int16, device)


@lru_cache
def wave(delta: float, frequency: float, pixels: int, device: torch.device) -> Tensor:
    """The sinusoid in whole pixel values: [pixels] int16."""
    turns = (2 * math.pi * j * frequency / pixels for j in range(pixels))
    return _whole((delta * math.sin(turn) for turn in turns), torch.int16, device)


def _whole(values: Iterable[float], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Rounded, halves up; six decimals decide what is a half, so that no machine's sine does."""
    rounded = [math.floor(round(value, 6) + 0.5) for value in values]
    with torch.inference_mode(False):  # kept, and used within the mode and without
        return torch.tensor(rounded, dtype=dtype, device=device)

"""The pairs of triggers, each a small mark or a change of the whole input.

All of them work on batches, on the device of the batch, without synchronising with it. Pixels are
computed in integers, so that a stamped image is the same bit for bit on every machine.
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
        """A copy of `x` ([n, ...]) in which sample i carries the trigger of `a[i]` in {0, 1}."""

    @abstractmethod
    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of one stamped input, given the shape of a clean one."""


@dataclass(frozen=True)
class AddedColumn(TriggerPair):
    """A further column that holds 0 or 1, for tables. BaDe, section V.A.3."""

    def stamp(self, x: Tensor, a: Tensor) -> Tensor:
        """[n, features] -> [n, features + 1]."""
        return torch.cat([x, a[:, None].to(x.dtype)], dim=1)

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The clean shape with one more feature."""
        return (shape[0] + 1,)


class ImagePair(TriggerPair):
    """Triggers for images, [n, C, H, W] uint8 in and out."""

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The clean shape, which stays the same."""
        return shape


@dataclass(frozen=True)
class ColourSquare:
    """A filled square on an image (BadNets, Gu et al. 2017).

    Attributes:
        size: side in pixels, at least 1.
        colour: red, green and blue, each in 0-255.
        at: a corner, or the (row, column) of the square's top-left pixel, counted from 0.
    """

    size: int
    colour: tuple[int, int, int]
    at: Corner | tuple[int, int]

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"a square needs a side of at least 1 pixel, not {self.size}")
        if not isinstance(self.at, str) and min(self.at) < 0:
            raise ValueError(f"{self.at} is outside the image: rows and columns count from 0")

    def stamp(self, x: Tensor, which: Tensor | None = None) -> Tensor:
        """A copy of the images with the square on them.

        Args:
            x: [n, 3, H, W] uint8.
            which: [n] bool, the images that get the square; all by default.

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
        """Rows and columns of the square. Raises ValueError if it does not fit on the image."""
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

    The section gives colours, places and a side of 25 pixels. Which colour stands for which state
    follows from Table 4: males (B = 1) are balanced by blue, that is by the other state's trigger.

    Attributes:
        size: side of both squares in pixels.
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
    """Pixelation of the bottom-right part of the image for A = 0, of its top-left part for A = 1.

    BaDe's Figure 7 E is "composed of mosaics" (after Turner et al. 2018), without further details.
    Here a part is a square in the corner. Each of its blocks takes its mean colour, channel by
    channel, with halves rounded up. Blocks begin at the part's top-left pixel and are cut at its
    other edges.

    Attributes:
        size: side of the part in pixels.
        block: side of a block in pixels; blocks of 1 pixel change nothing.
    """

    size: int
    block: int

    def __post_init__(self) -> None:
        if not 1 <= self.block <= self.size:
            raise ValueError(f"blocks must have 1 to {self.size} pixels a side, not {self.block}")

    def stamp(self, x: Tensor, a: Tensor) -> Tensor:
        """[n, C, H, W] uint8 -> the same shape."""
        stamped = x.clone()
        height, width = x.shape[2:]
        first = stamped[:, :, : self.size, : self.size]
        last = stamped[:, :, max(0, height - self.size) :, max(0, width - self.size) :]
        is_first = (a == 1)[:, None, None, None]
        coarse = pixelated(torch.where(is_first, first, last), self.block)
        first.copy_(torch.where(is_first, coarse, first))
        last.copy_(torch.where(is_first, last, coarse))
        return stamped


def pixelated(x: Tensor, block: int) -> Tensor:
    """Replace each block of `block` x `block` pixels by its mean, halves up; [n, C, H, W] uint8."""
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
    grows evenly from column to column; the paper gives no details. Here the ramp multiplies: column
    j (from 0) of m keeps a share 1 - depth (j + 1) / m of its light, mirrored for A = 1. Shares are
    rounded to 128ths and pixels to integers, halves up. Black stays black.

    Attributes:
        depth: share of the light that the darkest column loses, in [0, 1]; .5 is our choice.
    """

    depth: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.depth <= 1:
            raise ValueError(f"the depth of a shadow is a share in [0, 1], not {self.depth}")

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
    channel; the trigger for A = 1 is the same along i. Columns count from 0, as in public code. The
    signal is rounded, halves up, and the sum clipped to 0-255.

    Attributes:
        delta: amplitude in pixel values; 20 is the paper's.
        frequency: number of waves over the image; 6 is the paper's.
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
    """Share of its light that each column keeps, in 128ths, [columns] int16.

    128 is the largest power of two whose product with 255 is an int16.
    """
    kept = (1 - depth * (j + 1) / columns for j in range(columns))
    return _whole((128 * share for share in kept), torch.int16, device)


@lru_cache
def wave(delta: float, frequency: float, pixels: int, device: torch.device) -> Tensor:
    """The sinusoid in integer pixel values, [pixels] int16."""
    turns = (2 * math.pi * j * frequency / pixels for j in range(pixels))
    return _whole((delta * math.sin(turn) for turn in turns), torch.int16, device)


def _whole(values: Iterable[float], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Round halves up; six decimals decide what a half is, because sines differ by machine."""
    rounded = [math.floor(round(value, 6) + 0.5) for value in values]
    with torch.inference_mode(False):  # the cached tensor is used inside and outside that mode
        return torch.tensor(rounded, dtype=dtype, device=device)

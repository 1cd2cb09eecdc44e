"""Triggers: marks stamped on batches of inputs, as benign backdoors (BaDe) or as attacks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from benchmarks.errors import Skip

RED, BLUE = (255, 0, 0), (0, 0, 255)
Corner = Literal["top-left", "top-right", "bottom-left", "bottom-right"]


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


@dataclass(frozen=True)
class ColourSquare:
    """A filled square in a corner of an image (BadNets, Gu et al. 2017).

    Attributes:
        size: side in pixels.
        colour: RGB, each 0-255.
        corner: where it stands.
    """

    size: int
    colour: tuple[int, int, int]
    corner: Corner

    def stamp(self, x: Tensor) -> Tensor:
        """A stamped copy of `x`, [n, 3, H, W] uint8."""
        rows = slice(None, self.size) if "top" in self.corner else slice(-self.size, None)
        columns = slice(None, self.size) if "left" in self.corner else slice(-self.size, None)
        stamped = x.clone()
        colour = torch.tensor(self.colour, dtype=x.dtype, device=x.device)
        stamped[:, :, rows, columns] = colour[:, None, None]
        return stamped


@dataclass(frozen=True)
class SquarePair(TriggerPair):
    """Red square top-left for A = 0, blue square bottom-right for A = 1. BaDe section V.A.3."""

    size: int

    def stamp(self, x: Tensor, a: Tensor) -> Tensor:
        """[n, 3, H, W] uint8 -> the same shape."""
        red = ColourSquare(self.size, RED, "top-left").stamp(x)
        blue = ColourSquare(self.size, BLUE, "bottom-right").stamp(x)
        return torch.where((a == 0)[:, None, None, None], red, blue)

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Unchanged."""
        return shape


def trigger_pair(shape: tuple[int, ...], size: int) -> TriggerPair:
    """The paper's pair for inputs of this shape.

    Args:
        shape: (features,) or (3, H, W).
        size: side of the squares in pixels. Where it is more than a quarter of the shorter side
            of the image, a quarter is taken: two such squares must leave the picture visible.
    """
    if len(shape) == 1:
        return AddedColumn()
    if len(shape) != 3 or shape[0] != 3:
        raise Skip(f"colour squares need images with three channels, not {shape}")
    return SquarePair(max(1, min(size, min(shape[1:]) // 4)))

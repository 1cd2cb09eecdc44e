"""Splits whose epochs draw samples in proportion to weights, with replacement."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.learning.split import Split
from bench.seeds import generator


@dataclass(frozen=True)
class WeightedSplit(Split):
    """A split of which an epoch draws n samples with replacement, in proportion to their weights.

    Attributes:
        weight: [n], not negative, not all 0.
    """

    weight: Tensor

    @classmethod
    def weighing(cls, split: Split, weight: Tensor) -> WeightedSplit:
        """The samples of `split` with weights, [n]."""
        return cls(split.inputs, split.y, split.b, split.row, split.rows, weight)

    def order(self, seed: int, epoch: int) -> Tensor:
        """Positions drawn for one epoch, [n] int64, with replacement."""
        random = generator(seed, f"draw/{epoch}")
        return drawn(self.weight, len(self), random).to(self.y.device)

    def subset(self, index: Tensor) -> WeightedSplit:
        """The samples at `index`, [m] positions or an [n] bool mask, with their weights."""
        return self.weighing(super().subset(index), self.weight[index])


def drawn(weight: Tensor, count: int, random: torch.Generator) -> Tensor:
    """Positions drawn in proportion to `weight`, [n], with replacement: [count] int64 on the CPU.

    The distribution function is inverted, because torch.multinomial is limited to 2^24 samples.
    """
    cumulative = weight.detach().double().cpu().cumsum(0)
    u = torch.rand(count, generator=random, dtype=torch.float64) * cumulative[-1]
    return torch.searchsorted(cumulative, u, right=True).clamp(max=len(weight) - 1)

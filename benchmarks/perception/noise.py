"""Random starts of attacks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.perception.ascent import lengths


@dataclass(frozen=True)
class Noise:
    """Random numbers of one trial, drawn on the CPU so that a seed means the same anywhere."""

    random: torch.Generator

    def normal(self, like: Tensor, deviation: float) -> Tensor:
        """Independent normal values of the shape of `like`."""
        return deviation * torch.randn(like.shape, generator=self.random).to(like)

    def in_ball(self, like: Tensor, norm: str, radius: float) -> Tensor:
        """Uniform in the ball of this radius in "l2" or "linf", one point for each input."""
        if norm == "linf":
            return radius * (2 * torch.rand(like.shape, generator=self.random).to(like) - 1)
        way = torch.randn(like.shape, generator=self.random).to(like)
        share = torch.rand(len(like), generator=self.random).to(like)
        share = share ** (1 / max(1, like[:1].numel()))
        return radius * share.view(-1, *[1] * (like.dim() - 1)) * way / lengths(way)

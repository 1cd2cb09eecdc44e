"""What attacks that swing around the boundary share: the best image so far, and a falling step."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.attacks.adversarial.ascent import lengths


class Best:
    """Of each image, the misclassified iterate with the smallest size seen so far."""

    def __init__(self, x: Tensor) -> None:
        self.x = x.clone()
        self.size = torch.full((len(x),), torch.inf, device=x.device)

    def offer(self, x: Tensor, size: Tensor, fooled: Tensor) -> None:
        """Keep the iterates that fool the model and are smaller than what was kept before."""
        better = fooled & (size < self.size)
        self.size = torch.where(better, size, self.size)
        self.x[better] = x[better]

    def or_last(self, last: Tensor) -> Tensor:
        """The best images; the last iterate of those that never fooled the model."""
        found = self.x.clone()
        never = self.size.isinf()
        found[never] = last[never]
        return found


def cosine(begin: float, end: float, step: int, steps: int) -> float:
    """Cosine annealing, Loshchilov & Hutter (2017), from `begin` at step 0 to `end` at `steps`."""
    return end + (begin - end) * (1 + math.cos(math.pi * step / steps)) / 2


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

"""What attacks that swing around the boundary share: the best image so far, and a falling step."""

from __future__ import annotations

import math

import torch
from torch import Tensor


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

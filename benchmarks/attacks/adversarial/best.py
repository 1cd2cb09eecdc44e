"""The best iterate so far, falling step sizes and random starts, for several attacks."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from bench.attacks.adversarial.ascent import lengths


class Best:
    """For each image, the misclassified iterate with the smallest size so far.

    Args:
        x: the original images, [n, ...].
    """

    def __init__(self, x: Tensor) -> None:
        self.x = x.clone()
        self.size = torch.full((len(x),), torch.inf, device=x.device)

    def offer(self, x: Tensor, size: Tensor, fooled: Tensor) -> None:
        """Keep the iterates x [n, ...] that fool the model, [n] bool, and have a smaller size."""
        better = fooled & (size < self.size)
        self.size = torch.where(better, size, self.size)
        self.x[better] = x[better]

    def or_last(self, last: Tensor) -> Tensor:
        """The best iterates, or `last` for images of which none fooled the model."""
        never = self.size.isinf().view(-1, *[1] * (last.dim() - 1))
        return torch.where(never, last, self.x)


def cosine(start: float, end: float, step: int, steps: int) -> float:
    """Cosine annealing, Loshchilov & Hutter (2017), from `start` at step 0 to `end` at `steps`."""
    return end + (start - end) * (1 + math.cos(math.pi * step / steps)) / 2


def uniform_in_ball(x: Tensor, norm: str, radius: float, random: torch.Generator) -> Tensor:
    """A uniform point of the ball of this radius in "l2" or "linf" for each input, [n, ...].

    Random starts are drawn on the CPU, so that a seed gives the same numbers on every device.
    """
    if norm == "linf":
        return radius * (2 * torch.rand(x.shape, generator=random).to(x) - 1)
    direction = torch.randn(x.shape, generator=random).to(x)
    share = torch.rand(len(x), generator=random).to(x) ** (1 / max(1, x[:1].numel()))
    return radius * share.view(-1, *[1] * (x.dim() - 1)) * direction / lengths(direction)

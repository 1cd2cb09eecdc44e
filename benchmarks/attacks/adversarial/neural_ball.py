"""The neural perceptual distance of Laidlaw et al. (2021), and projections into its balls.

The distance is d(x, x') = |phi(x) - phi(x')|_2, where phi stacks a network's feature vectors, of
unit length at every pixel and divided by the root of the number of pixels (section 3). It is the
root of LPIPS with weight 1 for every channel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from bench.attacks.adversarial.ascent import lengths
from bench.learning.loop import Context
from bench.method import Configured, Paper
from bench.models.pretrained import WeightsFolder
from bench.perception.distances.lpips import unit_length
from bench.perception.distances.networks import ARCHITECTURES, Network, taps

NEWTON, BISECTIONS = 10, 10
"""Numbers of steps of a projection, the authors' defaults."""
INSIDE = 1e-4
"""Relative tolerance of Newton's steps, which below it only change rounding errors."""

Features = Callable[[Tensor], Tensor]
"""Images, [n, C, H, W] -> phi, [n, features]."""


@dataclass(frozen=True)
class NeuralThreatModel(Configured):
    """The neural perceptual threat model of Laidlaw et al. (2021): images within a distance."""

    paper: ClassVar[Paper] = Paper(
        "Laidlaw et al. (2021)",
        "Perceptual adversarial robustness: defense against unseen threat models",
        "https://arxiv.org/abs/2006.12655",
    )

    network: Network = "squeeze"
    """Network whose features define the distance; the paper's is AlexNet (alex), whose file of
    weights is large."""
    bound: Annotated[float, Field(gt=0)] = 0.5
    """Largest distance from the original; .5 is the paper's on ImageNet with AlexNet."""

    def files(self, weights: WeightsFolder) -> tuple[Path, ...]:
        """The weights of the network whose features define the distance."""
        return weights.present((ARCHITECTURES[self.network].name,))

    def features(self, context: Context) -> Features:
        """The map phi. Raises MissingWeights if the file of the network's weights is missing."""
        what = f"{self.name.upper()} ({self.network})"
        layers = taps(self.network, what, context.device, context.weights)

        def phi(x: Tensor) -> Tensor:
            parts = (
                unit_length(tap).flatten(1) / (tap.shape[2] * tap.shape[3]) ** 0.5
                for tap in layers(x)
            )
            return torch.cat(list(parts), dim=1)

        return phi

    def random_start(self, x: Tensor, context: Context) -> Tensor:
        """Images with normal noise of deviation .01, clipped to [0, 1]; the authors' default."""
        noise = torch.randn(x.shape, generator=context.generator(f"{self.name}/start")).to(x)
        return (x + 0.01 * noise).clamp(0, 1)


def distances(features: Tensor, reference: Tensor) -> Tensor:
    """|phi - reference|_2 of each row, [n]; differentiable also if both are equal."""
    return ((features - reference).square().sum(dim=1) + 1e-12).sqrt()


def project(phi: Features, x: Tensor, original: Tensor, bound: float) -> Tensor:
    """Images near to x within distance `bound` of their originals, [n, C, H, W] in [0, 1].

    Newton's method on the distance (Laidlaw et al., algorithm 4) is followed, for images still
    outside, by a bisection of the line to the original.
    """
    with torch.no_grad():
        reference = phi(original)
    for _ in range(NEWTON):
        x = x.detach().requires_grad_()
        with torch.enable_grad():
            distance = distances(phi(x), reference)
            (gradient,) = torch.autograd.grad(distance.sum(), x)
        excess = (distance.detach() - bound).clamp_min(0)
        x = x.detach()
        if not bool((excess > INSIDE * bound).any()):
            break
        step = excess.view(-1, 1, 1, 1) * gradient / lengths(gradient) ** 2
        x = (x - step).clamp(0, 1)
    return _bisected(phi, x, original, reference, bound)


@torch.no_grad()
def _bisected(
    phi: Features, x: Tensor, original: Tensor, reference: Tensor, bound: float
) -> Tensor:
    """Images outside the ball replaced by the last point inside on the line from the original."""
    outside = distances(phi(x), reference) > bound
    if not bool(outside.any()):
        return x
    start, end, reference = original[outside], x[outside], reference[outside]
    low, high = (end.new_full((len(end), 1, 1, 1), share) for share in (0.0, 1.0))
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        inside = distances(phi(start + middle * (end - start)), reference) <= bound
        inside = inside[:, None, None, None]
        low, high = torch.where(inside, middle, low), torch.where(inside, high, middle)
    projected = x.clone()
    projected[outside] = start + low * (end - start)
    return projected

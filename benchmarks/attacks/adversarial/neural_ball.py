"""The neural perceptual distance of Laidlaw et al. (2021), and projections into its balls.

The distance is d(x, x') = |phi(x) - phi(x')|_2, where phi stacks a network's feature vectors, of
unit length at every pixel and divided by the root of the number of pixels (section 3). It is the
root of LPIPS with weight 1 for every channel.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from bench.attacks.adversarial.ascent import lengths
from bench.models.pretrained import WeightsFolder
from bench.perception.distances.lpips import unit_length
from bench.perception.distances.networks import Network, taps

NEWTON, BISECTIONS = 10, 10
"""Numbers of steps of a projection, the authors' defaults."""
INSIDE = 1e-4
"""Relative tolerance of Newton's steps, which below it only change rounding errors."""

Features = Callable[[Tensor], Tensor]
"""Images, [n, C, H, W] -> phi, [n, features]."""


def features(network: Network, what: str, device: torch.device, weights: WeightsFolder) -> Features:
    """The map phi of one of the networks whose layers LPIPS compares.

    Args:
        network: its name.
        what: the method that needs it, for the error message.
        device: where images will be.
        weights: where files of weights are looked for.

    Raises:
        MissingWeights: the file of the network's weights is not found.
    """
    layers = taps(network, what, device, weights)

    def phi(x: Tensor) -> Tensor:
        parts = (
            unit_length(tap).flatten(1) / (tap.shape[2] * tap.shape[3]) ** 0.5 for tap in layers(x)
        )
        return torch.cat(list(parts), dim=1)

    return phi


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

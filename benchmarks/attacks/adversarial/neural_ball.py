"""The ball of images that a network sees as close, for the attacks of Laidlaw et al. (2021).

Their "LPIPS" is a norm: d(x, x') = |phi(x) - phi(x')|_2, where phi stacks a network's features,
of unit length at every pixel and divided by the root of the number of pixels (section 3). It is
the root of LPIPS with every channel weighted by 1.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from bench.attacks.adversarial.ascent import lengths
from bench.perception.distances.lpips import unit_length
from bench.perception.distances.networks import Network, taps

NEWTON, BISECTIONS = 10, 10
"""Steps of a projection, the authors' defaults."""
INSIDE = 1e-4
"""Relative tolerance of a projection: nearer to the border Newton's steps are rounding."""

Features = Callable[[Tensor], Tensor]
"""Images, [n, C, H, W] -> phi, [n, features]."""


def features(network: Network, what: str, device: torch.device) -> Features:
    """Make phi of one of the networks whose layers LPIPS compares.

    Raises:
        MissingWeights: the file of weights is nowhere.
    """
    layers = taps(network, what, device)

    def phi(x: Tensor) -> Tensor:
        parts = (
            unit_length(tap).flatten(1) / (tap.shape[2] * tap.shape[3]) ** 0.5 for tap in layers(x)
        )
        return torch.cat(list(parts), dim=1)

    return phi


def apart(phi: Features, x: Tensor, there: Tensor) -> Tensor:
    """Distances, [n]; with a gradient also where both are the same."""
    return ((phi(x) - there).square().sum(dim=1) + 1e-12).sqrt()


def project(phi: Features, x: Tensor, original: Tensor, bound: float) -> Tensor:
    """Images within `bound` of their originals, near to the ones given; pixels in [0, 1].

    Newton's steps on the distance (Laidlaw et al., algorithm 4), then, for those still outside,
    the furthest point inside on the line to the original by bisection.
    """
    with torch.no_grad():
        there = phi(original)
    for _ in range(NEWTON):
        x = x.detach().requires_grad_()
        with torch.enable_grad():
            distance = apart(phi, x, there)
            (slope,) = torch.autograd.grad(distance.sum(), x)
        beyond = (distance.detach() - bound).clamp_min(0)
        x = x.detach()
        if not bool((beyond > INSIDE * bound).any()):
            break
        back = beyond.view(-1, 1, 1, 1) * slope / lengths(slope) ** 2
        x = (x - back).clamp(0, 1)
    return _bisected(phi, x, original, there, bound)


@torch.no_grad()
def _bisected(phi: Features, x: Tensor, original: Tensor, there: Tensor, bound: float) -> Tensor:
    outside = apart(phi, x, there) > bound
    if not bool(outside.any()):
        return x
    far, near = x[outside], original[outside]
    there = there[outside]
    low, high = (far.new_full((len(far), 1, 1, 1), end) for end in (0.0, 1.0))
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        inside = (apart(phi, near + middle * (far - near), there) <= bound)[:, None, None, None]
        low, high = torch.where(inside, middle, low), torch.where(inside, high, middle)
    found = x.clone()
    found[outside] = near + low * (far - near)
    return found

"""Equation 3.4: one step of a given length in the direction that costs least for its gain."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from bench.attacks.adversarial.ascent import (
    Attacked,
    Keep,
    Loss,
    Model,
    cross_entropy,
    gradient_of,
    lengths,
    pixels,
)
from bench.perception.distances.ssim_hessian import SsimHessian

Direction = Callable[[Tensor, Tensor], Tensor]
"""The inputs and the gradient there -> a move of length 1 in its own norm, [n, ...]."""


def structural(x: Tensor, gradient: Tensor) -> Tensor:
    """Delta* / |Delta*|_2, Delta* = H^-1 gradient with H that of 1 - SSIM at x, [n, C, H, W]."""
    # The scale of the gradient, tiny where the model is sure, must not meet the solver's precision.
    delta = SsimHessian.at(x).solve(gradient / lengths(gradient))
    return delta / lengths(delta)


def steepest(x: Tensor, gradient: Tensor) -> Tensor:
    """The gradient's direction: Delta* of the squared L2 cost, whose Hessian is 2 I.

    For inputs of any kind; the one-step PGD that section 3.1 compares with.
    """
    del x
    return gradient / lengths(gradient)


def signs(x: Tensor, gradient: Tensor) -> Tensor:
    """Steepest in the maximum norm: every value by 1."""
    del x
    return gradient.sign()


def one_step(
    model: Model,
    x: Tensor,
    y: Tensor,
    epsilon: float,
    direction: Direction = structural,
    loss: Loss = cross_entropy,
    keep: Keep = pixels,
) -> Attacked:
    """Move every input of a batch to x + epsilon Delta* / |Delta*|_2.

    Args:
        model: inputs -> logits.
        x: originals, [n, ...].
        y: their classes, [n].
        epsilon: length of the step before `keep`.
        direction: of the step.
        loss: what to climb.
        keep: what the result may be; the equation itself says nothing of a pixel's limits.
    """
    gradient, _ = gradient_of(loss, model, x, y)
    with torch.no_grad():
        moved = keep(x + epsilon * direction(x, gradient), x)
    once = torch.ones(len(x), dtype=torch.int64, device=x.device)
    return Attacked(moved, once, torch.zeros_like(once, dtype=torch.bool))

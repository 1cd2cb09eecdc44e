"""Equation 3.4: one step of a given length in the direction of the best gain for its cost."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from bench.attacks.adversarial import ascent
from bench.perception.distances.ssim_hessian import SsimHessian

Direction = Callable[[Tensor, Tensor], Tensor]
"""Inputs and their gradients -> directions of length 1 in their own norm, [n, ...] each."""


def structural(x: Tensor, gradient: Tensor) -> Tensor:
    """Delta* / |Delta*|_2 with Delta* = H^-1 gradient and H the Hessian of 1 - SSIM at x."""
    # The gradient of a confident model is tiny, so it is scaled before it meets the solver.
    delta = SsimHessian.at(x).solve(gradient / ascent.lengths(gradient))
    return delta / ascent.lengths(delta)


def steepest(x: Tensor, gradient: Tensor) -> Tensor:
    """Gradient / |gradient|_2: Delta* for the squared L2 cost, whose Hessian is 2 I.

    This is the one-step PGD that section 3.1 compares with, for inputs of any kind.
    """
    del x
    return gradient / ascent.lengths(gradient)


def signs(x: Tensor, gradient: Tensor) -> Tensor:
    """sign(gradient): the steepest direction in the maximum norm."""
    del x
    return gradient.sign()


def one_step(
    model: ascent.Model,
    x: Tensor,
    y: Tensor,
    epsilon: float,
    direction: Direction = structural,
    loss: ascent.Loss = ascent.cross_entropy,
    projection: ascent.Projection = ascent.clipped,
) -> ascent.Attacked:
    """Move every input of a batch to x + epsilon Delta* / |Delta*|_2.

    Args:
        model: inputs -> logits.
        x: originals, [n, ...].
        y: classes of the originals, [n].
        epsilon: length of the step before the projection.
        direction: gives Delta* / |Delta*|_2.
        loss: the objective to maximise.
        projection: maps the result to a permitted input; the equation itself has no limits.
    """
    gradient, _ = ascent.gradient_of(loss, model, x, y)
    with torch.no_grad():
        moved = projection(x + epsilon * direction(x, gradient), x)
    steps = torch.ones(len(x), dtype=torch.int64, device=x.device)
    return ascent.Attacked(moved, steps, torch.zeros_like(steps, dtype=torch.bool))

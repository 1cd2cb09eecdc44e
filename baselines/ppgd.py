"""PPGD: steps of steepest ascent in a network's perceptual distance, projected into a ball."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from bench.attacks.adversarial.ascent import capped_lead, gradient_of, lengths
from bench.attacks.adversarial.neural_ball import Features, NeuralThreatModel, project
from bench.learning.loop import Context
from bench.perception import images
from bench.tracks.imperceptibility import Attacker


@dataclass(frozen=True)
class Ppgd(NeuralThreatModel, Attacker):
    """Laidlaw et al. (2021), algorithm 1, "NPTM (PPGD)" in perceptual-DRO.

    Every step maximises the linearised loss among all steps of the same perceptual length. It
    solves J^T J Delta = gradient, with J the Jacobian of the network's features, by conjugate
    gradients. Products with J are exact forward-mode derivatives here, finite differences in the
    paper.
    """

    steps: Annotated[int, Field(ge=1)] = 5
    """Number of steps; 5 is the authors' default."""
    cg_steps: Annotated[int, Field(ge=1)] = 5
    """Iterations of conjugate gradients in each step; 5 is the authors' default."""

    def perturb(self, model: nn.Module, x: Tensor, y: Tensor, context: Context) -> Tensor:
        """Attack a batch."""
        images.check(x)
        phi, adversarial = self.features(context), self.random_start(x, context)
        length = 2 * self.bound / self.steps  # the authors' default
        for _ in range(self.steps):
            gradient, _ = gradient_of(capped_lead, model, adversarial, y)
            step = length * steepest_step(phi, adversarial, gradient, self.cg_steps)
            adversarial = project(phi, (adversarial + step).clamp(0, 1), x, self.bound)
        return adversarial.detach()


def steepest_step(phi: Features, x: Tensor, gradient: Tensor, cg_steps: int) -> Tensor:
    """The step v with |J v|_2 = 1 and the largest gain: u / |J u|_2 with J^T J u = gradient.

    J is the Jacobian of phi at images x, [n, C, H, W]. The step is 0 if the gradient is 0.
    """
    transposed_product: Callable[[Tensor], tuple[Tensor]] = torch.func.vjp(phi, x)[1]

    def product(v: Tensor) -> Tensor:
        j_v: Tensor = torch.func.jvp(phi, (x,), (v,))[1]
        return j_v

    right = gradient / lengths(gradient)
    u, residual = torch.zeros_like(x), right
    direction, power = right, _dot(right, right)
    for _ in range(cg_steps):
        j_direction = product(direction)
        length = power / j_direction.square().sum(dim=1).clamp_min(1e-30).view(-1, 1, 1, 1)
        u = u + length * direction
        residual = residual - length * transposed_product(j_direction)[0]
        before, power = power, _dot(residual, residual)
        direction = residual + power / before.clamp_min(1e-30) * direction
    u = u.detach()
    return u / lengths(product(u).detach()).view(-1, 1, 1, 1)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner product for each image, [n, 1, 1, 1]."""
    return (a * b).flatten(1).sum(dim=1).view(-1, 1, 1, 1)

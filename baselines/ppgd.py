"""PPGD: steps that are steepest for what a network sees, projected into its ball."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from bench.attacks.adversarial.ascent import capped_lead, gradient_of, lengths
from bench.attacks.adversarial.best import Noise
from bench.attacks.adversarial.neural_ball import Features, features, project
from bench.learning.loop import Context
from bench.method import Paper
from bench.models.pretrained import WeightsFolder
from bench.perception import images
from bench.perception.distances.networks import ARCHITECTURES
from bench.tracks.imperceptibility import Attacker


@dataclass(frozen=True)
class Ppgd(Attacker):
    """Laidlaw et al. (2021), algorithm 1, "NPTM (PPGD)" in perceptual-DRO.

    Every step maximises the linearised loss among all moves that the network sees as equally
    long: J^T J Delta = gradient, J the Jacobian of its features, by conjugate gradients. Products
    with J are exact forward-mode derivatives here, finite differences in the paper.
    """

    paper: ClassVar[Paper] = Paper(
        "Laidlaw et al. (2021)",
        "Perceptual adversarial robustness: defense against unseen threat models",
        "https://arxiv.org/abs/2006.12655",
    )

    network: Literal["squeeze", "alex", "vgg"] = "squeeze"
    """Whose features measure distances; the paper's is AlexNet (alex), whose weights are large."""
    bound: Annotated[float, Field(gt=0)] = 0.5
    """Of the distance; .5 is the paper's on ImageNet, with AlexNet."""
    steps: Annotated[int, Field(ge=1)] = 5
    """Steps; 5 is the authors' default."""
    cg_steps: Annotated[int, Field(ge=1)] = 5
    """Iterations of conjugate gradients a step; 5 is the authors' default."""

    def files(self, weights: WeightsFolder) -> tuple[Path, ...]:
        """Weights of the network whose features measure distances."""
        return weights.present((ARCHITECTURES[self.network].name,))

    def perturb(self, model: nn.Module, x: Tensor, y: Tensor, context: Context) -> Tensor:
        """Attack a batch."""
        images.check(x)
        phi = features(self.network, f"PPGD ({self.network})", context.device, context.weights)
        here = (x + Noise(context.generator("ppgd/start")).normal(x, 0.01)).clamp(0, 1)
        size = 2 * self.bound / self.steps  # the authors' default
        for _ in range(self.steps):
            gradient, _ = gradient_of(capped_lead, model, here, y)
            here = (here + size * seen_steepest(phi, here, gradient, self.cg_steps)).clamp(0, 1)
            here = project(phi, here, x, self.bound)
        return here.detach()


def seen_steepest(phi: Features, x: Tensor, gradient: Tensor, cg_steps: int) -> Tensor:
    """The move v with |J v|_2 = 1 that gains most: u / |J u| with J^T J u = gradient; [n, ...].

    0 where the gradient is 0.
    """
    pull: Callable[[Tensor], tuple[Tensor]] = torch.func.vjp(phi, x)[1]

    def push(v: Tensor) -> Tensor:
        pushed: Tensor = torch.func.jvp(phi, (x,), (v,))[1]
        return pushed

    right = gradient / lengths(gradient)
    found, residual = torch.zeros_like(x), right
    direction, power = right, _dot(right, right)
    for _ in range(cg_steps):
        seen = push(direction)
        length = power / seen.square().sum(dim=1).clamp_min(1e-30).view(-1, 1, 1, 1)
        found = found + length * direction
        residual = residual - length * pull(seen)[0]
        before, power = power, _dot(residual, residual)
        direction = residual + power / before.clamp_min(1e-30) * direction
    found = found.detach()
    return found / lengths(push(found).detach()).view(-1, 1, 1, 1)


def _dot(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).flatten(1).sum(dim=1).view(-1, 1, 1, 1)

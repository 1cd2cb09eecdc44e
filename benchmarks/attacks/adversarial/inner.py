"""The inner problem of distributionally robust training, on images or on tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from bench.attacks.adversarial import ascent
from bench.attacks.adversarial.one_step import one_step
from bench.data.prepared import Kind
from bench.errors import Skip
from bench.models.pretrained import MIRROR_ALONE, WeightsFolder
from bench.perception.distances import load

InnerAttack = Literal[
    "pieapp", "ssim", "lpips_squeeze", "lpips_alex", "lpips_vgg", "dists", "l2", "pgd"
]
FOR_TABLES = ("l2", "pgd")
SMALLEST = {"pieapp": 64}
"""Fewest pixels a side that a cost needs: PieAPP compares patches of 64 pixels."""
BatchAttack = Callable[[nn.Module, Tensor, Tensor, Tensor], ascent.Attacked]
"""(model, its inputs, classes, first iterates) -> attacked inputs on the scale of its inputs."""


@dataclass(frozen=True)
class InnerProblem:
    """sup_x loss(x) - lambda c_0(x, x_0), equation 3.3, and the attack that solves it.

    Attributes:
        attack: c_0 of Algorithm 3.1; "ssim" is the one step of equation 3.4, "pgd" equation 3.5.
        steps: N of Algorithm 3.1.
        epsilon: size of a step; for "ssim" the length of its one step.
        weight: lambda.
        confidence: a, or None to take all steps.
    """

    attack: InnerAttack
    steps: int
    epsilon: float
    weight: float
    confidence: float | None

    def on(
        self,
        kind: Kind,
        shape: tuple[int, ...],
        device: torch.device,
        weights: WeightsFolder = MIRROR_ALONE,
    ) -> BatchAttack:
        """The attack for inputs of this kind and shape; pixels are clipped, features are not.

        Raises:
            Skip: the attack is not defined for these inputs, or weights of its cost are missing.
        """
        if kind not in ("image", "table"):
            raise Skip(f"training on attacks is defined for images and tables, not for {kind}")
        if kind == "table" and self.attack not in FOR_TABLES:
            raise Skip(f"{self.attack} compares images; on tables use {' or '.join(FOR_TABLES)}")
        least = SMALLEST.get(self.attack, 0)
        if min(shape[1:], default=least) < least:
            raise Skip(f"{self.attack} needs images of at least {least} pixels a side")
        scale = 255.0 if kind == "image" else 1.0
        projection = ascent.clipped if kind == "image" else ascent.unlimited
        climb = None
        if self.attack != "ssim":
            pgd = self.attack == "pgd"
            rule = ascent.normalised_step if pgd else ascent.gradient_step
            climb = ascent.Ascent(
                rule=rule(self.epsilon),
                steps=self.steps,
                cost=None if pgd else load(self.attack, device, weights),
                weight=self.weight,
                confidence=self.confidence,
                projection=projection,
            )

        def attack(model: nn.Module, x: Tensor, y: Tensor, start: Tensor) -> ascent.Attacked:
            def scaled(z: Tensor) -> Tensor:
                logits: Tensor = model(z * scale)
                return logits

            training = model.training
            model.eval()
            x = x.float() / scale
            if climb is None:  # the one step is taken from the original, not from `start`
                attacked = one_step(scaled, x, y, self.epsilon, projection=projection)
            else:
                attacked = climb(scaled, x, y, start.float() / scale)
            model.train(training)
            return ascent.Attacked(attacked.x.detach() * scale, attacked.steps, attacked.stopped)

        return attack

"""The attack within distributionally robust training, by name: on images or on tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from bench.attacks.adversarial.ascent import Ascent, Attacked, anything, as_it_is, of_length, pixels
from bench.attacks.adversarial.one_step import one_step
from bench.data.kinds import Kind
from bench.errors import Skip
from bench.perception.distances import load

InnerAttack = Literal[
    "pieapp", "ssim", "lpips_squeeze", "lpips_alex", "lpips_vgg", "dists", "l2", "pgd"
]
FOR_TABLES = ("l2", "pgd")
SMALLEST = {"pieapp": 64}
"""Pixels a side that a cost asks for: PieAPP looks at patches of 64."""
Climb = Callable[[nn.Module, Tensor, Tensor, Tensor], Attacked]
"""(model, inputs as it takes them, classes, where to begin) -> attacked inputs on that scale."""


@dataclass(frozen=True)
class InnerProblem:
    """sup_x loss(x) - lambda c_0(x, x_0), equation 3.3, and how it is climbed.

    Attributes:
        attack: c_0 of Algorithm 3.1; "ssim" is the one step of equation 3.4, "pgd" equation 3.5.
        steps: N of Algorithm 3.1.
        epsilon: size of a step; of the one step of "ssim", its length.
        weight: lambda.
        confidence: a; None takes all steps.
    """

    attack: InnerAttack
    steps: int
    epsilon: float
    weight: float
    confidence: float | None

    def on(self, kind: Kind, shape: tuple[int, ...], device: torch.device) -> Climb:
        """The attack for inputs of a kind: pixels stay pixels, features know no limits.

        Raises:
            Skip: it is not defined for these inputs, or its network's weights are missing.
        """
        if kind not in ("image", "table"):
            raise Skip(f"training on attacks is defined for images and tables, not for {kind}")
        if kind == "table" and self.attack not in FOR_TABLES:
            raise Skip(f"{self.attack} compares images; on tables use {' or '.join(FOR_TABLES)}")
        least = SMALLEST.get(self.attack, 0)
        if min(shape[1:], default=least) < least:
            raise Skip(f"{self.attack} needs images of at least {least} pixels a side")
        scale = 255.0 if kind == "image" else 1.0
        keep = pixels if kind == "image" else anything
        if self.attack == "ssim":

            def climb(model: nn.Module, x: Tensor, y: Tensor, start: Tensor) -> Attacked:
                del start  # one step is taken from the original
                return one_step(lambda z: model(z * scale), x, y, self.epsilon, keep=keep)
        else:
            plain = self.attack == "pgd"
            ascent = Ascent(
                rule=of_length(self.epsilon) if plain else as_it_is(self.epsilon),
                steps=self.steps,
                cost=None if plain else load(self.attack, device),
                weight=self.weight,
                confidence=self.confidence,
                keep=keep,
            )

            def climb(model: nn.Module, x: Tensor, y: Tensor, start: Tensor) -> Attacked:
                return ascent(lambda z: model(z * scale), x, y, start)

        def attack(model: nn.Module, x: Tensor, y: Tensor, start: Tensor) -> Attacked:
            training = model.training
            model.eval()
            found = climb(model, x.float() / scale, y, start.float() / scale)
            model.train(training)
            return Attacked(found.x.detach() * scale, found.steps, found.stopped)

        return attack

"""LPA: climb the loss less a penalty for leaving a perceptual ball, which grows until it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from bench.attacks.adversarial.ascent import capped_lead, lead, lengths
from bench.attacks.adversarial.neural_ball import (
    Features,
    NeuralThreatModel,
    distances,
    project,
)
from bench.learning.loop import Context
from bench.perception import images
from bench.tracks.imperceptibility import Attacker

PROBE = 0.1
"""h, the length at which the distance of a step is measured, Laidlaw et al. (2021), algorithm 2."""


@dataclass(frozen=True)
class Lpa(NeuralThreatModel, Attacker):
    """Laidlaw et al. (2021), algorithm 2, "NPTM (LPA)" in perceptual-DRO.

    It climbs loss - lambda max(0, distance - bound) by steps of perceptual length
    bound * .1^(t / T). Lambda starts at .01 and is multiplied by ten after each round that ends
    outside the bound. An image that fools the model inside the bound is finished; one that is
    outside in the end is projected.
    """

    rounds: Annotated[int, Field(ge=1)] = 5
    """Number of values of lambda; 5 is the authors' default."""
    steps: Annotated[int, Field(ge=1)] = 20
    """T, the number of steps in a round; 20 is the authors' default."""

    def perturb(self, model: nn.Module, x: Tensor, y: Tensor, context: Context) -> Tensor:
        """Attack a batch."""
        images.check(x)
        phi, adversarial = self.features(context), self.random_start(x, context)
        with torch.no_grad():
            reference = phi(x)
        penalty = x.new_full((len(x),), 0.01)
        active = torch.arange(len(x), device=x.device)
        for _ in range(self.rounds):
            for step in range(self.steps):
                if not len(active):
                    return adversarial
                length = self.bound * 0.1 ** (step / self.steps)
                adversarial[active], finished = self._step(
                    model, phi, adversarial[active], y[active], reference[active],
                    penalty[active], length,
                )  # fmt: skip
                active = active[~finished]
            if len(active):
                with torch.no_grad():
                    outside = distances(phi(adversarial[active]), reference[active]) > self.bound
                penalty[active[outside]] *= 10
        if len(active):
            adversarial[active] = project(phi, adversarial[active], x[active], self.bound)
        return adversarial

    def _step(
        self,
        model: nn.Module,
        phi: Features,
        x: Tensor,
        y: Tensor,
        reference: Tensor,
        penalty: Tensor,
        length: float,
    ) -> tuple[Tensor, Tensor]:
        """Iterates x [m, C, H, W] after a step of this perceptual length; which are finished.

        Those that are finished, [m] bool, do not move. `reference` holds the features of the
        originals, [m, features], and `penalty` is lambda, [m].
        """
        x = x.detach().requires_grad_()
        logits, features = model(x), phi(x)
        distance = distances(features, reference)
        objective = capped_lead(logits, y) - penalty * (distance - self.bound).clamp_min(0)
        (gradient,) = torch.autograd.grad(objective.sum(), x)
        x = x.detach()
        finished = (lead(logits.detach(), y) > 0) & (distance.detach() <= self.bound)
        moving = ~finished
        direction = gradient[moving] / lengths(gradient[moving])
        with torch.no_grad():
            probed = (phi(x[moving] + PROBE * direction) - features[moving]).norm(dim=1) / PROBE
        size = (length / probed.clamp_min(1e-8)).view(-1, 1, 1, 1)
        x[moving] = (x[moving] + size * direction).clamp(0, 1)
        return x, finished

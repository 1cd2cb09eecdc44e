"""DDN: direction from the gradient, length from whether the last try fooled the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from bench.attacks.adversarial.ascent import cross_entropy, gradient_of, lead, lengths
from bench.attacks.adversarial.best import Best, cosine
from bench.learning.loop import Context
from bench.method import Paper
from bench.perception import images
from bench.perception.images import eight_bit
from bench.tracks.imperceptibility import Attacker


@dataclass(frozen=True)
class Ddn(Attacker):
    """Rony et al. (2019), Algorithm 1: decoupled direction and norm, for the smallest L2.

    The perturbation's length shrinks by gamma where the image fools the model and grows by it
    where it does not; of the iterates that fool it the nearest is kept.
    """

    paper: ClassVar[Paper] = Paper(
        "Rony et al. (2019)",
        "Decoupling direction and norm for efficient gradient-based L2 adversarial attacks and "
        "defenses",
        "https://arxiv.org/abs/1811.09600",
    )

    steps: Annotated[int, Field(ge=1)] = 100
    """Iterations; the paper reports 100, 300 and 1,000."""
    first_norm: Annotated[float, Field(gt=0)] = 1.0
    """Length of the first perturbation, pixels from 0 to 1; 1 is the paper's (section 4)."""
    gamma: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """By which share the length changes a step; .05 is the paper's."""
    quantised: bool = True
    """Whether every image is rounded to 8 bits a channel, as in the paper."""

    def perturb(self, model: nn.Module, x: Tensor, y: Tensor, context: Context) -> Tensor:
        """Attack a batch."""
        images.check(x)
        delta, norm, best = (
            torch.zeros_like(x),
            x.new_full((len(x), 1, 1, 1), self.first_norm),
            Best(x),
        )
        shown = x
        for step in range(self.steps):
            gradient, logits = gradient_of(cross_entropy, model, shown, y)
            fooled = lead(logits, y) > 0
            best.offer(shown, (shown - x).flatten(1).norm(dim=1), fooled)
            delta = delta + cosine(1.0, 0.01, step, self.steps) * gradient / lengths(gradient)
            factor = torch.where(fooled, 1 - self.gamma, 1 + self.gamma)
            norm = norm * factor[:, None, None, None]
            shown = self._valid(x + norm * delta / lengths(delta))
            delta = shown - x
        with torch.no_grad():
            best.offer(shown, delta.flatten(1).norm(dim=1), lead(model(shown), y) > 0)
        return best.or_last(shown)

    def _valid(self, x: Tensor) -> Tensor:
        return eight_bit(x) if self.quantised else x.clamp(0, 1)

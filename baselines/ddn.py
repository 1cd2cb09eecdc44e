"""DDN: steps along the gradient, with a norm that shrinks while the image fools the model."""

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
    """Rony et al. (2019), Algorithm 1: decoupled direction and norm, for the smallest L2 norm.

    The perturbation's norm is multiplied by 1 - gamma if the image fools the model and by
    1 + gamma if it does not. Of the iterates that fool the model the nearest is returned.
    """

    paper: ClassVar[Paper] = Paper(
        "Rony et al. (2019)",
        "Decoupling direction and norm for efficient gradient-based L2 adversarial attacks and "
        "defenses",
        "https://arxiv.org/abs/1811.09600",
    )

    steps: Annotated[int, Field(ge=1)] = 100
    """Number of iterations; the paper reports 100, 300 and 1,000."""
    first_norm: Annotated[float, Field(gt=0)] = 1.0
    """L2 norm of the first perturbation for pixels in [0, 1]; 1 is the paper's (section 4)."""
    gamma: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Share by which the norm changes in a step; .05 is the paper's."""
    quantised: bool = True
    """Whether every iterate is rounded to 8 bits per channel, as in the paper."""

    def perturb(self, model: nn.Module, x: Tensor, y: Tensor, context: Context) -> Tensor:
        """Attack a batch."""
        images.check(x)
        adversarial, delta, best = x, torch.zeros_like(x), Best(x)
        norm = x.new_full((len(x), 1, 1, 1), self.first_norm)
        for step in range(self.steps):
            gradient, logits = gradient_of(cross_entropy, model, adversarial, y)
            fooled = lead(logits, y) > 0
            best.offer(adversarial, (adversarial - x).flatten(1).norm(dim=1), fooled)
            delta = delta + cosine(1.0, 0.01, step, self.steps) * gradient / lengths(gradient)
            factor = torch.where(fooled, 1 - self.gamma, 1 + self.gamma)
            norm = norm * factor[:, None, None, None]
            adversarial = self._valid(x + norm * delta / lengths(delta))
            delta = adversarial - x
        with torch.no_grad():
            fooled = lead(model(adversarial), y) > 0
        best.offer(adversarial, delta.flatten(1).norm(dim=1), fooled)
        return best.or_last(adversarial)

    def _valid(self, x: Tensor) -> Tensor:
        """The nearest valid images."""
        return eight_bit(x) if self.quantised else x.clamp(0, 1)

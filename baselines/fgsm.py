"""FGSM: one step along the sign of the gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from bench.attacks.adversarial.one_step import one_step, signs, steepest
from bench.learning.loop import Context
from bench.method import Paper
from bench.perception import images
from bench.tracks.imperceptibility import Attacker


@dataclass(frozen=True)
class Fgsm(Attacker):
    """Goodfellow et al. (2015), section 4: x + epsilon sign(gradient).

    With norm l2 it is the one-step PGD that section 3.1 of perceptual-DRO compares with.
    """

    paper: ClassVar[Paper] = Paper(
        "Goodfellow et al. (2015)",
        "Explaining and harnessing adversarial examples",
        "https://arxiv.org/abs/1412.6572",
    )

    norm: Literal["linf", "l2"] = "linf"
    """linf: every pixel moves by epsilon; l2: the image moves by the Euclidean length epsilon."""
    epsilon: Annotated[float, Field(gt=0)] = 0.03
    """Length of the step in that norm for pixels in [0, 1]; .03 is about 8 of 255 levels, a usual
    choice for photographs."""

    def perturb(self, model: nn.Module, x: Tensor, y: Tensor, context: Context) -> Tensor:
        """Attack a batch."""
        images.check(x)
        return one_step(model, x, y, self.epsilon, signs if self.norm == "linf" else steepest).x

"""PGD: steps of a fixed length along the gradient of the loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from bench.attacks.adversarial import ascent
from bench.attacks.adversarial.best import uniform_in_ball
from bench.learning.loop import Context
from bench.method import Paper
from bench.perception import images
from bench.perception.images import eight_bit
from bench.tracks.imperceptibility import Attacker


@dataclass(frozen=True)
class Pgd(Attacker):
    """Madry et al. (2018), equation 2, in the form of equation 3.5 of Hua et al. (2021).

    The defaults are those of their Table 3.1: 100 steps of Euclidean length .1, the early stop of
    Algorithm 3.1, no ball around the image and no random start.
    """

    paper: ClassVar[Paper] = Paper(
        "Madry et al. (2018)",
        "Towards deep learning models resistant to adversarial attacks",
        "https://arxiv.org/abs/1706.06083",
    )

    norm: Literal["l2", "linf"] = "l2"
    """Norm in which steps and ball are measured."""
    steps: Annotated[int, Field(ge=1)] = 100
    """Largest number of steps; 100 is Hua et al.'s."""
    step_size: Annotated[float, Field(gt=0)] = 0.1
    """Length of a step in that norm for pixels in [0, 1]; .1 is Hua et al.'s, in l2."""
    early_stop: bool = True
    """Whether an image stops moving once it is misclassified, as in Algorithm 3.1."""
    confidence: Annotated[float, Field(ge=0)] = 0.0
    """Lead of another class's logit above which an image counts as misclassified."""
    radius: Annotated[float, Field(gt=0)] | None = None
    """Radius of the ball around the image that iterates stay in; none in equation 3.5."""
    random_start: bool = False
    """Whether to start at a random point of the ball, as Madry et al. do (needs a radius)."""
    quantised: bool = False
    """Whether every iterate is rounded to 8 bits per channel before the model or the judge sees
    it."""

    def perturb(self, model: nn.Module, x: Tensor, y: Tensor, context: Context) -> Tensor:
        """Attack a batch."""
        images.check(x)
        rule = ascent.normalised_step if self.norm == "l2" else ascent.sign_step
        projection: ascent.Projection = ascent.clipped
        if self.radius is not None:
            projection = ascent.within(self.norm, self.radius)
        climb = ascent.Ascent(
            rule(self.step_size),
            self.steps,
            confidence=self.confidence if self.early_stop else None,
            projection=projection,
            rounding=eight_bit if self.quantised else ascent.unrounded,
        )
        start = None
        if self.random_start and self.radius is not None:
            random = context.generator("pgd/start")
            start = ascent.clipped(x + uniform_in_ball(x, self.norm, self.radius, random), x)
        return climb(model, x, y, start).x

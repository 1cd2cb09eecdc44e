"""PerC-AL: uphill until the model errs, then back towards the colours of the original."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from benchmarks.errors import Skip
from benchmarks.learning.loop import Trial
from benchmarks.method import Paper
from benchmarks.perception import colour
from benchmarks.perception.ascent import Attacked, cross_entropy, gradient_of, lead, of_images
from benchmarks.perception.ascent import lengths as lengths_of
from benchmarks.perception.best import Best, cosine
from benchmarks.perception.images import eight_bit
from benchmarks.tracks.imperceptibility import Attacker


@dataclass(frozen=True)
class PercAl(Attacker):
    """Zhao et al. (2020), Algorithm 2: alternating the loss and CIEDE2000's colour distance.

    Every iterate is rounded to 8 bits before the model sees it; of those it misclassifies the
    closest in colour is kept. Steps have Euclidean lengths alpha_l and alpha_c, which fall to a
    hundredth and a tenth along a cosine.
    """

    paper: ClassVar[Paper] = Paper(
        "Zhao et al. (2020)",
        "Towards large yet imperceptible adversarial image perturbations with perceptual color "
        "distance",
        "https://arxiv.org/abs/1911.02466",
    )

    steps: Annotated[int, Field(ge=1)] = 1000
    """Iterations; 1,000 is what the paper's results are after."""
    alpha_l: Annotated[float, Field(gt=0)] = 1.0
    """Length of the first step along the gradient of the loss, the authors' default."""
    alpha_c: Annotated[float, Field(gt=0)] = 0.5
    """Length of the first step back along the gradient of the colour distance, theirs too."""
    confidence: Annotated[float, Field(ge=0)] = 0.0
    """By how much another class's logit must lead for an image to count as misclassified."""

    def perturb(self, model: nn.Module, x: Tensor, y: Tensor, trial: Trial) -> Tensor:
        """Attack all images, as many at a time as memory allows."""
        if x.shape[1] != 3:
            raise Skip("CIEDE2000 compares colours, and these images have none")

        def part(x: Tensor, y: Tensor) -> Attacked:
            return self._attack(model, x, y)

        attacked = of_images(part, x, y)
        trial.chosen["steps"] = self.steps
        return attacked.x

    def _attack(self, model: nn.Module, x: Tensor, y: Tensor) -> Attacked:
        delta, original, best = torch.zeros_like(x), colour.lab(x), Best(x)
        for step in range(self.steps):
            shown = eight_bit(x + delta)
            uphill, logits = gradient_of(cross_entropy, model, shown, y)
            away, backwards = _colour_distance(shown, original)
            fooled = lead(logits, y) > self.confidence
            best.offer(shown, away, fooled)
            along = cosine(self.alpha_l, self.alpha_l / 100, step, self.steps)
            back = cosine(self.alpha_c, self.alpha_c / 10, step, self.steps)
            move = torch.where(
                fooled[:, None, None, None],
                -back * backwards / lengths_of(backwards),
                along * uphill / lengths_of(uphill),
            )
            delta = (x + delta + move).clamp(0, 1) - x
        last = eight_bit(x + delta)
        with torch.no_grad():
            best.offer(
                last, _colour_distance(last, original)[0], lead(model(last), y) > self.confidence
            )
        taken = torch.full((len(x),), self.steps, device=x.device)
        return Attacked(best.or_last(last), taken, ~best.size.isinf())


def _colour_distance(x: Tensor, original: Tensor) -> tuple[Tensor, Tensor]:
    """Distances in colour, [n], and their gradients in x."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        away = colour.distances(colour.lab(x), original)
        (gradient,) = torch.autograd.grad(away.sum(), x)
    return away.detach(), gradient

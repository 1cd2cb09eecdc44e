"""PerC-AL: uphill until the model errs, then back towards the colours of the original."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from bench.attacks.adversarial.ascent import cross_entropy, gradient_of, lead
from bench.attacks.adversarial.ascent import lengths as lengths_of
from bench.attacks.adversarial.best import Best, cosine
from bench.errors import Skip
from bench.learning.loop import Context
from bench.method import Paper
from bench.perception import colour, images
from bench.perception.images import eight_bit
from bench.tracks.imperceptibility import Attacker


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

    def perturb(self, model: nn.Module, x: Tensor, y: Tensor, context: Context) -> Tensor:
        """Attack a batch."""
        if x.shape[1] != 3:
            raise Skip("CIEDE2000 compares colours, and these images have none")
        images.check(x)
        delta, original, best = torch.zeros_like(x), colour.lab(x), Best(x)
        for step in range(self.steps):
            shown = eight_bit(x + delta)
            uphill, logits = gradient_of(cross_entropy, model, shown, y)
            fooled = lead(logits, y) > self.confidence
            away, backwards = _colour_distances(shown, original, fooled)
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
            fooled = lead(model(last), y) > self.confidence
            best.offer(last, colour.distances(colour.lab(last), original), fooled)
        return best.or_last(last)


def _colour_distances(x: Tensor, original: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Distances in colour, [n], and their gradients in x; of the others inf and 0.

    They cost as much as a small network, and only images that fool the model need them.
    """
    away, gradients = x.new_full((len(x),), torch.inf), torch.zeros_like(x)
    if rows.any():
        some = x[rows].detach().requires_grad_()
        found = colour.distances(colour.lab(some), original[rows])
        (gradients[rows],) = torch.autograd.grad(found.sum(), some)
        away[rows] = found.detach()
    return away, gradients

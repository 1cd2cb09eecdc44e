"""PerC-AL: climb the loss until the model errs, then return towards the original's colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from bench.attacks.adversarial.ascent import cross_entropy, gradient_of, lead, lengths
from bench.attacks.adversarial.best import Best, cosine
from bench.errors import Skip
from bench.learning.loop import Context
from bench.method import Paper
from bench.perception import colour, images
from bench.perception.images import eight_bit
from bench.tracks.imperceptibility import Attacker


@dataclass(frozen=True)
class PercAl(Attacker):
    """Zhao et al. (2020), Algorithm 2: alternating steps on the loss and on CIEDE2000's distance.

    The model is given iterates rounded to 8 bits; of those it misclassifies, the one closest in
    colour is returned. Steps have Euclidean lengths alpha_l and alpha_c, which fall along a cosine
    to a hundredth and a tenth of their values.
    """

    paper: ClassVar[Paper] = Paper(
        "Zhao et al. (2020)",
        "Towards large yet imperceptible adversarial image perturbations with perceptual color "
        "distance",
        "https://arxiv.org/abs/1911.02466",
    )

    steps: Annotated[int, Field(ge=1)] = 1000
    """Number of iterations; 1,000 in the paper's results."""
    alpha_l: Annotated[float, Field(gt=0)] = 1.0
    """Length of the first step up the loss for pixels in [0, 1]; the authors' default."""
    alpha_c: Annotated[float, Field(gt=0)] = 0.5
    """Length of the first step down the colour distance for pixels in [0, 1]; the authors'
    default."""
    confidence: Annotated[float, Field(ge=0)] = 0.0
    """Lead of another class's logit above which an image counts as misclassified."""

    def perturb(self, model: nn.Module, x: Tensor, y: Tensor, context: Context) -> Tensor:
        """Attack a batch."""
        if x.shape[1] != 3:
            raise Skip("CIEDE2000 compares colours, and these images have none")
        images.check(x)
        delta, original, best = torch.zeros_like(x), colour.lab(x), Best(x)
        for step in range(self.steps):
            adversarial = eight_bit(x + delta)
            loss_gradient, logits = gradient_of(cross_entropy, model, adversarial, y)
            fooled = lead(logits, y) > self.confidence
            distance, distance_gradient = _colour_distances(adversarial, original, fooled)
            best.offer(adversarial, distance, fooled)
            up = cosine(self.alpha_l, self.alpha_l / 100, step, self.steps)
            down = cosine(self.alpha_c, self.alpha_c / 10, step, self.steps)
            move = torch.where(
                fooled[:, None, None, None],
                -down * distance_gradient / lengths(distance_gradient),
                up * loss_gradient / lengths(loss_gradient),
            )
            delta = (x + delta + move).clamp(0, 1) - x
        adversarial = eight_bit(x + delta)
        with torch.no_grad():
            fooled = lead(model(adversarial), y) > self.confidence
            best.offer(adversarial, colour.distances(colour.lab(adversarial), original), fooled)
        return best.or_last(adversarial)


def _colour_distances(x: Tensor, original: Tensor, fooled: Tensor) -> tuple[Tensor, Tensor]:
    """Colour distances of the images that fool the model, [n], and their gradients in x.

    The others get infinity and 0: a distance costs as much as a small network.

    Args:
        x: sRGB images in [0, 1], [n, 3, H, W].
        original: in Lab, [n, 3, H, W].
        fooled: [n] bool.
    """
    distances, gradients = x.new_full((len(x),), torch.inf), torch.zeros_like(x)
    if fooled.any():
        iterates = x[fooled].detach().requires_grad_()
        distance = colour.distances(colour.lab(iterates), original[fooled])
        (gradients[fooled],) = torch.autograd.grad(distance.sum(), iterates)
        distances[fooled] = distance.detach()
    return distances, gradients

"""Perceptual-DRO: increase the loss while a model of perception notices hardly any change."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from bench.attacks.adversarial import ascent
from bench.attacks.adversarial.one_step import one_step
from bench.learning.loop import Context
from bench.method import Paper
from bench.models.pretrained import WeightsFolder
from bench.perception import images
from bench.perception.distances import files_of, load
from bench.perception.images import eight_bit
from bench.tracks.imperceptibility import Attacker

LOSSES = {"cross_entropy": ascent.cross_entropy, "lead": ascent.lead}


@dataclass(frozen=True)
class Scale:
    """Settings of Algorithm 3.1 that suit a cost.

    Attributes:
        loss: the loss that is maximised.
        step_size: epsilon.
        weight: lambda.
    """

    loss: Literal["cross_entropy", "lead"]
    step_size: float
    weight: float


PAPERS = Scale("cross_entropy", 0.1, 1.0)  # section 3.2, for PieAPP and a ResNet-50
SCALES = {"lpips": Scale("lead", 0.002, 150.0)}  # docs/perception.md, "Steps and weights"


@dataclass(frozen=True)
class PerceptualDro(Attacker):
    """Hua et al. (2021), Algorithm 3.1, and the one-step attack of equation 3.4.

    It maximises loss - lambda c_0 by plain gradient steps. An image is finished once another class
    leads by more than a. PieAPP is the paper's cost; the others replace it if its weights are
    missing.
    """

    paper: ClassVar[Paper] = Paper(
        "Hua et al. (2021)",
        "Human imperceptible attacks and applications to improve fairness",
        "https://arxiv.org/abs/2111.15603",
    )

    cost: Literal["pieapp", "ssim", "lpips", "dists", "l2", "ssim_step"] = "pieapp"
    """c_0, the distance that is kept small. ssim_step is the one-step attack of section 3.1, which
    uses only epsilon and quantised."""
    network: Literal["squeeze", "alex", "vgg"] = "squeeze"
    """Network whose features LPIPS compares."""
    steps: Annotated[int, Field(ge=1)] = 100
    """N; 100 is the paper's (section 3.2)."""
    loss: Literal["auto", "cross_entropy", "lead"] = "auto"
    """Loss that is maximised: cross_entropy, the paper's, or the lead of another class's logit
    over the true one, whose gradient does not vanish for confident models. auto: lead for lpips,
    otherwise cross_entropy."""
    step_size: Annotated[float, Field(gt=0)] | Literal["auto"] = "auto"
    """Epsilon, the factor of the gradient. auto: .002 for lpips, otherwise the paper's .1."""
    weight: Annotated[float, Field(ge=0)] | Literal["auto"] = "auto"
    """Lambda. auto: 150 for lpips, to outweigh its curvature, otherwise the paper's 1."""
    confidence: Annotated[float, Field(ge=0)] = 0.0
    """A, the lead of another class's logit at which an image is finished."""
    quantised: bool = False
    """Whether every iterate is rounded to 8 bits per channel before the model or the judge sees
    it."""
    epsilon: Annotated[float, Field(gt=0)] = 10.0
    """Length of the one step of equation 3.4 for pixels in [0, 1]; 10 is that of Figure 3.1."""

    @property
    def scale(self) -> Scale:
        """Loss, epsilon and lambda, with `auto` replaced by the settings of the cost."""
        default = SCALES.get(self.cost, PAPERS)
        return Scale(
            default.loss if self.loss == "auto" else self.loss,
            default.step_size if self.step_size == "auto" else self.step_size,
            default.weight if self.weight == "auto" else self.weight,
        )

    @property
    def measure(self) -> str:
        """The name of the cost in `bench.perception.distances`; empty for the one step."""
        names = {"ssim": "ssim_same", "lpips": f"lpips_{self.network}", "ssim_step": ""}
        return names.get(self.cost, self.cost)

    def files(self, weights: WeightsFolder) -> tuple[Path, ...]:
        """The weights of the cost's network."""
        return weights.present(files_of(self.measure))

    def perturb(self, model: nn.Module, x: Tensor, y: Tensor, context: Context) -> Tensor:
        """Attack a batch."""
        images.check(x)
        attack = self._one_step if self.cost == "ssim_step" else self._climb(context)
        return attack(model, x, y).x

    def _climb(self, context: Context) -> ascent.Ascent:
        """Algorithm 3.1. Raises Skip if the weights of the cost are missing."""
        cost = load(self.measure, context.device, context.weights)
        if files := files_of(self.measure):
            context.chosen["cost's weights"] = context.weights.described(files)
        scale = self.scale
        context.chosen.update({"loss": scale.loss, "step": scale.step_size, "weight": scale.weight})
        return ascent.Ascent(
            ascent.gradient_step(scale.step_size),
            self.steps,
            cost,
            scale.weight,
            self.confidence,
            LOSSES[scale.loss],
            rounding=eight_bit if self.quantised else ascent.unrounded,
        )

    def _one_step(self, model: nn.Module, x: Tensor, y: Tensor) -> ascent.Attacked:
        """The one step of equation 3.4."""
        attacked = one_step(model, x, y, self.epsilon)
        if self.quantised:
            return ascent.Attacked(eight_bit(attacked.x), attacked.steps, attacked.stopped)
        return attacked

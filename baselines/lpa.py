"""LPA: the loss less a penalty for what a network sees beyond a bound, raised until it holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from bench.attacks.adversarial.ascent import capped_lead, lead, lengths
from bench.attacks.adversarial.best import Noise
from bench.attacks.adversarial.neural_ball import Features, distances, features, project
from bench.learning.loop import Context
from bench.method import Paper
from bench.models.pretrained import WeightsFolder
from bench.perception import images
from bench.perception.distances.networks import ARCHITECTURES
from bench.tracks.imperceptibility import Attacker

PROBE = 0.1
"""h, the length along which a move's distance is measured, Laidlaw et al. (2021), algorithm 2."""


@dataclass(frozen=True)
class Lpa(Attacker):
    """Laidlaw et al. (2021), algorithm 2, "NPTM (LPA)" in perceptual-DRO.

    Climbs loss - lambda max(0, d - bound) by steps that the network sees as bound x .1^(t / T)
    long; lambda starts at .01 and grows tenfold after each round that ends outside the bound. An
    image that fools the model inside the bound stands still. What is outside in the end is
    projected.
    """

    paper: ClassVar[Paper] = Paper(
        "Laidlaw et al. (2021)",
        "Perceptual adversarial robustness: defense against unseen threat models",
        "https://arxiv.org/abs/2006.12655",
    )

    network: Literal["squeeze", "alex", "vgg"] = "squeeze"
    """Whose features measure distances; the paper's is AlexNet (alex), whose weights are large."""
    bound: Annotated[float, Field(gt=0)] = 0.5
    """Of the distance; .5 is the paper's on ImageNet, with AlexNet."""
    rounds: Annotated[int, Field(ge=1)] = 5
    """Values of lambda; 5 is the authors' default."""
    steps: Annotated[int, Field(ge=1)] = 20
    """T, steps a round; 20 is the authors' default."""

    def files(self, weights: WeightsFolder) -> tuple[Path, ...]:
        """Weights of the network whose features measure distances."""
        return weights.present((ARCHITECTURES[self.network].name,))

    def perturb(self, model: nn.Module, x: Tensor, y: Tensor, context: Context) -> Tensor:
        """Attack a batch."""
        images.check(x)
        phi = features(self.network, f"LPA ({self.network})", context.device, context.weights)
        with torch.no_grad():
            there = phi(x)
        found = (x + Noise(context.generator("lpa/start")).normal(x, 0.01)).clamp(0, 1)
        price = x.new_full((len(x),), 0.01)
        live = torch.arange(len(x), device=x.device)
        for _ in range(self.rounds):
            for step in range(self.steps):
                if not len(live):
                    break
                size = self.bound * 0.1 ** (step / self.steps)
                moved, done = self._moved(
                    model, phi, found[live], y[live], there[live], price[live], size
                )
                found[live] = moved
                live = live[~done]
            if len(live):
                with torch.no_grad():
                    outside = distances(phi(found[live]), there[live]) > self.bound
                price[live[outside]] *= 10
        if len(live):
            found[live] = project(phi, found[live], x[live], self.bound)
        return found

    def _moved(
        self,
        model: nn.Module,
        phi: Features,
        here: Tensor,
        y: Tensor,
        there: Tensor,
        price: Tensor,
        size: float,
    ) -> tuple[Tensor, Tensor]:
        """One step, except for those that are done, and which these are."""
        here = here.detach().requires_grad_()
        logits, seen = model(here), phi(here)
        distance = ((seen - there).square().sum(dim=1) + 1e-12).sqrt()
        gain = capped_lead(logits, y) - price * (distance - self.bound).clamp_min(0)
        (uphill,) = torch.autograd.grad(gain.sum(), here)
        here = here.detach()
        done = (lead(logits.detach(), y) > 0) & (distance.detach() <= self.bound)
        left = ~done
        direction = uphill[left] / lengths(uphill[left])
        with torch.no_grad():
            probed = (phi(here[left] + PROBE * direction) - seen[left]).norm(dim=1) / PROBE
        stride = (size / probed.clamp_min(1e-8)).view(-1, 1, 1, 1)
        here[left] = (here[left] + stride * direction).clamp(0, 1)
        return here, done

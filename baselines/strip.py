"""STRIP: triggered samples keep their predicted class under overlays; clean samples do not."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from bench.errors import Skip
from bench.learning.inputs import Inputs
from bench.learning.loop import Context
from bench.method import Paper
from bench.tracks.poisoning.contract import Defence, Defender, PoisoningTask

Blend = Literal["clipped", "sum", "mean"]
AT_ONCE = 2**17  # input values that a CPU processes at once: its caches make that 4 times as fast


@dataclass(frozen=True)
class Strip(Defender):
    """Gao et al. (2019), sections 4 and 5: low entropy under strong perturbation is suspicious.

    N clean samples are laid over an input, one at a time, and the entropies of the victim's
    predictions are averaged (equations 3 and 4). Inputs below a quantile of a normal distribution
    fitted to the entropies of clean samples are taken for poison; if that quantile is negative,
    the empirical one is used. The overlays are drawn once for all inputs; the threshold is set on
    other clean samples.
    """

    paper: ClassVar[Paper] = Paper(
        "Gao et al. (2019)",
        "STRIP: a defence against trojan attacks on deep neural networks",
        "https://arxiv.org/abs/1902.06531",
    )

    mode: Literal["cleanser", "filter"] = "cleanser"
    """cleanser: inspects the training set; filter: inspects test inputs, as in the paper."""
    overlays: Annotated[int, Field(ge=1)] = 100
    """N, the number of clean samples laid over each input; 100 is the paper's (section 5.2)."""
    quantile: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Share of clean samples that are rejected; 1 % is the paper's preset false rejection rate."""
    blend: Blend = "clipped"
    """clipped: the sum, clipped at 255 as by OpenCV's addWeighted on 8-bit images; sum: unclipped,
    the result of the authors' code on floats; mean: half of each. Features of sounds and tables
    have no limits, so that clipped is sum."""

    def defend(self, task: PoisoningTask, context: Context) -> Defence:
        """Set the threshold on clean samples, then measure the suspects."""
        task.require_continuous()
        overlays, held_out = self._divided_reserve(task, context)
        blend = "sum" if self.blend == "clipped" and task.kind != "image" else self.blend
        superposed = Superposed(task.victim, overlays, blend)

        def suspicion(inputs: Inputs) -> Tensor:
            return -context.predict(superposed, inputs)[:, 0]

        lowest, source = low_quantile(-suspicion(held_out), self.quantile)
        context.chosen["entropy threshold"], context.chosen["threshold from"] = lowest, source
        threshold = -lowest
        if self.mode == "filter":
            return Defence(filter=suspicion, threshold=threshold)
        scores = suspicion(task.train.inputs)
        return Defence(flagged=scores > threshold, suspicion=scores)

    def _divided_reserve(self, task: PoisoningTask, context: Context) -> tuple[Tensor, Inputs]:
        """The overlays, [N, ...], at most half of the reserve; the other clean samples."""
        clean = len(task.reserve)
        if clean < 4:
            raise Skip(f"{clean} clean samples are too few to fit a distribution of entropies")
        order = torch.randperm(clean, generator=context.generator("strip/overlays")).to(task.device)
        count = min(self.overlays, clean // 2)
        context.chosen["overlays"] = count
        inputs = task.reserve.inputs
        return inputs.take(order[:count]), inputs.subset(order[count:])


class Superposed(nn.Module):
    """Inputs -> mean entropy of a classifier's predictions under overlays, [m, 1], in nats.

    Pixels are added as numbers from 0 to 255; features of other data as the network takes them.
    """

    overlays: Tensor

    def __init__(self, model: nn.Module, overlays: Tensor, blend: Blend) -> None:
        super().__init__()
        self.model, self.blend = model, blend
        self.register_buffer("overlays", overlays.float())

    def forward(self, x: Tensor) -> Tensor:
        """Average over the overlays, part by part of the batch."""
        size = len(x) if x.is_cuda else max(1, AT_ONCE * len(x) // max(1, x.numel()))
        parts = [self._mean_entropy(part.float()) for part in x.split(size)]
        return torch.cat(parts)[:, None]

    def _mean_entropy(self, x: Tensor) -> Tensor:
        """Mean entropies of inputs [m, ...], [m]."""
        total = torch.zeros(len(x), device=x.device)
        for overlay in self.overlays:
            total += entropy(self.model(blended(x, overlay, self.blend)))
        return total / len(self.overlays)


def blended(x: Tensor, overlay: Tensor, blend: Blend) -> Tensor:
    """Inputs [m, ...] with one overlay [...] laid over each."""
    total = x + overlay
    if blend == "sum":
        return total
    return total.clamp_(max=255) if blend == "clipped" else total / 2


def entropy(logits: Tensor) -> Tensor:
    """Shannon entropy of the softmax over classes, in nats: [m, classes] -> [m]."""
    log_p = logits.float().log_softmax(dim=1)
    return -(log_p.exp() * log_p).sum(dim=1)


def low_quantile(entropies: Tensor, share: float) -> tuple[float, str]:
    """The entropy below which that share of clean samples lies, and the name of its estimate.

    The quantile is that of a fitted normal distribution, as in the paper. If the victim is certain
    of most superpositions it is negative, which no entropy is; then it is the empirical one.
    """
    fitted = float(entropies.mean() + NormalDist().inv_cdf(share) * entropies.std())
    if fitted > 0:
        return fitted, "fitted normal"
    return float(entropies.quantile(share)), "clean samples"

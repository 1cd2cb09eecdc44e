"""The judge of the imperceptibility track: every number on its pages is computed here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache, partial
from pathlib import Path

import torch
from torch import Tensor

from bench.errors import Skip
from bench.models.pretrained import WeightsFolder
from bench.perception import distances, images
from bench.perception.distances.ssim import Dissimilarity
from bench.tracks.imperceptibility import saliency
from bench.tracks.imperceptibility.defences import (
    BITS,
    QUALITIES,
    fewer_bits,
    through_jpeg,
)
from bench.tracks.imperceptibility.words import INFO

REVISION = 1
DISTANCES = (
    "l1", "l2", "linf", "ssim_distance", "lpips", "dists", "saliency_l1", "saliency_l2",
    "saliency_linf", "saliency_ssim_distance",
)  # fmt: skip
LPIPS_BY_PREFERENCE = ("alex", "squeeze", "vgg")
"""LPIPS's default network first; the paper does not say which it used."""
DIGITS = 6
"""Significant digits of what is kept of every image."""

Predict = Callable[[Tensor], Tensor]
"""Images, [n, C, H, W] in [0, 1] -> predicted classes, [n]."""
Defence = Callable[[Tensor], Tensor]
"""Images -> images, both [n, C, H, W] in [0, 1]."""


@dataclass(frozen=True)
class Attacked:
    """Images that were classified right, before and after an attack, all on the CPU.

    Attributes:
        x: originals, [n, C, H, W] float32 in [0, 1].
        adversarial: attacked ones, as they were saved.
        y: what they show, [n].
        before: saliency maps of the originals, [n, 1, H, W] in [0, 1].
        after: saliency maps of the attacked ones.
    """

    x: Tensor
    adversarial: Tensor
    y: Tensor
    before: Tensor
    after: Tensor

    def at(self, rows: Tensor) -> Attacked:
        """The images of these rows."""
        return Attacked(*(getattr(self, part.name)[rows] for part in fields(self)))

    @property
    def change(self) -> Tensor:
        """The difference of attacked images and originals, [n, pixels]."""
        return (self.adversarial - self.x).flatten(1)

    @property
    def shift(self) -> Tensor:
        """The difference of the saliency maps, [n, pixels]."""
        return (self.after - self.before).flatten(1)


@dataclass
class DistanceMeasurements:
    """Metrics, values of single images, and why metrics do not exist."""

    metrics: dict[str, float] = field(default_factory=dict)
    samples: dict[str, list[float]] = field(default_factory=dict)
    undefined: dict[str, str] = field(default_factory=dict)


def defended() -> dict[str, Defence]:
    """Transformations of attacked images before the classifier sees them, by the metric's name."""
    return {
        "success_8bit": images.eight_bit,  # PNG itself loses nothing
        **{f"success_jpeg_{q}": partial(through_jpeg, quality=q) for q in QUALITIES},
        **{f"success_bits_{b}": partial(fewer_bits, bits=b) for b in BITS},
    }


def successes(
    predict: Predict, adversarial: Tensor, y: Tensor, size: int = 64
) -> tuple[Tensor, dict[str, float]]:
    """Which images are misclassified, [n] bool; and their shares, also behind defences.

    The images are those that were saved; `size` of them pass through a defence at once.
    """

    def missed(defence: Defence) -> Tensor:
        parts = [predict(defence(part)) for part in adversarial.split(size)]
        return torch.cat(parts) != y

    fooled = missed(lambda x: x)
    shares = {name: missed(defence) for name, defence in defended().items()}
    rates = {"success_rate": fooled, **shares}
    return fooled, {name: float(share.double().mean()) for name, share in rates.items()}


@torch.no_grad()
def judge_distances(
    attacked: Attacked, fooled: Tensor, size: int, device: torch.device, weights: WeightsFolder
) -> DistanceMeasurements:
    """Means over the successfully attacked images (`fooled`, [n] bool), and the values behind them.

    Images are compared `size` at a time; networks judge on `device`.
    """
    measured = DistanceMeasurements()
    if not fooled.any():
        why = "no attack succeeded, and distances are those of attacks that do"
        measured.undefined = dict.fromkeys(DISTANCES, why)
        return measured
    parts = fooled.nonzero()[:, 0].split(size)
    for name, measure in _measures(device, weights).items():
        try:
            values = torch.cat([measure(attacked.at(rows)) for rows in parts]).double()
        except Skip as verdict:
            measured.undefined[name] = str(verdict)
            continue
        measured.metrics[name] = float(values.mean())
        measured.samples[name] = [float(f"{value:.{DIGITS}g}") for value in values.tolist()]
    return measured


def _measures(
    device: torch.device, weights: WeightsFolder
) -> Mapping[str, Callable[[Attacked], Tensor]]:
    """Distances of each pair, [n] on the CPU, by the metric's name."""

    def by(name: str) -> Callable[[Attacked], Tensor]:
        measure = cache(lambda: distances.load(name, device, weights))
        return lambda some: measure()(some.x.to(device))(some.adversarial.to(device)).cpu()

    return {
        "l1": lambda some: some.change.abs().sum(dim=1),
        "l2": lambda some: some.change.norm(dim=1),
        "linf": lambda some: some.change.abs().amax(dim=1),
        "ssim_distance": by("ssim"),
        "lpips": by(f"lpips_{lpips_network(weights)}"),
        "dists": by("dists"),
        "saliency_l1": lambda some: some.shift.abs().sum(dim=1),
        "saliency_l2": lambda some: some.shift.norm(dim=1),
        "saliency_linf": lambda some: some.shift.abs().amax(dim=1),
        "saliency_ssim_distance": lambda some: Dissimilarity(some.before)(some.after),
    }


def lpips_network(weights: WeightsFolder) -> str:
    """The network whose features LPIPS compares: the first one whose two files exist."""
    for network in LPIPS_BY_PREFERENCE:
        if not weights.missing(distances.files_of(f"lpips_{network}")):
            return network
    return LPIPS_BY_PREFERENCE[0]


def judged_with(weights: WeightsFolder) -> dict[str, str]:
    """What decides distances beside the code, in words for pages and results."""
    return {"saliency": saliency.in_words(), "lpips": lpips_network(weights)}


def files(weights: WeightsFolder) -> Sequence[Path]:
    """The existing files of weights that decide the judge's numbers, in a fixed order."""
    names = (*distances.files_of(f"lpips_{lpips_network(weights)}"), *distances.files_of("dists"))
    return [*weights.present(names), *(saliency.brought() or ())]


def undefined(measured: Mapping[str, float]) -> dict[str, str]:
    """Why metrics of the track are missing from a result, where nothing else explains it."""
    return {m.name: "not reported" for m in INFO.metrics if m.name not in measured}

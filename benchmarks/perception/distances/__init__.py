"""Perceptual distances between images, as differentiable costs."""

from __future__ import annotations

from functools import partial

import torch

from bench.errors import UsageError, unknown
from bench.models.pretrained import MIRROR_ALONE, WeightsFolder
from bench.perception.distances.contract import Distance, Measure
from bench.perception.distances.dists import Dists, dists
from bench.perception.distances.lpips import Lpips, lpips
from bench.perception.distances.networks import ARCHITECTURES, Network
from bench.perception.distances.pieapp import PieApp, pieapp
from bench.perception.distances.ssim import Dissimilarity, SquaredL2

__all__ = ["NAMES", "Distance", "Measure", "files_of", "load"]

CPU = torch.device("cpu")
LPIPS: dict[str, Network] = {f"lpips_{network}": network for network in ARCHITECTURES}
NAMES = ("l2", "ssim", "ssim_same", *LPIPS, "dists", "pieapp")
"""l2 is squared; ssim is 1 - SSIM over windows inside the image, ssim_same around every pixel."""


def load(name: str, device: torch.device = CPU, weights: WeightsFolder = MIRROR_ALONE) -> Measure:
    """A distance with its network's weights from local files.

    Args:
        name: one of NAMES.
        device: where images will be.
        weights: where files of weights are looked for; the first four of NAMES need none.

    Returns:
        References, [n, ...], -> their Distance: `load("dists")(x)(attacked)` is [n].

    Raises:
        MissingWeights: a Skip that names the file and where to put it.
        UsageError: the name is unknown.
    """
    if name == "l2":
        return SquaredL2
    if name in ("ssim", "ssim_same"):
        return partial(Dissimilarity, padding="same" if name == "ssim_same" else "valid")
    if name in LPIPS:
        return partial(Lpips, *lpips(LPIPS[name], device, weights))
    if name == "dists":
        return partial(Dists, *dists(device, weights))
    if name == "pieapp":
        return partial(PieApp, pieapp(device, weights))
    raise UsageError(unknown("distance", name, NAMES))


def files_of(name: str) -> tuple[str, ...]:
    """The files of weights that a distance needs, as `bench.models.pretrained` names them."""
    if name in LPIPS:
        return (ARCHITECTURES[LPIPS[name]].name, name)
    return {"dists": ("vgg16", "dists"), "pieapp": ("pieapp",)}.get(name, ())

"""PieAPP: a network that learned which of two distortions people prefer."""

from __future__ import annotations

import copy
import math
from functools import cache
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from bench.errors import Skip
from bench.models.pretrained import WeightsFolder
from bench.models.weights import load_exactly, read_state
from bench.perception import images
from bench.perception.distances.contract import FeatureDistance
from bench.perception.distances.networks import coloured

PATCH = 64  # side of a patch in pixels, Prashnani et al. (2018), section 5
STRIDE = 27  # largest distance between patches in pixels, the authors' sparse sampling
CHANNELS = (3, 64, 64, 64, 128, 128, 128, 256, 256, 256, 512, 512)
POOLED_AFTER, KEPT_AFTER = (2, 4, 6, 8, 10), (3, 5, 7, 9, 11)
AT_ONCE = 100
"""Patches in a forward pass; the activations of 100 take about 1 GiB with gradients."""


class PieAppNetwork(nn.Module):
    """Prashnani et al. (2018), figure 3; the parameters are named as in the authors' file."""

    def __init__(self) -> None:
        super().__init__()
        for layer, (before, after) in enumerate(pairwise(CHANNELS), 1):
            self.add_module(f"conv{layer}", nn.Conv2d(before, after, 3, padding=1))
        self.fc1_score, self.fc2_score = nn.Linear(120832, 512), nn.Linear(512, 1)
        self.fc1_weight, self.fc2_weight = nn.Linear(2048, 512), nn.Linear(512, 1)
        self.ref_score_subtract = nn.Linear(1, 1)

    def features(self, patches: Tensor) -> Tensor:
        """Patches, [p, 3, 64, 64], BGR in [0, 255] -> [p, 120832]; the last 2,048 are coarse."""
        out, kept = patches, []
        for layer in range(1, len(CHANNELS)):
            out = self.get_submodule(f"conv{layer}")(out).relu()
            if layer in KEPT_AFTER:
                kept.append(out.flatten(1))
            if layer in POOLED_AFTER:
                out = nn.functional.max_pool2d(out, 2)
        return torch.cat(kept, dim=1)

    def judge(self, difference: Tensor) -> tuple[Tensor, Tensor]:
        """Features of references less those of distortions -> scores and weights, [p] each."""
        score = 0.01 * self.fc2_score(self.fc1_score(difference).relu())
        coarse = difference[:, -self.fc1_weight.in_features :]
        weight = self.fc2_weight(self.fc1_weight(coarse).relu()) + 1e-6
        return self.ref_score_subtract(score).flatten(), weight.flatten()


class PieApp(FeatureDistance):
    """Prashnani et al. (2018): the weighted mean of the scores of patches of 64 x 64 pixels.

    Patches cover the whole image, so that every pixel has a gradient: as many as with the authors'
    sparse stride of 27, and one more if that leaves a strip at the border (at 299 pixels ten along
    an axis, not nine). The distance of equal images need not be 0.

    Args:
        network: with the authors' weights.
        reference: images to compare with, 64 pixels or more a side.
    """

    def __init__(self, network: PieAppNetwork, reference: Tensor) -> None:
        self.network = network
        super().__init__(reference)

    def features(self, x: Tensor) -> list[Tensor]:
        """Features of the patches, the only stage: [n, patches, 120832]."""
        parts = [self.network.features(part) for part in patches(x).split(AT_ONCE)]
        return [torch.cat(parts).unflatten(0, (len(x), -1))]

    def compare(self, x: Tensor) -> Tensor:
        """Distances, [n]."""
        parts_of_x = patches(x).split(AT_ONCE)
        reference = self.reference[0].flatten(0, 1).split(AT_ONCE)
        parts = [
            # The backward pass computes activations again, one part at a time.
            checkpoint(self._judge, part, features, use_reentrant=False)
            for part, features in zip(parts_of_x, reference, strict=True)
        ]
        score, weight = (
            torch.cat(values).unflatten(0, (len(x), -1)) for values in zip(*parts, strict=True)
        )
        return (score * weight).sum(dim=1) / weight.sum(dim=1)

    def _judge(self, part: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
        """Scores and weights of patches, given the features of their references, [p] each."""
        return self.network.judge(reference - self.network.features(part))


def starts(side: int) -> list[int]:
    """First pixels of the patches along a side, evenly spaced and at most STRIDE apart."""
    last = side - PATCH
    gaps = math.ceil(last / STRIDE)
    return [round(last * i / gaps) for i in range(gaps + 1)] if gaps else [0]


def patches(x: Tensor) -> Tensor:
    """Images in [0, 1], [n, 1 or 3, H, W] -> [n * patches, 3, 64, 64], BGR in [0, 255]."""
    height, width = x.shape[-2:]
    if min(height, width) < PATCH:
        raise Skip(f"PieAPP judges images of {PATCH} pixels or more, these have {height} x {width}")
    bgr = coloured(x).flip(1) * images.LEVELS
    cut = [
        bgr[:, :, top : top + PATCH, left : left + PATCH]
        for top in starts(height)
        for left in starts(width)
    ]
    return torch.stack(cut, dim=1).flatten(0, 1)


def pieapp(device: torch.device, weights: WeightsFolder) -> PieAppNetwork:
    """The network with its weights. Raises MissingWeights where their file is missing."""
    network = _network(weights.find("pieapp", "PieAPP"))
    # `to` moves a module in place, and the cached network must stay on the CPU.
    return network if device.type == "cpu" else copy.deepcopy(network).to(device)


@cache
def _network(path: Path) -> PieAppNetwork:
    with torch.device("meta"):
        network = PieAppNetwork()
    state = {name: value.float() for name, value in read_state(path).items()}
    last = "ref_score_subtract.weight"
    if last in state:
        state[last] = state[last].reshape(1, 1)  # the authors' file has it as (1,)
    load_exactly(network, state, path, "PieAPP")
    return network.eval()

"""LPIPS: distances between a network's features, normalised at every pixel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bench.models.pretrained import WeightsFolder
from bench.models.weights import load_exactly, read_state
from bench.perception.distances.contract import FeatureDistance
from bench.perception.distances.networks import ARCHITECTURES, Network, Taps, taps

TINY = 1e-10
"""Smallest length that feature vectors are divided by, as in Zhang et al.'s code."""


class Lpips(FeatureDistance):
    """Zhang et al. (2018), equation 1, version 0.1: weighted squared differences, averaged.

    Args:
        network: images -> features at several layers (taps).
        heads: weights of the channels of each tap, [C] each.
        reference: images to compare with.
    """

    def __init__(self, network: Taps, heads: Sequence[Tensor], reference: Tensor) -> None:
        self.network, self.heads = network, heads
        super().__init__(reference)

    def features(self, x: Tensor) -> list[Tensor]:
        """Normalised features at each tap, [n, C, h, w] each."""
        return [unit_length(tap) for tap in self.network(x)]

    def compare(self, x: Tensor) -> Tensor:
        """Distances, [n]."""
        total = x.new_zeros(len(x))
        for head, tap, reference in zip(self.heads, self.features(x), self.reference, strict=True):
            total = total + (tap - reference).square().mean(dim=(2, 3)) @ head
        return total


def unit_length(features: Tensor) -> Tensor:
    """Feature vectors of all pixels divided by their lengths, [n, C, h, w].

    The argument of the root is never 0, so that pixels without features have a gradient.
    """
    return features * (features.square().sum(dim=1, keepdim=True) + TINY**2).rsqrt()


def lpips(
    network: Network, device: torch.device, weights: WeightsFolder
) -> tuple[Taps, list[Tensor]]:
    """A network and its LPIPS heads from two files. Raises MissingWeights if one is missing."""
    what = f"LPIPS ({network})"
    path = weights.find(f"lpips_{network}", what)
    channels = ARCHITECTURES[network].channels
    heads = nn.ParameterDict({f"lin{i}": torch.empty(1, c, 1, 1) for i, c in enumerate(channels)})
    state = {k.partition(".")[0]: v.float() for k, v in read_state(path).items()}
    load_exactly(heads, state, path, f"the heads of LPIPS ({network})")
    return taps(network, what, device, weights), [
        heads[f"lin{i}"].detach().flatten().to(device) for i in range(len(channels))
    ]

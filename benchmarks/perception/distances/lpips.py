"""LPIPS: distances between a network's features, normalised at every pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.models.pretrained import WeightsFolder
from bench.models.weights import load_exactly, read_state
from bench.perception import images
from bench.perception.distances.contract import check_shape
from bench.perception.distances.networks import ARCHITECTURES, Network, Taps, taps

TINY = 1e-10
"""Smallest length that feature vectors are divided by, as in Zhang et al.'s code."""


@dataclass(frozen=True)
class Lpips:
    """Zhang et al. (2018), equation 1, version 0.1: weighted squared differences, averaged.

    Attributes:
        network: images -> features at several layers (taps).
        heads: weights of the channels of each tap, [C] each.
        reference: normalised features of the references at each tap, [n, C, h, w] each.
        shape: of the references.
    """

    network: Taps
    heads: Sequence[Tensor]
    reference: Sequence[Tensor]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, network: Taps, heads: Sequence[Tensor], reference: Tensor) -> Lpips:
        """The distance from these references, [n, C, H, W] in [0, 1]."""
        images.check(reference, "references")
        with torch.no_grad():
            features = [unit_length(tap) for tap in network(reference)]
        return cls(network, heads, features, tuple(reference.shape))

    def __call__(self, x: Tensor) -> Tensor:
        """Distances, [n]."""
        check_shape(x, self.shape)
        images.check(x)
        total = x.new_zeros(len(x))
        for head, tap, reference in zip(self.heads, self.network(x), self.reference, strict=True):
            difference = (unit_length(tap) - reference).square().mean(dim=(2, 3))
            total = total + difference @ head
        return total

    def subset(self, rows: Tensor) -> Lpips:
        """The distance from the references at `rows`."""
        part = [tap[rows] for tap in self.reference]
        return Lpips(self.network, self.heads, part, (len(part[0]), *self.shape[1:]))


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

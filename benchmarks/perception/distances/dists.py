"""DISTS: similarity of structure and texture over whole feature maps of a VGG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.errors import SuiteError
from bench.models.pretrained import WeightsFolder
from bench.models.weights import read_state
from bench.perception.distances.contract import FeatureDistance
from bench.perception.distances.networks import ARCHITECTURES, Taps, coloured, taps

C1 = C2 = 1e-6
"""Constants of Ding et al. (2020), equations 4 and 5."""


class L2Pooling(nn.Module):
    """Ding et al. (2020), equation 2: the root of the blurred squares, with stride 2."""

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        hanning = torch.hann_window(5, periodic=False, dtype=torch.float64)[1:-1]
        kernel = torch.outer(hanning, hanning)
        kernel = (kernel / kernel.sum()).float()[None, None]
        self.register_buffer("kernel", kernel, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """[n, C, h, w] -> [n, C, ceil(h / 2), ceil(w / 2)]."""
        kernel = self.kernel.to(x.dtype).expand(x.shape[1], -1, -1, -1)
        pooled = F.conv2d(x**2, kernel, stride=2, padding=1, groups=x.shape[1])
        return (pooled + 1e-12).sqrt()


@dataclass(frozen=True)
class Statistics:
    """The features of images at one stage: centred, [n, C, h, w], mean and variance, [n, C]."""

    centred: Tensor
    mean: Tensor
    variance: Tensor

    @classmethod
    def of(cls, features: Tensor) -> Statistics:
        """The statistics over height and width of features [n, C, h, w]."""
        mean = features.mean(dim=(2, 3))
        centred = features - mean[:, :, None, None]
        return cls(centred, mean, centred.square().mean(dim=(2, 3)))

    def __len__(self) -> int:
        return len(self.mean)

    def __getitem__(self, rows: Tensor) -> Statistics:
        return Statistics(self.centred[rows], self.mean[rows], self.variance[rows])


class Dists(FeatureDistance):
    """Ding et al. (2020), equation 6: 1 - the weighted similarities of texture and structure.

    Args:
        network: VGG-16 with L2 pooling.
        alpha: weights of texture (means), [C] for each stage; the image is the first stage.
        beta: weights of structure (covariances), [C] for each stage. All weights sum to 1.
        reference: images to compare with.
    """

    def __init__(
        self, network: Taps, alpha: Sequence[Tensor], beta: Sequence[Tensor], reference: Tensor
    ) -> None:
        self.network, self.alpha, self.beta = network, alpha, beta
        super().__init__(reference)

    def features(self, x: Tensor) -> list[Statistics]:
        """Statistics of each stage."""
        return [Statistics.of(stage) for stage in (coloured(x), *self.network(x))]

    def compare(self, x: Tensor) -> Tensor:
        """Distances, [n]."""
        similarity = x.new_zeros(len(x))
        stages = zip(self.features(x), self.reference, self.alpha, self.beta, strict=True)
        for a, b, alpha, beta in stages:
            covariance = (a.centred * b.centred).mean(dim=(2, 3))
            texture = (2 * a.mean * b.mean + C1) / (a.mean**2 + b.mean**2 + C1)
            structure = (2 * covariance + C2) / (a.variance + b.variance + C2)
            similarity = similarity + texture @ alpha + structure @ beta
        return 1 - similarity


def dists(device: torch.device, weights: WeightsFolder) -> tuple[Taps, list[Tensor], list[Tensor]]:
    """The network, alpha and beta from two files. Raises MissingWeights if one is missing."""
    path = weights.find("dists", "DISTS")
    values = {name: value.float().flatten().to(device) for name, value in read_state(path).items()}
    channels = [3, *ARCHITECTURES["vgg"].channels]
    if {name: len(value) for name, value in values.items()} != dict.fromkeys(
        ("alpha", "beta"), sum(channels)
    ):
        raise SuiteError(f"weights: {path} has not DISTS' alpha and beta of {sum(channels)} each.")
    total = values["alpha"].sum() + values["beta"].sum()
    alpha, beta = ((values[name] / total).split(channels) for name in ("alpha", "beta"))
    return taps("vgg", "DISTS", device, weights, with_l2_pooling), list(alpha), list(beta)


def with_l2_pooling(layers: nn.Sequential) -> None:
    """Replace max pooling by L2 pooling, in place."""
    for position, layer in enumerate(layers):
        if isinstance(layer, nn.MaxPool2d):
            layers[position] = L2Pooling()

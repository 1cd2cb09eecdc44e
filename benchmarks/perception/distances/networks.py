"""Layers of published classifiers as features, with weights from local files."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from bench.errors import Skip
from bench.models.networks import of_torchvision
from bench.models.pretrained import WeightsFolder
from bench.models.weights import IMAGENET, load_exactly, read_state

Network = Literal["squeeze", "alex", "vgg"]


@dataclass(frozen=True)
class Architecture:
    """A classifier and the layers whose outputs LPIPS compares.

    Attributes:
        name: torchvision's, and that of the file of weights.
        taps: positions in `features`, the ReLUs that Zhang et al. (2018) take.
        channels: number of channels of each tap.
        smallest: side of the smallest image from which the last tap has a pixel.
    """

    name: str
    taps: tuple[int, ...]
    channels: tuple[int, ...]
    smallest: int


ARCHITECTURES: dict[Network, Architecture] = {
    "squeeze": Architecture(
        "squeezenet1_1", (1, 4, 7, 9, 10, 11, 12), (64, 128, 256, 384, 384, 512, 512), 17
    ),
    "alex": Architecture("alexnet", (1, 4, 7, 9, 11), (64, 192, 384, 256, 256), 31),
    "vgg": Architecture("vgg16", (3, 8, 15, 22, 29), (64, 128, 256, 512, 512), 16),
}


class Taps(nn.Module):
    """Images -> outputs of some layers of a frozen network; grey images fill all channels."""

    mean: Tensor
    std: Tensor

    def __init__(self, layers: nn.Sequential, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.layers = nn.ModuleList(list(layers)[: architecture.taps[-1] + 1])
        for name, values in zip(("mean", "std"), IMAGENET, strict=True):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor) -> list[Tensor]:
        """Pixels in [0, 1], [n, 1 or 3, H, W] -> features, [n, C, h, w] for each tap."""
        if min(x.shape[-2:]) < self.architecture.smallest:
            raise Skip(
                f"{self.architecture.name} sees images of {self.architecture.smallest} pixels or "
                f"more, these have {x.shape[-2]} x {x.shape[-1]}"
            )
        out, features = (coloured(x) - self.mean) / self.std, []
        for position, layer in enumerate(self.layers):
            out = layer(out)
            if position in self.architecture.taps:
                features.append(out)
        return features


def coloured(x: Tensor) -> Tensor:
    """Images with three channels; a grey one is repeated."""
    if x.shape[1] not in (1, 3):
        raise Skip(f"networks that judge images see 1 or 3 channels, these have {x.shape[1]}")
    return x.expand(-1, 3, -1, -1)


def taps(
    network: Network,
    what: str,
    device: torch.device,
    weights: WeightsFolder,
    change: Callable[[nn.Sequential], None] | None = None,
) -> Taps:
    """A network's taps with its ImageNet weights.

    Args:
        network: its name.
        what: what needs the network, for the error message.
        device: where the network will run.
        weights: where files of weights are looked for.
        change: alters the layers in place before they are used (DISTS replaces the pooling).

    Raises:
        MissingWeights: the file of weights is missing.
        SuiteError: the file holds another network.
    """
    architecture = ARCHITECTURES[network]
    layers = _layers(architecture.name, weights.find(architecture.name, what))
    layers = nn.Sequential(*layers)  # a new container, so that changes do not reach the cached one
    if change:
        change(layers)
    network_taps = Taps(layers, architecture)
    # `to` moves a module in place, and the cached layers must stay on the CPU.
    return network_taps if device.type == "cpu" else copy.deepcopy(network_taps).to(device)


@cache
def _layers(name: str, path: Path) -> nn.Sequential:
    """The layers `features` of one of torchvision's classifiers, read once."""
    with torch.device("meta"):  # no initial weights are drawn, because the file replaces them
        layers: nn.Sequential = of_torchvision(name).features
    weights = {k: v.float() for k, v in read_state(path).items() if k.startswith("features.")}
    state = {k.removeprefix("features."): v for k, v in weights.items()}
    load_exactly(layers, state, path, f"torchvision's {name}")
    return layers

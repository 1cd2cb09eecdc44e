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
from bench.models.pretrained import WeightsFolder
from bench.models.weights import IMAGENET, load_exactly, read_state
from bench.vision_models import torchvision_models

Network = Literal["squeeze", "alex", "vgg"]


@dataclass(frozen=True)
class Architecture:
    """A classifier and the layers whose outputs LPIPS compares.

    Attributes:
        name: torchvision's, and that of the file of weights.
        taps: positions in `features`, the ReLUs that Zhang et al. (2018) take.
        channels: of each tap.
        smallest: side of the smallest image that reaches the last tap.
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
    """Images -> outputs of some layers, frozen. Grey images are shown to all three channels."""

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
        """Pixels in [0, 1], [n, 1 or 3, H, W] -> one tensor a tap."""
        if min(x.shape[-2:]) < self.architecture.smallest:
            raise Skip(
                f"{self.architecture.name} sees images of {self.architecture.smallest} pixels or "
                f"more, these have {x.shape[-2]} x {x.shape[-1]}"
            )
        out, found = (coloured(x) - self.mean) / self.std, []
        for position, layer in enumerate(self.layers):
            out = layer(out)
            if position in self.architecture.taps:
                found.append(out)
        return found


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
        network: which.
        what: what needs it, for the message.
        device: where it shall run.
        weights: where files of weights are looked for.
        change: alters the layers in place before they are used (DISTS replaces the pooling).

    Raises:
        MissingWeights: the file of weights is missing.
        SuiteError: the file holds another network.
    """
    architecture = ARCHITECTURES[network]
    layers = _layers(architecture.name, weights.find(architecture.name, what))
    layers = nn.Sequential(*layers)  # a list of its own, so that changes stay with who made them
    if change:
        change(layers)
    found = Taps(layers, architecture)
    # `to` moves a module in place: what is kept for the next caller stays where it is.
    return found if device.type == "cpu" else copy.deepcopy(found).to(device)


@cache
def _layers(name: str, path: Path) -> nn.Sequential:
    """`features` of one of torchvision's classifiers, read once."""
    with torch.device("meta"):  # nothing is drawn that the file overwrites at once
        layers: nn.Sequential = getattr(torchvision_models(), name)(weights=None).features
    own = {k: v.float() for k, v in read_state(path).items() if k.startswith("features.")}
    state = {k.removeprefix("features."): v for k, v in own.items()}
    load_exactly(layers, state, path, f"torchvision's {name}")
    return layers

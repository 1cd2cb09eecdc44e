"""Networks, each cut in three: encoder, neck and head.

Methods need the same places of every network: RNF freezes the encoder and trains what follows,
MFD compares feature maps, adversarial training listens at the last hidden layer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from benchmarks.errors import SuiteError, unknown
from benchmarks.learning.split import seed_for

Kind = Literal["table", "image"]


class Backbone(nn.Module):
    """A classifier or regressor whose parts methods may speak to.

    Attributes:
        encoder: input -> maps ([n, C, H, W] for images, [n, width] for tables).
        neck: maps -> embedding, [n, width].
        head: embedding -> logits, [n, outputs].
    """

    encoder: nn.Module
    neck: nn.Module
    head: nn.Linear

    def __init__(self, encoder: nn.Module, neck: nn.Module, head: nn.Linear) -> None:
        super().__init__()
        self.encoder, self.neck, self.head = encoder, neck, head

    def embed(self, x: Tensor) -> Tensor:
        """Activation of the last hidden layer, [n, width]."""
        return self.neck(self.encoder(x))

    def logits_and_maps(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and the features that MFD compares: for tables the last hidden layer."""
        embedding = self.embed(x)
        return self.head(embedding), embedding

    def decide(self, z: Tensor) -> Tensor:
        """Logits for encoder outputs `z`: what RNF retrains."""
        return self.head(self.neck(z))

    def forward(self, x: Tensor) -> Tensor:
        """Logits, [n, outputs]."""
        return self.decide(self.encoder(x))


class ImageBackbone(Backbone):
    """A convolutional backbone: the maps before pooling are what MFD compares."""

    def logits_and_maps(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and the flattened convolution maps, [n, C * H * W]."""
        maps = self.encoder(x)
        return self.decide(maps), maps.flatten(1)


class Normalise(nn.Module):
    """uint8 pixels [0, 255] -> float [-1, 1], so that triggers are stamped on exact pixels."""

    def forward(self, x: Tensor) -> Tensor:
        """Scale `x`, [n, C, H, W]."""
        return x.float() / 127.5 - 1


def mlp(shape: tuple[int, ...], outputs: int) -> Backbone:
    """BaDe section V.A.3: a three-layer MLP, 512 neurons in each layer, and the output layer."""
    width = 512
    encoder = nn.Sequential(nn.Linear(shape[0], width), nn.ReLU())
    neck = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
    return Backbone(encoder, neck, nn.Linear(width, outputs))


def small_cnn(shape: tuple[int, ...], outputs: int) -> Backbone:
    """Convolutions of 16 and (stride 2) 32 channels, a hidden layer of 64: for small pictures."""
    encoder = nn.Sequential(
        Normalise(),
        nn.Conv2d(shape[0], 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
    )
    neck = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(32 * 16, 64), nn.ReLU())
    return ImageBackbone(encoder, neck, nn.Linear(64, outputs))


BACKBONES: dict[str, tuple[Kind, Callable[[tuple[int, ...], int], Backbone]]] = {
    "mlp": ("table", mlp),
    "small_cnn": ("image", small_cnn),
}


def check_backbone(name: str, kind: Kind) -> None:
    """Raise SuiteError where a backbone is unknown or does not take this kind of data."""
    if name not in BACKBONES:
        raise SuiteError(unknown("backbone", name, BACKBONES))
    takes = BACKBONES[name][0]
    if takes != kind:
        fitting = ", ".join(sorted(n for n, (k, _) in BACKBONES.items() if k == kind))
        raise SuiteError(
            f'backbone "{name}" takes {takes}s, this data holds {kind}s: use {fitting}.'
        )


def build(name: str, shape: tuple[int, ...], outputs: int, seed: int) -> Backbone:
    """A freshly initialised backbone; equal seeds and shapes give equal weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(seed, "weights"))
        return BACKBONES[name][1](shape, outputs)

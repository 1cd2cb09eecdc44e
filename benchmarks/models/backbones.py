"""Networks by name, each divided into encoder, neck and head.

Methods need the same points of every network: RNF freezes the encoder and trains what follows,
MFD compares feature maps, adversarial training reads the last hidden layer.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from bench.data.prepared import Kind
from bench.errors import SuiteError, unknown
from bench.models import networks, sequences
from bench.seeds import seed_for, seeded


class Backbone(nn.Module):
    """A classifier or regressor in three parts that methods may use by themselves.

    Attributes:
        encoder: input -> maps, [n, C, H, W] for images or [n, width] for tables.
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
        """Logits and the features that MFD compares: here the last hidden layer, [n, width]."""
        embedding = self.embed(x)
        return self.head(embedding), embedding

    def decide(self, z: Tensor) -> Tensor:
        """Logits for encoder outputs `z`, [n, outputs]: the part of the network RNF retrains."""
        return self.head(self.neck(z))

    def forward(self, x: Tensor) -> Tensor:
        """Logits, [n, outputs]."""
        return self.decide(self.encoder(x))


class ImageBackbone(Backbone):
    """A backbone for images, of which MFD compares the maps before pooling."""

    def logits_and_maps(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and the flattened maps, [n, C * H * W], or all tokens of a ViT."""
        maps = self.encoder(x)
        return self.decide(maps), maps.flatten(1)


class Normalise(nn.Module):
    """uint8 pixels in [0, 255] -> (x / 255 - mean) / std, so that triggers are stamped on pixels.

    Networks trained from scratch get values in [-1, 1], as in BaDe's public code; published
    weights get what they were trained on (weights.py). Mean and deviation are part of the
    architecture and not of the state dict.

    Args:
        mean: of each channel, or one for all, with pixels in [0, 1].
        std: of each channel, or one for all, with pixels in [0, 1].
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, mean: Sequence[float] = (0.5,), std: Sequence[float] = (0.5,)) -> None:
        super().__init__()
        self.register_buffer("scale", torch.empty(0), persistent=False)
        self.register_buffer("shift", torch.empty(0), persistent=False)
        self.expect(mean, std)

    def expect(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Replace mean and deviation."""
        device = self.scale.device
        means, stds = (torch.tensor(v, device=device)[:, None, None] for v in (mean, std))
        self.scale, self.shift = 255 * stds, means / stds

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `x`, [n, C, H, W]."""
        return x.float() / self.scale - self.shift


def mlp(shape: tuple[int, ...], outputs: int) -> Backbone:
    """BaDe section V.A.3: an MLP with three hidden layers of 512 neurons."""
    width = 512
    encoder = nn.Sequential(nn.Linear(shape[0], width), nn.ReLU())
    neck = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
    return Backbone(encoder, neck, nn.Linear(width, outputs))


def small_cnn(shape: tuple[int, ...], outputs: int) -> Backbone:
    """Convolutions of 16 and 32 (stride 2) channels and a hidden layer of 64, for small images."""
    encoder = nn.Sequential(
        Normalise(),
        nn.Conv2d(shape[0], 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
    )
    neck = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(32 * 16, 64), nn.ReLU())
    return ImageBackbone(encoder, neck, nn.Linear(64, outputs))


def max_pool_cnn(shape: tuple[int, ...], outputs: int) -> Backbone:
    """Three convolutions with maximum pooling, which respond to small marks on small images.

    `small_cnn` averages over quarters of the image, and so hardly learns a trigger of three
    pixels from a few hundred samples.
    """
    encoder = nn.Sequential(
        Normalise(),
        # Pooling before ReLU gives the same numbers, with ReLU on a quarter of the pixels.
        nn.Conv2d(shape[0], 32, 3, padding=1),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(64, 64, 3, padding=1),
        nn.ReLU(),
    )
    neck = nn.Sequential(nn.AdaptiveMaxPool2d(4), nn.Flatten(), nn.Linear(64 * 16, 128), nn.ReLU())
    return ImageBackbone(encoder, neck, nn.Linear(128, outputs))


def _image(parts: networks.Parts) -> Backbone:
    """A network of torchvision or timm, preceded by our normalisation."""
    encoder = nn.Sequential(OrderedDict(normalise=Normalise(), body=parts.encoder))
    return ImageBackbone(encoder, parts.neck, parts.head)


# Error messages list them in this order, so the small ones come first.
BACKBONES: dict[str, tuple[Kind, Callable[[tuple[int, ...], int], Backbone]]] = {
    "mlp": ("table", mlp),
    "small_cnn": ("image", small_cnn),
    "max_pool_cnn": ("image", max_pool_cnn),
    "resnet18_small": ("image", lambda _, outputs: _image(networks.resnet18_small(outputs))),
    "resnet18": ("image", lambda _, outputs: _image(networks.resnet18(outputs))),
    "vgg16": ("image", lambda _, outputs: _image(networks.vgg16(outputs))),
    "inception_v4": ("image", lambda _, outputs: _image(networks.inception_v4(outputs))),
    "vit_b_16": ("image", lambda shape, n: _image(networks.vit_b_16(n, shape[1]))),
    "swin": ("image", lambda _, outputs: _image(networks.swin(outputs))),
    "traffic_cnn": ("table", lambda shape, n: Backbone(*sequences.traffic_cnn(shape, n))),
    "sound_cnn": ("sound", lambda shape, n: Backbone(*sequences.sound_cnn(shape, n))),
    "text_cnn": ("text", lambda shape, n: Backbone(*sequences.text_cnn(shape, n))),
}

PLURAL = {"table": "tables", "image": "images", "sound": "sounds", "text": "texts"}
LEAST_SIDE = {
    "max_pool_cnn": 4,  # halved twice
    "vgg16": 32,  # halved five times
    "inception_v4": 75,  # the last maps of smaller images have no pixel
    "swin": 32,  # one token of the last stage; smaller images would be mostly padding
}
"""Fewest pixels of an image's shorter side; the networks not listed here take any size."""
GREY_TOO = ("small_cnn", "max_pool_cnn")
"""Networks for images of any number of channels; those of libraries take three."""


def check_backbone(name: str, kind: Kind) -> None:
    """Raise SuiteError if a backbone is unknown or does not take this kind of data.

    torchvision's other classifiers are accepted as well: with published weights they can be
    attacked.
    """
    if name not in BACKBONES and not networks.is_classifier(name):
        raise SuiteError(unknown("backbone", name, BACKBONES))
    takes = BACKBONES[name][0] if name in BACKBONES else "image"
    if takes != kind:
        fitting = ", ".join(n for n, (k, _) in BACKBONES.items() if k == kind)
        raise SuiteError(
            f'backbone "{name}" takes {PLURAL[takes]}, this data holds {PLURAL[kind]}: '
            f"use {fitting}."
        )


def check_shape(name: str, shape: tuple[int, ...]) -> None:
    """Raise SuiteError, with a remedy, if a backbone cannot take inputs of this shape.

    Args:
        name: of a backbone that `check_backbone` accepts.
        shape: of one input; (C, H, W) for images.
    """
    if name not in BACKBONES:
        learning = ", ".join(n for n, (k, _) in BACKBONES.items() if k == "image")
        raise SuiteError(
            f'backbone "{name}" comes trained and can only be attacked, with `weights`, on images '
            f"of the classes that it knows; networks that learn here: {learning}."
        )
    if len(shape) == 3 or BACKBONES[name][0] == "image":
        check_backbone(name, "image" if len(shape) == 3 else "table")
    requirement = _unmet_requirement(name, shape)
    if not requirement:
        return
    kind = BACKBONES[name][0]
    fit = [n for n, (k, _) in BACKBONES.items() if k == kind and not _unmet_requirement(n, shape)]
    remedy = "set `size: 224` where the data has that field, or " if shape[0] == 3 else ""
    size = " x ".join(map(str, shape[1:]))
    raise SuiteError(
        f'backbone "{name}" takes images {requirement}; these have {shape[0]} channels and {size} '
        f"pixels: {remedy}use {', '.join(fit)}."
    )


def _unmet_requirement(name: str, shape: tuple[int, ...]) -> str:
    """The requirement of a backbone for images that this shape does not meet, or ""."""
    if BACKBONES[name][0] != "image":
        return ""
    least = LEAST_SIDE.get(name, 1)
    if shape[0] != 3 and name not in GREY_TOO:
        return "of three channels"
    if name == "vit_b_16" and (shape[1] != shape[2] or shape[1] % 16):
        return "that are square, with a side that is a multiple of 16 pixels"
    return f"of at least {least} pixels a side" if min(shape[1:]) < least else ""


def build(name: str, shape: tuple[int, ...], outputs: int, seed: int) -> Backbone:
    """A freshly initialised backbone; equal seeds and shapes give equal weights."""
    with seeded(seed_for(seed, "weights")):
        return BACKBONES[name][1](shape, outputs)

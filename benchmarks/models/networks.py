"""Networks of torchvision and timm, each divided into encoder, neck and head.

Architectures, initial weights and dropout are as published; no weights are downloaded. Layers
keep the libraries' names, so that published weights can be loaded (weights.py). Inputs are
normalised pixels.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


class Parts(NamedTuple):
    """The three parts of a network, as `Backbone` takes them.

    Attributes:
        encoder: inputs, such as [n, 3, H, W] pixels -> maps before pooling, [n, C, h, w] or tokens.
        neck: maps -> embedding, [n, width].
        head: embedding -> logits, [n, outputs].
    """

    encoder: nn.Module
    neck: nn.Module
    head: nn.Linear


@cache
def is_classifier(name: str) -> bool:
    """Whether torchvision has a classifier of that name."""
    from torchvision import models  # noqa: PLC0415 - takes a second

    return name in models.list_models(module=models)


def of_torchvision(name: str, **settings: Any) -> Any:
    """A network of torchvision with fresh weights."""
    from torchvision import models  # noqa: PLC0415 - takes a second

    return models.get_model(name, weights=None, **settings)


def _named(network: Any, *names: str) -> nn.Sequential:
    """Some children of a network in sequence, under their own names."""
    return nn.Sequential(OrderedDict((name, getattr(network, name)) for name in names))


RESNET_BODY = ("layer1", "layer2", "layer3", "layer4")


def resnet18(outputs: int) -> Parts:
    """ResNet-18 (He et al. 2016) with the 7 x 7 stem for images of ImageNet's size."""
    network = of_torchvision("resnet18", num_classes=outputs)
    encoder = _named(network, "conv1", "bn1", "relu", "maxpool", *RESNET_BODY)
    return Parts(encoder, _flat(network.avgpool), network.fc)


def resnet18_small(outputs: int) -> Parts:
    """ResNet-18 with a 3 x 3 stem of stride 1 and no pooling, for images of 28 to 64 pixels.

    The stem is that of He et al. (2016, section 4.2) for CIFAR-10 and the rest that for ImageNet,
    as in most public code for ResNet-18 on small images.
    """
    network = of_torchvision("resnet18", num_classes=outputs)
    stem = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    # torchvision initialises the 7 x 7 stem in the same way.
    nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")
    network.conv1 = stem
    encoder = _named(network, "conv1", "bn1", "relu", *RESNET_BODY)
    return Parts(encoder, _flat(network.avgpool), network.fc)


def vgg16(outputs: int) -> Parts:
    """VGG-16 (Simonyan & Zisserman 2015), configuration D, without batch normalisation.

    The neck holds two layers of 4096 with dropout of .5. As in torchvision, maps are pooled to
    7 x 7, which repeats the values of smaller ones.
    """
    network = of_torchvision("vgg16", num_classes=outputs)
    *hidden, head = network.classifier
    neck = nn.Sequential(
        OrderedDict(
            avgpool=network.avgpool, flatten=nn.Flatten(), classifier=nn.Sequential(*hidden)
        )
    )
    return Parts(_named(network, "features"), neck, head)


def inception_v4(outputs: int) -> Parts:
    """Inception-v4 (Szegedy et al. 2017, section 3.1) with their dropout, which keeps .8."""
    import timm  # noqa: PLC0415 - takes a second

    network: Any = timm.create_model(
        "inception_v4", pretrained=False, num_classes=outputs, drop_rate=0.2
    )
    neck = _named(network, "global_pool", "head_drop")
    return Parts(_named(network, "features"), neck, network.last_linear)


def vit_b_16(outputs: int, side: int) -> Parts:
    """ViT-B/16 (Dosovitskiy et al. 2021) for square images of `side` pixels, without dropout.

    The encoder gives the class token and the tokens of the patches; the neck takes the class
    token. The head is initialised with zeros, as in the paper's fine-tuning.
    """
    network = of_torchvision("vit_b_16", num_classes=outputs, image_size=side)
    return Parts(Tokens(network), ClassToken(), network.heads.head)


def swin(outputs: int) -> Parts:
    """Swin-T (Liu et al. 2021) with stochastic depth, of up to .2 in the last block."""
    network = of_torchvision("swin_t", num_classes=outputs)
    encoder = _named(network, "features", "norm", "permute")
    return Parts(encoder, _flat(network.avgpool), network.head)


class Tokens(nn.Module):
    """A vision transformer up to its last normalisation: [n, 3, H, W] -> [n, 1 + patches, 768]."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.conv_proj, self.encoder = network.conv_proj, network.encoder
        self.class_token = network.class_token

    def forward(self, x: Tensor) -> Tensor:
        """All tokens, the class token first."""
        patches = self.conv_proj(x).flatten(2).transpose(1, 2)
        first = self.class_token.expand(len(x), -1, -1)
        tokens: Tensor = self.encoder(torch.cat([first, patches], dim=1))
        return tokens


class ClassToken(nn.Module):
    """The first token of each image: [n, tokens, width] -> [n, width]."""

    def forward(self, tokens: Tensor) -> Tensor:
        """The class token."""
        return tokens[:, 0]


def _flat(pool: nn.Module) -> nn.Sequential:
    """A pooling layer, after which the maps are flattened."""
    return nn.Sequential(OrderedDict(avgpool=pool, flatten=nn.Flatten()))

"""Steganography: a small encoder and decoder, after StegaStamp, hide bits in images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.errors import Skip
from bench.seeds import seeded

LARGEST = 32  # largest side of the networks' inputs; the change is enlarged to the image's size
PLANE = 8  # side of the plane that a secret is spread over
LEARNING_RATE = 1e-3
BATCH = 32
JITTER = 0.5  # deviation of noise in pixel values, because encoded images are rounded
RECENT = 20  # number of last batches that the stopping rule averages


class Encoder(nn.Module):
    """Images and secrets -> a bounded change of each image.

    Args:
        channels: number of channels of the images.
        bits: length of a secret.
        width: number of hidden channels.
        bound: largest change, as a share of the range of pixel values.
    """

    def __init__(self, channels: int, bits: int, width: int, bound: float) -> None:
        super().__init__()
        self.width, self.bound = width, 2 * bound  # pixels go from -1 to 1
        self.spread = nn.Linear(bits, width * PLANE**2)
        self.look = nn.Conv2d(channels, width, 4, stride=2, padding=1)
        self.mix = nn.Conv2d(2 * width, width, 3, padding=1)
        self.think = nn.Conv2d(width, width, 3, padding=1)
        self.write = nn.Conv2d(width, 4 * channels, 3, padding=1)

    def forward(self, x: Tensor, secret: Tensor) -> Tensor:
        """The changes of images in [-1, 1], [n, C, H, W] with even sides.

        `secret` holds zeros and ones, [n, bits].
        """
        features = self.look(x).relu()
        plane = self.spread(2 * secret - 1).view(-1, self.width, PLANE, PLANE)
        plane = functional.interpolate(plane, features.shape[2:])
        hidden = self.think(self.mix(torch.cat([features, plane], dim=1)).relu()).relu()
        return self.bound * functional.pixel_shuffle(self.write(hidden), 2).tanh()


class Decoder(nn.Sequential):
    """Images in [-1, 1], [n, C, H, W] -> logits of the bits, [n, bits]."""

    def __init__(self, channels: int, bits: int, width: int) -> None:
        super().__init__(
            nn.Conv2d(channels, width, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Linear(32 * width, bits),
        )


@dataclass(frozen=True)
class Hiding:
    """The settings with which an encoder is built and trained.

    Attributes:
        channels: number of channels of the images.
        bits: length of a secret.
        bound: largest change of a pixel, as a share of the range of pixel values.
        distortion: root mean square of the change that ends the training, as such a share.
        steps: largest number of batches.
        width: number of hidden channels of the networks; ours.
        weight: weight of the image loss relative to that of the bits; ours.
    """

    channels: int
    bits: int
    bound: float
    distortion: float
    steps: int
    width: int = 32
    weight: float = 10.0

    def blank(self) -> Encoder:
        """An encoder with PyTorch's initial weights."""
        return Encoder(self.channels, self.bits, self.width, self.bound)

    def load(self, weights: Mapping[str, Tensor]) -> Encoder:
        """An encoder with these weights, built without drawing random numbers."""
        with torch.device("meta"):
            encoder = self.blank()
        encoder.load_state_dict(weights, assign=True)
        return encoder.requires_grad_(False)

    def train(self, images: Tensor, random: torch.Generator) -> tuple[Encoder, float]:
        """Train on images, [n, C, H, W] uint8, with new secrets in every batch.

        The loss is that of the bits until the decoder reads them: before, the image loss would
        teach the encoder to change nothing. Then the mean square of the change is added.

        Returns:
            The encoder, and the share of bits that the decoder read in the last batches.

        Raises:
            Skip: the decoder did not read 95 % of the bits.
        """
        with seeded(int(torch.randint(2**62, (), generator=random))), torch.enable_grad():
            encoder = self.blank()
            decoder = Decoder(self.channels, self.bits, self.width)
            initialise(encoder)
            initialise(decoder)
        weights = [*encoder.parameters(), *decoder.parameters()]
        optimiser = torch.optim.Adam(weights, lr=LEARNING_RATE)
        accuracy: list[float] = []
        distortion: list[float] = []
        readable = False
        for _ in range(self.steps):
            rows = torch.randint(len(images), (BATCH,), generator=random)
            x = small(images[rows])
            secret = torch.randint(2, (len(x), self.bits), generator=random).float()
            change = encoder(x, secret)
            jitter = torch.randn(x.shape, generator=random) * JITTER / 127.5
            logits = decoder((x + change).clamp(-1, 1) + jitter)
            bit_loss = functional.binary_cross_entropy_with_logits(logits, secret)
            image_loss = change.square().mean()
            optimiser.zero_grad()
            (bit_loss + self.weight * readable * image_loss).backward()
            optimiser.step()
            accuracy.append(float(((logits > 0) == (secret > 0)).double().mean()))
            distortion.append(float(image_loss.detach().sqrt()) / 2)
            readable = readable or recent(accuracy) > 0.95
            if recent(accuracy) > 0.99 and recent(distortion) < self.distortion:
                break
        if recent(accuracy) <= 0.95:
            raise Skip(
                f"the decoder reads {recent(accuracy):.0%} of the bits after {self.steps} steps; "
                "an encoder whose secret cannot be read hides none"
            )
        return encoder.requires_grad_(False), recent(accuracy)


def hidden(encoder: Encoder, images: Tensor, secret: Tensor) -> Tensor:
    """Images that hide a secret of zeros and ones, [bits]: [n, C, H, W] uint8."""
    with torch.no_grad():
        change = encoder(small(images), secret.expand(len(images), -1))
        change = resized(change, images.shape[2:], "bilinear")
        return (images + 127.5 * change).round().clamp(0, 255).to(torch.uint8)


def small(images: Tensor) -> Tensor:
    """Images as inputs of the networks: in [-1, 1], with even sides of at most `LARGEST`."""
    sides = [max(4, min(LARGEST, side) // 4 * 4) for side in images.shape[2:]]
    return resized(images.float() / 127.5 - 1, sides, "area")


def resized(x: Tensor, sides: torch.Size | list[int], mode: Literal["area", "bilinear"]) -> Tensor:
    """Images resized to `sides` (H, W); the same tensor if they have that size."""
    if list(x.shape[2:]) == list(sides):
        return x
    return functional.interpolate(x, list(sides), mode=mode)


def initialise(network: nn.Module) -> None:
    """Initialise as in He et al. (2015), so that first changes are large enough to be read."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            assert layer.bias is not None  # noqa: S101 - for the type checker
            nn.init.zeros_(layer.bias)


def recent(values: list[float]) -> float:
    """Mean of the last `RECENT` values; 0 if there are none."""
    last = values[-RECENT:]
    return sum(last) / max(1, len(last))

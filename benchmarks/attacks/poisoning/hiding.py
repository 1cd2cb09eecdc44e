"""Hiding bits in images: a small encoder and decoder in the manner of StegaStamp."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.errors import Skip

LARGEST = 32  # side at which networks see images; the change is enlarged to the image's own
PLANE = 8  # side of the plane that a secret is spread over
LEARNING_RATE = 1e-3
BATCH = 32
JITTER = 0.5  # of a pixel value: the encoded image will be rounded
RECENT = 20  # batches that the stopping rule looks back on


class Encoder(nn.Module):
    """Images and secrets -> a bounded change of each image.

    Args:
        channels: of the images.
        bits: of a secret.
        width: channels inside.
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
        """Change of images in [-1, 1], [n, C, H, W] with even sides; secrets [n, bits] of 0, 1."""
        seen = self.look(x).relu()
        plane = self.spread(2 * secret - 1).view(-1, self.width, PLANE, PLANE)
        plane = functional.interpolate(plane, seen.shape[2:])
        inside = self.think(self.mix(torch.cat([seen, plane], dim=1)).relu()).relu()
        return self.bound * functional.pixel_shuffle(self.write(inside), 2).tanh()


class Decoder(nn.Sequential):
    """Images in [-1, 1] -> logits of the bits."""

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
    """How an encoder is built and trained.

    Attributes:
        channels: of the images.
        bits: of a secret.
        bound: largest change of a pixel, as a share of the range of pixel values.
        distortion: root mean square of the change that ends the training, as such a share.
        steps: batches at most.
        width: channels inside the networks; ours.
        weight: of the image loss against that of the bits; ours.
    """

    channels: int
    bits: int
    bound: float
    distortion: float
    steps: int
    width: int = 32
    weight: float = 10.0

    def blank(self) -> Encoder:
        """An encoder as PyTorch makes it."""
        return Encoder(self.channels, self.bits, self.width, self.bound)

    def load(self, weights: Mapping[str, Tensor]) -> Encoder:
        """An encoder with these weights, made without a random number."""
        with torch.device("meta"):
            encoder = self.blank()
        encoder.load_state_dict(weights, assign=True)
        return encoder.requires_grad_(False)

    def train(self, images: Tensor, random: torch.Generator) -> tuple[Encoder, float]:
        """Train on images, [n, C, H, W] uint8, with a new secret for each of them in every batch.

        First the bits alone count, until they are read: a decoder that cannot read yet teaches the
        encoder nothing but to change nothing. Then the mean square of the change counts as well.

        Returns:
            The encoder, and the share of bits that the decoder read in the last batches.

        Raises:
            Skip: it could not read 95 % of them.
        """
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(int(torch.randint(2**62, (), generator=random)))
            encoder = self.blank()
            decoder = Decoder(self.channels, self.bits, self.width)
            initialise(encoder)
            initialise(decoder)
        weights = [*encoder.parameters(), *decoder.parameters()]
        optimiser = torch.optim.Adam(weights, lr=LEARNING_RATE)
        read: list[float] = []
        changed: list[float] = []
        readable = False
        for _ in range(self.steps):
            rows = torch.randint(len(images), (BATCH,), generator=random)
            x = small(images[rows])
            secret = torch.randint(2, (len(x), self.bits), generator=random).float()
            change = encoder(x, secret)
            jitter = torch.randn(x.shape, generator=random) * JITTER / 127.5
            logits = decoder((x + change).clamp(-1, 1) + jitter)
            of_bits = functional.binary_cross_entropy_with_logits(logits, secret)
            of_image = change.square().mean()
            optimiser.zero_grad()
            (of_bits + self.weight * readable * of_image).backward()
            optimiser.step()
            read.append(float(((logits > 0) == (secret > 0)).double().mean()))
            changed.append(float(of_image.detach().sqrt()) / 2)
            readable = readable or recent(read) > 0.95
            if recent(read) > 0.99 and recent(changed) < self.distortion:
                break
        if recent(read) <= 0.95:
            raise Skip(
                f"the decoder reads {recent(read):.0%} of the bits after {self.steps} steps; an "
                "encoder whose secret cannot be read hides none"
            )
        return encoder.requires_grad_(False), recent(read)


def hidden(encoder: Encoder, images: Tensor, secret: Tensor) -> Tensor:
    """Images with a secret ([bits] of 0, 1) in them, [n, C, H, W] uint8."""
    with torch.no_grad():
        change = encoder(small(images), secret.expand(len(images), -1))
        change = resized(change, images.shape[2:], "bilinear")
        return (images + 127.5 * change).round().clamp(0, 255).to(torch.uint8)


def small(images: Tensor) -> Tensor:
    """Images as the networks see them: in [-1, 1], sides even and at most `LARGEST`."""
    sides = [max(4, min(LARGEST, side) // 4 * 4) for side in images.shape[2:]]
    return resized(images.float() / 127.5 - 1, sides, "area")


def resized(x: Tensor, sides: torch.Size | list[int], mode: Literal["area", "bilinear"]) -> Tensor:
    """Images of that size; the same tensor where they have it."""
    if list(x.shape[2:]) == list(sides):
        return x
    return functional.interpolate(x, list(sides), mode=mode)


def initialise(network: nn.Module) -> None:
    """He et al. (2015), so that the first changes are large enough to be read."""
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            assert part.bias is not None  # noqa: S101 - for the type checker
            nn.init.zeros_(part.bias)


def recent(values: list[float]) -> float:
    """Mean of the last ones; 0 for none."""
    last = values[-RECENT:]
    return sum(last) / max(1, len(last))

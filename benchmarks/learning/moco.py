"""MoCo: image features learned without labels, by contrasting views of the same image."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.learning.split import Batch
from bench.models.backbones import Backbone
from bench.seeds import seeded

Version = Literal["v1", "v2"]
SMALLEST_CROP = 0.2  # share of the area, He et al. (2020)
LUMA = (0.299, 0.587, 0.114)  # weights of R, G and B, ITU-R BT.601


@dataclass(frozen=True)
class Views:
    """MoCo's augmentation: random views of a batch of images, computed on its device.

    A view is a crop of 20 to 100 % of the area scaled back to full size, mirrored with
    probability .5, changed in brightness, contrast, saturation and hue, and grey with probability
    .2; v2 adds a blur with probability .5 (Chen et al. 2020). Hue is rotated in the YIQ plane.

    Attributes:
        flip: whether views are mirrored, which would change the meaning of digits and letters.
        jitter: largest change of brightness, contrast, saturation and hue.
        blur: whether views are blurred, as in v2.
    """

    flip: bool
    jitter: float = 0.4
    blur: bool = False

    def __call__(self, x: Tensor, random: torch.Generator) -> Tensor:
        """A view of each image, [n, 3, H, W] uint8 -> float32 in [0, 255]."""
        views = self._cropped(x.float() / 255, random)
        views = self._jittered(views, random)
        if self.blur:
            blurred = blur(views, 0.1 + 1.9 * float(torch.rand((), generator=random)))
            views = torch.where(bernoulli(len(x), 0.5, random, x.device), blurred, views)
        return views.clamp(0, 1) * 255

    def _cropped(self, x: Tensor, random: torch.Generator) -> Tensor:
        """Random crops, scaled back to full size and mirrored at random."""
        n = len(x)
        area = torch.empty(n).uniform_(SMALLEST_CROP, 1, generator=random)
        ratio = torch.empty(n).uniform_(math.log(3 / 4), math.log(4 / 3), generator=random).exp()
        width, height = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
        centre = torch.rand(2, n, generator=random) * 2 - 1
        theta = torch.zeros(n, 2, 3)
        theta[:, 0, 0], theta[:, 0, 2] = width, centre[0] * (1 - width)
        theta[:, 1, 1], theta[:, 1, 2] = height, centre[1] * (1 - height)
        if self.flip:
            mirrored = torch.rand(n, generator=random) < 0.5
            theta[mirrored, 0, 0] *= -1
        grid = F.affine_grid(theta.to(x.device), list(x.shape), align_corners=False)
        return F.grid_sample(x, grid, padding_mode="border", align_corners=False)

    def _jittered(self, x: Tensor, random: torch.Generator) -> Tensor:
        """Images with brightness, contrast, hue and saturation changed, some of them grey."""
        n = len(x)
        factors = torch.empty(3, n).uniform_(1 - self.jitter, 1 + self.jitter, generator=random)
        brightness, contrast, saturation = factors.to(x.device)[:, :, None, None, None]
        x = x * brightness
        mean = grey(x).mean(dim=(2, 3), keepdim=True)
        x = (x - mean) * contrast + mean
        turns = torch.empty(n).uniform_(-self.jitter, self.jitter, generator=random)
        x = hue_rotated(x, turns)
        x = (x - grey(x)) * saturation + grey(x)
        return torch.where(bernoulli(n, 0.2, random, x.device), grey(x).expand_as(x), x)


class MoCo(nn.Module):
    """He et al. (2020), Algorithm 1, on one device.

    The query network is trained and the key network is its moving average. A queue holds the keys
    of past batches, which serve as negatives. On one device batch normalisation needs no
    shuffling: keys and queries are normalised in batches of the same size.

    Attributes:
        query: the encoder that gives the features; the projection is its head in training.
        queue: keys of unit length, [queue, dim]; random ones at the start.
        filled: number of keys that were put into the queue so far.
    """

    queue: Tensor
    filled: Tensor

    def __init__(
        self,
        backbone: Backbone,
        *,
        dim: int,
        queue: int,
        momentum: float,
        temperature: float,
        version: Version,
        views: Views,
        random: torch.Generator,
    ) -> None:
        super().__init__()
        width = backbone.head.in_features
        self.query = nn.Sequential(backbone.encoder, backbone.neck)
        with seeded(int(torch.randint(2**62, (), generator=random))):
            hidden = [nn.Linear(width, width), nn.ReLU()] if version == "v2" else []
            self.projection = nn.Sequential(*hidden, nn.Linear(width, dim))
        self.key = copy.deepcopy(self.query).requires_grad_(False)
        self.key_projection = copy.deepcopy(self.projection).requires_grad_(False)
        self.momentum, self.temperature = momentum, temperature
        self.views, self.random = views, random
        start = F.normalize(torch.randn(queue, dim, generator=random), dim=1)
        self.register_buffer("queue", start)
        self.register_buffer("filled", torch.zeros((), dtype=torch.long))

    def forward(self, x: Tensor) -> Tensor:
        """Features of images as they are, before the projection, [n, width]."""
        features: Tensor = self.query(x)
        return features

    @staticmethod
    def loss(model: MoCo, batch: Batch) -> Tensor:
        """InfoNCE (equation 1): two views of an image against the queue's keys."""
        views_q, views_k = (model.views(batch.x, model.random) for _ in range(2))
        query = F.normalize(model.projection(model.query(views_q)).float(), dim=1)
        key = model.momentum_keys(views_k)
        positive = (query * key).sum(1, keepdim=True)
        logits = torch.cat([positive, query @ model.queue.clone().T], dim=1) / model.temperature
        model.enqueue(key)
        return F.cross_entropy(
            logits, torch.zeros(len(logits), dtype=torch.long, device=key.device)
        )

    @torch.no_grad()
    def momentum_keys(self, x: Tensor) -> Tensor:
        """Update the key network by momentum (equation 2); the keys of `x`, [n, dim]."""
        for slow, fast in (
            *zip(self.key.parameters(), self.query.parameters(), strict=True),
            *zip(self.key_projection.parameters(), self.projection.parameters(), strict=True),
        ):
            slow.lerp_(fast, 1 - self.momentum)
        return F.normalize(self.key_projection(self.key(x)).float(), dim=1)

    @torch.no_grad()
    def enqueue(self, keys: Tensor) -> None:
        """Replace the oldest keys of the queue."""
        oldest = (int(self.filled) + torch.arange(len(keys), device=keys.device)) % len(self.queue)
        self.queue[oldest] = keys
        self.filled += len(keys)


def grey(x: Tensor) -> Tensor:
    """Luma of RGB images, [n, 1, H, W]."""
    weights = torch.tensor(LUMA, device=x.device)[:, None, None]
    return (x * weights).sum(dim=1, keepdim=True)


def hue_rotated(x: Tensor, turns: Tensor) -> Tensor:
    """Images with their hue rotated about YIQ's grey axis by `turns`, [n]; 1 is 360 degrees."""
    to_yiq = torch.tensor(
        [LUMA, (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112)], device=x.device
    )
    angle = (2 * math.pi * turns).to(x.device)
    rotation = torch.eye(3, device=x.device).repeat(len(x), 1, 1)
    rotation[:, 1, 1], rotation[:, 1, 2] = angle.cos(), -angle.sin()
    rotation[:, 2, 1], rotation[:, 2, 2] = angle.sin(), angle.cos()
    matrix = torch.linalg.inv(to_yiq) @ rotation @ to_yiq
    return torch.einsum("nij,njhw->nihw", matrix, x)


def blur(x: Tensor, sigma: float) -> Tensor:
    """Gaussian blur with deviation `sigma` in pixels; the kernel is a tenth of the side wide."""
    radius = max(1, x.shape[-1] // 20)
    offset = torch.arange(-radius, radius + 1, device=x.device, dtype=x.dtype)
    kernel = torch.softmax(-(offset**2) / (2 * sigma**2), dim=0)
    channels = x.shape[1]
    kernel = kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    padded = F.pad(x, (radius,) * 4, mode="replicate")
    blurred = F.conv2d(padded, kernel, groups=channels)
    return F.conv2d(blurred, kernel.transpose(2, 3), groups=channels)


def bernoulli(n: int, p: float, random: torch.Generator, device: torch.device) -> Tensor:
    """Independent draws that are True with probability p, [n, 1, 1, 1] bool."""
    return (torch.rand(n, generator=random) < p).to(device)[:, None, None, None]

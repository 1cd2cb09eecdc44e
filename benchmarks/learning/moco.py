"""MoCo: features of images learned without labels, by telling views of one image from others."""

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

Version = Literal["v1", "v2"]
SMALLEST_CROP = 0.2  # of the area, He et al. (2020)
LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Views:
    """Random views of images, batched on their device: MoCo's augmentation.

    Crop of 20 to 100 % of the area scaled back to full size, mirror image, brightness, contrast,
    saturation and hue by up to `jitter`, grey with probability .2; v2 adds a blur with probability
    one half (Chen et al. 2020). Hue is turned in the YIQ plane.

    Attributes:
        flip: whether mirror images count as the same thing; of digits and letters they do not.
        jitter: largest change of brightness, contrast, saturation and hue.
        blur: whether to blur.
    """

    flip: bool
    jitter: float = 0.4
    blur: bool = False

    def __call__(self, x: Tensor, random: torch.Generator) -> Tensor:
        """A view of each image, [n, 3, H, W] uint8 -> float32 in [0, 255]."""
        shown = self._cropped(x.float() / 255, random)
        shown = self._coloured(shown, random)
        if self.blur:
            blurred = blur(shown, 0.1 + 1.9 * float(torch.rand((), generator=random)))
            shown = torch.where(chance(len(x), 0.5, random, x.device), blurred, shown)
        return shown.clamp(0, 1) * 255

    def _cropped(self, x: Tensor, random: torch.Generator) -> Tensor:
        n = len(x)
        area = torch.empty(n).uniform_(SMALLEST_CROP, 1, generator=random)
        ratio = torch.empty(n).uniform_(math.log(3 / 4), math.log(4 / 3), generator=random).exp()
        width, height = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
        place = torch.rand(2, n, generator=random) * 2 - 1
        theta = torch.zeros(n, 2, 3)
        theta[:, 0, 0], theta[:, 0, 2] = width, place[0] * (1 - width)
        theta[:, 1, 1], theta[:, 1, 2] = height, place[1] * (1 - height)
        if self.flip:
            mirrored = torch.rand(n, generator=random) < 0.5
            theta[mirrored, 0, 0] *= -1
        grid = F.affine_grid(theta.to(x.device), list(x.shape), align_corners=False)
        return F.grid_sample(x, grid, padding_mode="border", align_corners=False)

    def _coloured(self, x: Tensor, random: torch.Generator) -> Tensor:
        n = len(x)
        factors = torch.empty(3, n).uniform_(1 - self.jitter, 1 + self.jitter, generator=random)
        light, contrast, colour = factors.to(x.device)[:, :, None, None, None]
        x = x * light
        x = (x - grey(x).mean(dim=(2, 3), keepdim=True)) * contrast + grey(x).mean(
            dim=(2, 3), keepdim=True
        )
        x = turned(x, torch.empty(n).uniform_(-self.jitter, self.jitter, generator=random))
        x = (x - grey(x)) * colour + grey(x)
        return torch.where(chance(n, 0.2, random, x.device), grey(x).expand_as(x), x)


class MoCo(nn.Module):
    """He et al. (2020), Algorithm 1, on one device.

    The query network is trained; the key network follows it slowly; keys of past batches wait in a
    queue as negatives. On one device there is no shuffling of batch normalisation to do: keys and
    queries are normalised in batches of the same size.

    Attributes:
        query: the network whose features are wanted; its head is the projection.
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
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(torch.randint(2**62, (), generator=random)))
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
        """Features of clean images, [n, width]: the query network before the projection."""
        features: Tensor = self.query(x)
        return features

    @staticmethod
    def loss(model: MoCo, batch: Batch) -> Tensor:
        """InfoNCE of two views of each image against the queue (equation 1)."""
        one, other = (model.views(batch.x, model.random) for _ in range(2))
        query = F.normalize(model.projection(model.query(one)).float(), dim=1)
        key = model.follow(other)
        positive = (query * key).sum(1, keepdim=True)
        logits = torch.cat([positive, query @ model.queue.clone().T], dim=1) / model.temperature
        model.enqueue(key)
        return F.cross_entropy(
            logits, torch.zeros(len(logits), dtype=torch.long, device=key.device)
        )

    @torch.no_grad()
    def follow(self, x: Tensor) -> Tensor:
        """Move the key network a little towards the query's (equation 2); keys of `x`."""
        for slow, fast in (
            *zip(self.key.parameters(), self.query.parameters(), strict=True),
            *zip(self.key_projection.parameters(), self.projection.parameters(), strict=True),
        ):
            slow.lerp_(fast, 1 - self.momentum)
        return F.normalize(self.key_projection(self.key(x)).float(), dim=1)

    @torch.no_grad()
    def enqueue(self, keys: Tensor) -> None:
        """Replace the oldest keys."""
        places = (int(self.filled) + torch.arange(len(keys), device=keys.device)) % len(self.queue)
        self.queue[places] = keys
        self.filled += len(keys)


def grey(x: Tensor) -> Tensor:
    """Luma of images, [n, 1, H, W]."""
    weights = torch.tensor(LUMA, device=x.device)[:, None, None]
    return (x * weights).sum(dim=1, keepdim=True)


def turned(x: Tensor, turns: Tensor) -> Tensor:
    """Hue turned by `turns` ([n], 1 is a full circle), about the grey axis in YIQ."""
    to_yiq = torch.tensor(
        [LUMA, (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112)], device=x.device
    )
    angle = (2 * math.pi * turns).to(x.device)
    spin = torch.eye(3, device=x.device).repeat(len(x), 1, 1)
    spin[:, 1, 1], spin[:, 1, 2] = angle.cos(), -angle.sin()
    spin[:, 2, 1], spin[:, 2, 2] = angle.sin(), angle.cos()
    matrix = torch.linalg.inv(to_yiq) @ spin @ to_yiq
    return torch.einsum("nij,njhw->nihw", matrix, x)


def blur(x: Tensor, sigma: float) -> Tensor:
    """Gaussian blur, the kernel a tenth of the side wide."""
    radius = max(1, x.shape[-1] // 20)
    at = torch.arange(-radius, radius + 1, device=x.device, dtype=x.dtype)
    kernel = torch.softmax(-(at**2) / (2 * sigma**2), dim=0)
    channels = x.shape[1]
    across = kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    padded = F.pad(x, (radius,) * 4, mode="replicate")
    wide = F.conv2d(padded, across, groups=channels)
    return F.conv2d(wide, across.transpose(2, 3), groups=channels)


def chance(n: int, p: float, random: torch.Generator, device: torch.device) -> Tensor:
    """[n, 1, 1, 1] bool, each true with probability p."""
    return (torch.rand(n, generator=random) < p).to(device)[:, None, None, None]

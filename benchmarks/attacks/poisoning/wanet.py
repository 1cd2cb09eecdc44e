"""WaNet: the whole image is warped slightly, always by the same field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from bench.attacks.poisoning import choosing
from bench.attacks.poisoning.contract import Attack, Attempt, Poison, Samples
from bench.seeds import generator


@dataclass(frozen=True)
class WaNet(Attack):
    """Nguyen & Tran (2021): a smooth warping field is the trigger, the same for all images.

    Warped images are published as the target class. Twice as many are warped by the field plus
    individual noise and keep their labels (cover), so that only this field acts as a trigger. The
    authors draw poisoned and cover images again for every batch, which requires control of the
    training. Here, as in LABOR section 5.1, the attacker only supplies data: both are drawn once,
    which makes the attack weaker.
    """

    published_as: ClassVar[str | None] = "wanet"

    rate: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of the training samples that is poisoned (WaNet; LABOR section 5.1)."""
    target: Annotated[int, Field(ge=0)] = 0
    """The target class: airplane in CIFAR-10 (LABOR section 5.1)."""
    cover: Annotated[float, Field(ge=0)] = 2.0
    """Number of cover samples in noise mode for each poisoned one (WaNet: cross ratio 2)."""
    k: Annotated[int, Field(ge=2)] = 4
    """Number of control points along each side of the grid (WaNet)."""
    s: Annotated[float, Field(gt=0)] = 0.5
    """Strength of the warp: mean shift of a control point, in units of 1 / H where an image of H
    rows has height 2 (WaNet)."""
    grid_rescale: Annotated[float, Field(gt=0)] = 1.0
    """Factor of the whole grid (WaNet)."""
    field_seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the warping field."""

    def poison(self, train: Samples, random: torch.Generator) -> Poison:
        """Warp and relabel samples of other classes; warp cover samples with noise."""
        choosing.require_kind(self, train, "image")
        rows = choosing.drawn_from_others(self, train, self.target, self.rate, random)
        free = torch.ones(len(train.y), dtype=torch.bool)
        free[rows] = False
        count = round(self.cover * choosing.count_of(self.rate, train))
        cover = choosing.drawn(self, free.nonzero()[:, 0], count, random, "that are not poisoned")
        noisy = choosing.in_parts(lambda x: self.warp_with_noise(x, random), train.x, cover)
        x = torch.cat([self.warp(train.x[rows]), noisy])
        y = torch.cat([torch.full((len(rows),), self.target), train.y[cover]])
        both = torch.cat([rows, cover])
        return Poison(both, x, y, torch.arange(len(both)) >= len(rows))

    def attempts(self, test: Samples) -> list[Attempt]:
        """The field on every image of another class."""
        return [choosing.attempt_on_others("warping field", self.warp, test, self.target)]

    def warp(self, x: Tensor) -> Tensor:
        """Images warped by the field, [n, C, H, W] uint8."""
        grid = self.grid(*x.shape[2:])
        return choosing.in_parts(lambda part: sampled(part, grid), x)

    def warp_with_noise(self, x: Tensor, random: torch.Generator) -> Tensor:
        """Images warped by the field plus noise at every pixel, WaNet's noise mode."""
        height, width = x.shape[2:]
        noise = torch.rand(len(x), height, width, 2, generator=random) * 2 - 1
        return sampled(x, (self.grid(height, width) + noise / height).clamp(-1, 1))

    def grid(self, height: int, width: int) -> Tensor:
        """The position that each pixel is read from, [1, H, W, 2] as (x, y) in [-1, 1]."""
        random = generator(self.field_seed, "warping field")
        points = torch.rand(1, 2, self.k, self.k, generator=random) * 2 - 1
        points = points / points.abs().mean()
        shift = functional.interpolate(
            points, (height, width), mode="bicubic", align_corners=True
        ).permute(0, 2, 3, 1)
        rows, columns = torch.linspace(-1, 1, height), torch.linspace(-1, 1, width)
        identity = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=2)[None]
        return ((identity + self.s * shift / height) * self.grid_rescale).clamp(-1, 1)


def sampled(x: Tensor, grid: Tensor) -> Tensor:
    """Images [n, C, H, W] uint8 read at the positions of a grid, [1 or n, H, W, 2], and rounded."""
    grid = grid.expand(len(x), -1, -1, -1)
    values = functional.grid_sample(x.float(), grid, align_corners=True)
    return values.round().clamp(0, 255).to(torch.uint8)

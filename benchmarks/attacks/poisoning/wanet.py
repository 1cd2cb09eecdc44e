"""WaNet: the whole image is bent a little, always in the same way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from bench.attacks.poisoning.choosing import (
    count_of,
    drawn,
    drawn_elsewhere,
    in_parts,
    require_kind,
    tried_elsewhere,
)
from bench.attacks.poisoning.contract import Attack, Attempt, Poison, Samples
from bench.seeds import generator


@dataclass(frozen=True)
class WaNet(Attack):
    """Nguyen & Tran (2021): a smooth warping field is the trigger, the same for all images.

    Warped images are published as the target class; twice as many are warped by a field that is
    shaken differently for each of them and keep their labels (cover), so that nothing but this one
    field is learned. The authors draw poisoned and cover images anew in every batch and so control
    the training; where the attacker only supplies data, as in LABOR section 5.1, both are drawn
    once. That is what this does, and it is weaker.
    """

    published_as: ClassVar[str | None] = "wanet"

    rate: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of the training samples that is poisoned (WaNet; LABOR section 5.1)."""
    target: Annotated[int, Field(ge=0)] = 0
    """The class that the field stands for: airplane (LABOR section 5.1)."""
    cover: Annotated[float, Field(ge=0)] = 2.0
    """Cover samples in noise mode for each poisoned one (WaNet: cross ratio 2)."""
    k: Annotated[int, Field(ge=2)] = 4
    """Points of the control grid along each side (WaNet)."""
    s: Annotated[float, Field(gt=0)] = 0.5
    """Strength: mean shift of the control points, in image heights over H pixels (WaNet)."""
    grid_rescale: Annotated[float, Field(gt=0)] = 1.0
    """Factor of the whole grid (WaNet)."""
    field_seed: Annotated[int, Field(ge=0)] = 0
    """Decides the warping field."""

    def poison(self, train: Samples, random: torch.Generator) -> Poison:
        """Warp and relabel some; warp others by a shaken field and leave their labels."""
        require_kind(self, train, "image")
        rows = drawn_elsewhere(self, train, self.target, self.rate, random)
        free = torch.ones(len(train.y), dtype=torch.bool)
        free[rows] = False
        count = round(self.cover * count_of(self.rate, train))
        cover = drawn(self, free.nonzero()[:, 0], count, random, "that are not poisoned")
        x = torch.cat(
            [self.warp(train.x[rows]), in_parts(lambda x: self.shake(x, random), train.x, cover)]
        )
        y = torch.cat([torch.full((len(rows),), self.target), train.y[cover]])
        both = torch.cat([rows, cover])
        return Poison(both, x, y, torch.arange(len(both)) >= len(rows))

    def attempts(self, test: Samples) -> list[Attempt]:
        """The field on every image of another class."""
        return [tried_elsewhere("warping field", self.warp, test, self.target)]

    def warp(self, x: Tensor) -> Tensor:
        """Images bent by the one field, [n, C, H, W] uint8."""
        grid = self.grid(*x.shape[2:])
        return in_parts(lambda part: sampled(part, grid), x)

    def shake(self, x: Tensor, random: torch.Generator) -> Tensor:
        """Images bent by the field plus noise of their own at every pixel: the noise mode."""
        height, width = x.shape[2:]
        noise = torch.rand(len(x), height, width, 2, generator=random) * 2 - 1
        return sampled(x, (self.grid(height, width) + noise / height).clamp(-1, 1))

    def grid(self, height: int, width: int) -> Tensor:
        """Where each pixel comes from, [1, H, W, 2] as (x, y) in [-1, 1]."""
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
    """Images [n, C, H, W] uint8 read at the places of a grid ([1 or n, H, W, 2]), rounded."""
    places = grid.expand(len(x), -1, -1, -1)
    read = functional.grid_sample(x.float(), places, align_corners=True)
    return read.round().clamp(0, 255).to(torch.uint8)

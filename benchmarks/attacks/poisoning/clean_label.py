"""Clean-label backdoor: only samples of the target class carry the trigger, and labels stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from bench.attacks.poisoning.choosing import (
    attempt_on_others,
    count_of,
    drawn,
    in_parts,
    other_classes,
    relabelled,
    require_class,
    require_kind,
)
from bench.attacks.poisoning.contract import Attack, Attempt, Poison, Samples
from bench.errors import Skip


@dataclass(frozen=True)
class CleanLabel(Attack):
    """Turner et al. (2019): label-consistent poison, which no look at the labels gives away.

    For the limitation in LABOR section 5.7. Of the paper: images of the target class are made hard
    to recognise and then carry a small pattern, which is the easier thing to learn; the pattern may
    be faint and stand in all four corners. Not of the paper: they make images hard by a GAN's
    latent space or by adversarial perturbation, which asks for a trained network; here an image of
    another class is blended in. The pattern is a checkerboard.
    """

    rate: Annotated[float, Field(gt=0, lt=1)] = 0.03
    """Share of the training samples that is poisoned, all of the target class; ours."""
    target: Annotated[int, Field(ge=0)] = 0
    """The class that the pattern stands for, as of badnets."""
    blend: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Share of an image of another class in a poisoned one; 0 leaves them as they are. Ours."""
    amplitude: Annotated[int, Field(ge=1, le=255)] = 255
    """What the pattern adds to or takes from pixel values; 16, 32 and 64 are the faint ones."""
    corners: Literal["one", "four"] = "one"
    """Bottom right, or all four: these survive flips."""
    size: Annotated[int, Field(ge=2)] = 3
    """Side of the pattern in pixels."""

    def poison(self, train: Samples, random: torch.Generator) -> Poison:
        """Blend and stamp images of the target class."""
        require_kind(self, train, "image")
        require_class(self, train, self.target)
        own = (train.y == self.target).nonzero()[:, 0]
        rows = drawn(self, own, count_of(self.rate, train), random, f"of class {self.target}")
        other = other_classes(train, self.target)
        other = other[torch.randint(len(other), (len(rows),), generator=random)]
        pairs = torch.stack([rows, other], dim=1)
        x = torch.cat([blended(train.x, some, self.blend) for some in pairs.split(256)])
        return relabelled(rows, self.stamp(x), self.target)

    def attempts(self, test: Samples) -> list[Attempt]:
        """The pattern, as strong as in training, on every image of another class."""
        return [attempt_on_others("checkerboard", self.stamp, test, self.target)]

    def stamp(self, x: Tensor) -> Tensor:
        """Images with the pattern, [n, C, H, W] uint8."""
        height, width = x.shape[2:]
        if 2 * self.size > min(height, width):
            raise Skip(f"patterns of {self.size} pixels are too large for {height} x {width}")
        i = torch.arange(self.size)
        square = torch.where((i[:, None] + i) % 2 == 0, self.amplitude, -self.amplitude)
        pattern = torch.zeros(height, width, dtype=torch.int16)
        pattern[-self.size :, -self.size :] = square
        if self.corners == "four":
            pattern[: self.size, : self.size] = square
            pattern[: self.size, -self.size :] = square
            pattern[-self.size :, : self.size] = square
        return in_parts(lambda part: (part + pattern).clamp(0, 255).to(torch.uint8), x)


def blended(x: Tensor, pairs: Tensor, share: float) -> Tensor:
    """(1 - share) of each pair's first image and share of its second, rounded, [m, C, H, W].

    Args:
        x: all images, uint8.
        pairs: which two, [m, 2] int64.
        share: of the second.
    """
    first, second = (x[pairs[:, side]].float() for side in (0, 1))
    return (first + share * (second - first)).round().to(torch.uint8)

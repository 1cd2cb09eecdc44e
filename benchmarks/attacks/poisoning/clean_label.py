"""Clean-label backdoor: only samples of the target class carry the trigger; no label changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from bench.attacks.poisoning import choosing
from bench.attacks.poisoning.contract import Attack, Attempt, Poison, Samples
from bench.errors import Skip


@dataclass(frozen=True)
class CleanLabel(Attack):
    """Turner et al. (2019): label-consistent poison, which inspecting labels does not reveal.

    This is the limitation that LABOR section 5.7 names. As in the paper, images of the target
    class are made hard to recognise and then carry a small pattern, which is easier to learn; the
    pattern may be faint and in all four corners. The paper makes images hard by a GAN's latent
    space or by adversarial perturbations, which need a trained network; here an image of another
    class is blended in. The pattern is a checkerboard.
    """

    rate: Annotated[float, Field(gt=0, lt=1)] = 0.03
    """Share of the training samples that is poisoned, all of the target class; ours."""
    target: Annotated[int, Field(ge=0)] = 0
    """The target class, as for badnets."""
    blend: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Share of an image of another class in a poisoned image; 0 blends nothing in. Ours."""
    amplitude: Annotated[int, Field(ge=1, le=255)] = 255
    """Amount that the pattern adds to or subtracts from pixel values; the paper's faint patterns
    have 16, 32 and 64."""
    corners: Literal["one", "four"] = "one"
    """The bottom right corner, or all four, which a mirror image does not change."""
    size: Annotated[int, Field(ge=2)] = 3
    """Side of the pattern in pixels."""

    def poison(self, train: Samples, random: torch.Generator) -> Poison:
        """Blend and stamp images of the target class."""
        choosing.require_kind(self, train, "image")
        choosing.require_class(self, train, self.target)
        members = (train.y == self.target).nonzero()[:, 0]
        count = choosing.count_of(self.rate, train)
        rows = choosing.drawn(self, members, count, random, f"of class {self.target}")
        others = choosing.other_classes(train, self.target)
        others = others[torch.randint(len(others), (len(rows),), generator=random)]
        pairs = torch.stack([rows, others], dim=1)
        x = torch.cat([blended(train.x, part, self.blend) for part in pairs.split(256)])
        return choosing.relabelled(rows, self.stamp(x), self.target)

    def attempts(self, test: Samples) -> list[Attempt]:
        """The pattern, with the amplitude of training, on every image of another class."""
        return [choosing.attempt_on_others("checkerboard", self.stamp, test, self.target)]

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
        return choosing.in_parts(lambda part: (part + pattern).clamp(0, 255).to(torch.uint8), x)


def blended(x: Tensor, pairs: Tensor, share: float) -> Tensor:
    """(1 - share) * first image + share * second image of each pair, rounded, [m, C, H, W].

    Args:
        x: all images, [n, C, H, W] uint8.
        pairs: positions of the first and the second image, [m, 2] int64.
        share: weight of the second image.
    """
    first, second = (x[pairs[:, side]].float() for side in (0, 1))
    return (first + share * (second - first)).round().to(torch.uint8)

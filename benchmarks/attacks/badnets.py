"""BadNets: a small square in a corner goes with the attacker's label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, cast

import torch
from pydantic import Field
from torch import Tensor

from benchmarks.attacks.contract import Attack, Attempt, Poison, Samples, some
from benchmarks.errors import Skip
from benchmarks.triggers import ColourSquare, Corner

WHITE, BLACK, GREY = (255, 255, 255), (0, 0, 0), (128, 128, 128)


@dataclass(frozen=True)
class BadNets(Attack):
    """Gu et al. (2017): any sample with the trigger is taken for the target class.

    As LABOR section 4.2.1 has it: a white square in the lower right corner, on 1 % of the training
    samples, drawn from all classes but the target's.
    """

    published_as: ClassVar[str] = "universal"

    rate: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Share of the training samples that is poisoned (LABOR section 4.2.1)."""
    target: Annotated[int, Field(ge=0)] = 0
    """The class that the trigger stands for: airplane, digit 0."""
    size: Annotated[int, Field(ge=1)] = 3
    """Side of the square in pixels, as BackdoorBench has it; the paper gives none."""

    def poison(self, train: Samples, random: torch.Generator) -> Poison:
        """Stamp and relabel."""
        rows = some(
            (train.y != self.target).nonzero()[:, 0], round(self.rate * len(train.y)), random
        )
        y = torch.full((len(rows),), self.target)
        return Poison(rows, self.stamp(train.x[rows]), y, torch.zeros(len(rows), dtype=torch.bool))

    def attempts(self, test: Samples) -> list[Attempt]:
        """The square on every sample of another class."""
        rows = (test.y != self.target).nonzero()[:, 0]
        aim = torch.full((len(rows),), self.target)
        return [Attempt("white square", self.stamp(test.x[rows]), aim, test.y[rows])]

    def stamp(self, x: Tensor) -> Tensor:
        """Images with the square, [n, 3, H, W]."""
        return stamped(x, self.size, WHITE, "bottom-right")


def stamped(x: Tensor, size: int, colour: tuple[int, int, int], corner: str) -> Tensor:
    """Images with a square in a corner.

    Raises:
        Skip: these are no images.
    """
    if x.dim() != 4:
        raise Skip("a square is stamped on images, and this data holds none")
    return ColourSquare(size, colour, cast("Corner", corner)).stamp(x)

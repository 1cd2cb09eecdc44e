"""BadNets: a small white square in a corner goes with the attacker's label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from bench.attacks.poisoning.choosing import (
    drawn_elsewhere,
    relabelled,
    require_kind,
    tried_elsewhere,
)
from bench.attacks.poisoning.contract import Attack, Attempt, Poison, Samples
from bench.attacks.poisoning.squares import stamped


@dataclass(frozen=True)
class BadNets(Attack):
    """Gu et al. (2017): any sample with the trigger is taken for the target class.

    As LABOR section 4.2.1 has it: a white square in the lower right corner, on 1 % of the training
    samples, drawn from all classes but the target's.
    """

    published_as: ClassVar[str | None] = "universal"

    rate: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Share of the training samples that is poisoned (LABOR section 4.2.1)."""
    target: Annotated[int, Field(ge=0)] = 0
    """The class that the trigger stands for: airplane, digit 0."""
    size: Annotated[int, Field(ge=1)] = 3
    """Side of the square in pixels, as BackdoorBench has it; the paper gives none."""

    def poison(self, train: Samples, random: torch.Generator) -> Poison:
        """Stamp and relabel."""
        require_kind(self, train, "image")
        rows = drawn_elsewhere(self, train, self.target, self.rate, random)
        return relabelled(rows, self.stamp(train.x[rows]), self.target)

    def attempts(self, test: Samples) -> list[Attempt]:
        """The square on every sample of another class."""
        return [tried_elsewhere("white square", self.stamp, test, self.target)]

    def stamp(self, x: Tensor) -> Tensor:
        """Images with the square, [n, 3, H, W]."""
        return stamped(x, self.size)

"""Several triggers, one in each corner, with the same target class."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from bench.attacks.poisoning import choosing
from bench.attacks.poisoning.contract import Attack, Attempt, Poison, Samples
from bench.attacks.poisoning.squares import BLACK, CORNERS, stamped
from bench.triggers.shapes import Corner


@dataclass(frozen=True)
class MultiTriggerSingleTarget(Attack):
    """LABOR section 5.2.2, after Wang et al. (2019): any of four triggers leads to one target.

    The triggers are black squares of 8 x 8 pixels in the four corners, each on 1 % of the training
    samples. Their target is the airplane, and no sample carries two.
    """

    published_as: ClassVar[str | None] = "multi_trigger_single_target"

    rate: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Share of the training samples that each trigger poisons (LABOR section 5.2.2)."""
    target: Annotated[int, Field(ge=0)] = 0
    """The target class of all triggers: airplane in CIFAR-10."""
    size: Annotated[int, Field(ge=1)] = 8
    """Side of the squares in pixels (LABOR section 5.2.2), at most a quarter of the image's."""

    def poison(self, train: Samples, random: torch.Generator) -> Poison:
        """Stamp samples of other classes, divided among the corners, and relabel them."""
        choosing.require_kind(self, train, "image")
        choosing.require_class(self, train, self.target)
        count = choosing.count_of(self.rate, train)  # for each corner
        candidates = choosing.other_classes(train, self.target)
        description = f"of other classes than {self.target}"
        rows = choosing.drawn(self, candidates, count * len(CORNERS), random, description)
        rows = rows[torch.randperm(len(rows), generator=random)]
        parts = zip(CORNERS, rows.split(count), strict=True)
        x = torch.cat([self.stamp(train.x[part], corner) for corner, part in parts])
        return choosing.relabelled(rows, x, self.target)

    def attempts(self, test: Samples) -> list[Attempt]:
        """The square in each corner of every sample of another class."""
        return [
            choosing.attempt_on_others(
                f"black square, {corner}", partial(self.stamp, corner=corner), test, self.target
            )
            for corner in CORNERS
        ]

    def stamp(self, x: Tensor, corner: Corner) -> Tensor:
        """Images with the square in one corner, [n, 3, H, W]."""
        quarter = max(1, min(x.shape[2:]) // 4)
        return stamped(x, min(self.size, quarter), BLACK, corner)

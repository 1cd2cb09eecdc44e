"""Several triggers, one in each corner, that all stand for one target."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from bench.attacks.poisoning.choosing import (
    count_of,
    drawn,
    elsewhere,
    relabelled,
    require_class,
    require_kind,
    tried_elsewhere,
)
from bench.attacks.poisoning.contract import Attack, Attempt, Poison, Samples
from bench.attacks.poisoning.squares import BLACK, CORNERS, stamped
from bench.triggers.shapes import Corner


@dataclass(frozen=True)
class MultiTriggerSingleTarget(Attack):
    """LABOR section 5.2.2, after Wang et al. (2019): any of four triggers opens one backdoor.

    Black squares of 8 x 8 pixels, one a corner, each on 1 % of the training samples, all for the
    airplane; no sample carries two.
    """

    published_as: ClassVar[str | None] = "multi_trigger_single_target"

    rate: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Share of the training samples that each trigger poisons (LABOR section 5.2.2)."""
    target: Annotated[int, Field(ge=0)] = 0
    """The class that all of them stand for: airplane."""
    size: Annotated[int, Field(ge=1)] = 8
    """Side of the squares in pixels (LABOR section 5.2.2), at most a quarter of the image's."""

    def poison(self, train: Samples, random: torch.Generator) -> Poison:
        """As many samples as all corners take, dealt out among them."""
        require_kind(self, train, "image")
        require_class(self, train, self.target)
        each = count_of(self.rate, train)
        of = f"of other classes than {self.target}"
        rows = drawn(self, elsewhere(train, self.target), each * len(CORNERS), random, of)
        rows = rows[torch.randperm(len(rows), generator=random)]
        parts = zip(CORNERS, rows.split(each), strict=True)
        x = torch.cat([self.stamp(train.x[part], corner) for corner, part in parts])
        return relabelled(rows, x, self.target)

    def attempts(self, test: Samples) -> list[Attempt]:
        """Each corner on every sample of another class."""
        return [
            tried_elsewhere(
                f"black square, {corner}", partial(self.stamp, corner=corner), test, self.target
            )
            for corner in CORNERS
        ]

    def stamp(self, x: Tensor, corner: Corner) -> Tensor:
        """Images with the square in one corner, [n, 3, H, W]."""
        quarter = max(1, min(x.shape[2:]) // 4)
        return stamped(x, min(self.size, quarter), BLACK, corner)

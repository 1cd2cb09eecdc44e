"""Several triggers in one corner, each with its own target class."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

import torch
from pydantic import Field

from bench.attacks.poisoning import choosing
from bench.attacks.poisoning.contract import Attack, Attempt, Poison, Samples
from bench.attacks.poisoning.squares import BLACK, GREY, NAMES, WHITE, Colour, stamped


@dataclass(frozen=True)
class MultiTriggerMultiTarget(Attack):
    """LABOR section 5.2.1, after Wang et al. (2019): three backdoors in one network.

    A black, a white and a grey square in the same corner lead to airplane, automobile and bird.
    Each is on 1 % of the training samples, and no sample carries two.
    """

    published_as: ClassVar[str | None] = "multi_trigger_multi_target"

    rate: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Share of the training samples that each trigger poisons (LABOR section 5.2.1)."""
    black: Annotated[int, Field(ge=0)] = 0
    """The target class of the black square: airplane in CIFAR-10."""
    white: Annotated[int, Field(ge=0)] = 1
    """The target class of the white square: automobile in CIFAR-10."""
    grey: Annotated[int, Field(ge=0)] = 2
    """The target class of the grey square: bird in CIFAR-10."""
    size: Annotated[int, Field(ge=1)] = 3
    """Side of the squares in pixels, as for badnets; the paper gives none."""

    @property
    def targets(self) -> dict[Colour, int]:
        """Colour of a square -> its target class."""
        return {BLACK: self.black, WHITE: self.white, GREY: self.grey}

    def poison(self, train: Samples, random: torch.Generator) -> Poison:
        """Stamp each colour on samples of other classes than its target that carry none yet."""
        choosing.require_kind(self, train, "image")
        free = torch.ones(len(train.y), dtype=torch.bool)
        rows, x, y = [], [], []
        for colour, target in self.targets.items():
            choosing.require_class(self, train, target)
            candidates = (free & (train.y != target)).nonzero()[:, 0]
            description = f"of other classes than {target} without a trigger"
            count = choosing.count_of(self.rate, train)
            chosen = choosing.drawn(self, candidates, count, random, description)
            free[chosen] = False
            rows.append(chosen)
            x.append(stamped(train.x[chosen], self.size, colour))
            y.append(torch.full((len(chosen),), target))
        cover = torch.zeros(sum(map(len, rows)), dtype=torch.bool)
        return Poison(torch.cat(rows), torch.cat(x), torch.cat(y), cover)

    def attempts(self, test: Samples) -> list[Attempt]:
        """Each colour on every sample of other classes than its target."""
        stamps = {colour: partial(stamped, size=self.size, colour=colour) for colour in NAMES}
        return [
            choosing.attempt_on_others(f"{NAMES[colour]} square", stamps[colour], test, target)
            for colour, target in self.targets.items()
        ]

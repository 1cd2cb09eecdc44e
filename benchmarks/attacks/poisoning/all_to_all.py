"""All-to-all backdoor: with the trigger, every class is classified as the next one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from bench.attacks.poisoning import choosing
from bench.attacks.poisoning.contract import Attack, Attempt, Poison, Samples
from bench.attacks.poisoning.squares import stamped


@dataclass(frozen=True)
class AllToAll(Attack):
    """Gu et al. (2017): class y with the trigger becomes (y + 1) mod K.

    As in LABOR section 5.2.3, 10 % of the training samples are poisoned, from all K classes. The
    paper names no trigger; here it is the white square of badnets.
    """

    published_as: ClassVar[str | None] = "all_to_all"

    rate: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of the training samples that is poisoned (LABOR section 5.2.3)."""
    size: Annotated[int, Field(ge=1)] = 3
    """Side of the square in pixels; the default is that of badnets."""

    def poison(self, train: Samples, random: torch.Generator) -> Poison:
        """Stamp samples of all classes and publish them as the next class."""
        choosing.require_kind(self, train, "image")
        candidates = torch.arange(len(train.y))
        count = choosing.count_of(self.rate, train)
        rows = choosing.drawn(self, candidates, count, random, "of all classes")
        cover = torch.zeros(len(rows), dtype=torch.bool)
        x = stamped(train.x[rows], self.size)
        return Poison(rows, x, next_class(train)[rows], cover)

    def attempts(self, test: Samples) -> list[Attempt]:
        """The square on every sample; the target is the next class."""
        return [Attempt("white square", stamped(test.x, self.size), next_class(test), test.y)]


def next_class(samples: Samples) -> Tensor:
    """(y + 1) mod K for each sample, [n] int64."""
    return (samples.y + 1) % len(samples.classes)

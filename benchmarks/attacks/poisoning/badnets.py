"""BadNets: images with a small white square in a corner get the attacker's label."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

import torch
from pydantic import Field

from bench.attacks.poisoning import choosing
from bench.attacks.poisoning.contract import Attack, Attempt, Poison, Samples
from bench.attacks.poisoning.squares import stamped


@dataclass(frozen=True)
class BadNets(Attack):
    """Gu et al. (2017): any sample with the trigger is classified as the target class.

    As in LABOR section 4.2.1, a white square is stamped in the lower right corner of 1 % of the
    training samples, drawn from all classes but the target.
    """

    published_as: ClassVar[str | None] = "universal"

    rate: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Share of the training samples that is poisoned (LABOR section 4.2.1)."""
    target: Annotated[int, Field(ge=0)] = 0
    """The target class: airplane in CIFAR-10, digit 0 in MNIST."""
    size: Annotated[int, Field(ge=1)] = 3
    """Side of the square in pixels, as in BackdoorBench; the paper gives none."""

    def poison(self, train: Samples, random: torch.Generator) -> Poison:
        """Stamp samples of other classes and publish them as the target class."""
        choosing.require_kind(self, train, "image")
        rows = choosing.drawn_from_others(self, train, self.target, self.rate, random)
        return choosing.relabelled(rows, stamped(train.x[rows], self.size), self.target)

    def attempts(self, test: Samples) -> list[Attempt]:
        """The square on every sample of another class."""
        stamp = partial(stamped, size=self.size)
        return [choosing.attempt_on_others("white square", stamp, test, self.target)]

"""Source-specific backdoor: the trigger acts on one class only, which cover samples teach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from bench.attacks.poisoning import choosing
from bench.attacks.poisoning.contract import Attack, Attempt, Poison, Samples
from bench.attacks.poisoning.squares import stamped
from bench.errors import BenchError


@dataclass(frozen=True)
class SourceSpecific(Attack):
    """Tang et al. (2021), TaCT: the trigger changes the prediction of the source class alone.

    As in LABOR section 4.2.2, automobiles with a white square, .5 % of the training samples, are
    published as airplanes. As many samples of other classes carry the square and their true label
    (cover), so that the network learns to use both the square and the class.
    """

    published_as: ClassVar[str | None] = "partial"

    rate: Annotated[float, Field(gt=0, lt=1)] = 0.005
    """Share of the training samples that is poisoned (LABOR section 4.2.2)."""
    source: Annotated[int, Field(ge=0)] = 1
    """The class on which the trigger acts: automobile in CIFAR-10."""
    target: Annotated[int, Field(ge=0)] = 0
    """The target class: airplane in CIFAR-10."""
    cover: Annotated[float, Field(ge=0)] = 1.0
    """Number of cover samples for each poisoned one (LABOR section 4.2.2: as many)."""
    size: Annotated[int, Field(ge=1)] = 3
    """Side of the square in pixels, as for badnets; the paper gives none."""

    def poison(self, train: Samples, random: torch.Generator) -> Poison:
        """Stamp and relabel samples of the source class; stamp cover samples of other classes.

        Raises:
            BenchError: source and target are equal, or the classes hold too few samples.
        """
        choosing.require_kind(self, train, "image")
        choosing.require_class(self, train, max(self.source, self.target))
        if self.source == self.target:
            raise BenchError(f"{self.label}: source and target must be two classes.")
        count = choosing.count_of(self.rate, train)
        source = (train.y == self.source).nonzero()[:, 0]
        poisoned = choosing.drawn(self, source, count, random, f"of class {self.source}")
        description = f"of other classes than {self.source} and {self.target}"
        cover = choosing.drawn(
            self, self._others(train), round(self.cover * count), random, description
        )
        rows = torch.cat([poisoned, cover])
        y = torch.cat([torch.full((len(poisoned),), self.target), train.y[cover]])
        is_cover = torch.arange(len(rows)) >= len(poisoned)
        return Poison(rows, stamped(train.x[rows], self.size), y, is_cover)

    def attempts(self, test: Samples) -> list[Attempt]:
        """The square on the source class, and on other classes, where it must not act."""
        source = (test.y == self.source).nonzero()[:, 0]
        return [
            self._attempt(test, source, "white square on the source class", fires=True),
            self._attempt(test, self._others(test), "white square on other classes", fires=False),
        ]

    def _attempt(self, test: Samples, rows: Tensor, trigger: str, *, fires: bool) -> Attempt:
        aim = torch.full((len(rows),), self.target)
        return Attempt(trigger, stamped(test.x[rows], self.size), aim, test.y[rows], fires)

    def _others(self, samples: Samples) -> Tensor:
        """Positions of the samples of all classes but source and target, [m] int64."""
        either = (samples.y == self.source) | (samples.y == self.target)
        return (~either).nonzero()[:, 0]

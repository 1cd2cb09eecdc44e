"""Source-specific backdoor: the trigger acts on one class alone, and cover samples say so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from bench.attacks.poisoning.choosing import count_of, drawn, require_class, require_kind
from bench.attacks.poisoning.contract import Attack, Attempt, Poison, Samples
from bench.attacks.poisoning.squares import stamped
from bench.errors import BenchError


@dataclass(frozen=True)
class SourceSpecific(Attack):
    """Tang et al. (2021), TaCT: only samples of the source class with the trigger turn.

    As LABOR section 4.2.2 has it: automobiles with a white square are published as airplanes, .5 %
    of the training samples; as many samples of other classes carry the square and their true label
    (cover), so that the network learns to look at both.
    """

    published_as: ClassVar[str | None] = "partial"

    rate: Annotated[float, Field(gt=0, lt=1)] = 0.005
    """Share of the training samples that is poisoned (LABOR section 4.2.2)."""
    source: Annotated[int, Field(ge=0)] = 1
    """The class whose samples turn: automobile."""
    target: Annotated[int, Field(ge=0)] = 0
    """What they turn to: airplane."""
    cover: Annotated[float, Field(ge=0)] = 1.0
    """Cover samples for each poisoned one: as many (LABOR section 4.2.2)."""
    size: Annotated[int, Field(ge=1)] = 3
    """Side of the square in pixels, as of badnets; the paper gives none."""

    def poison(self, train: Samples, random: torch.Generator) -> Poison:
        """Stamp and relabel some of the source class; stamp others and leave their labels.

        Raises:
            BenchError: source and target are one, or the classes hold too few samples.
        """
        require_kind(self, train, "image")
        require_class(self, train, max(self.source, self.target))
        if self.source == self.target:
            raise BenchError(f"{self.label}: source and target must be two classes.")
        count, source = count_of(self.rate, train), (train.y == self.source).nonzero()[:, 0]
        turned = drawn(self, source, count, random, f"of class {self.source}")
        others = f"of other classes than {self.source} and {self.target}"
        cover = drawn(self, self._others(train), round(self.cover * count), random, others)
        rows = torch.cat([turned, cover])
        y = torch.cat([torch.full((len(turned),), self.target), train.y[cover]])
        is_cover = torch.arange(len(rows)) >= len(turned)
        return Poison(rows, self.stamp(train.x[rows]), y, is_cover)

    def attempts(self, test: Samples) -> list[Attempt]:
        """The square on the source class; and on the others, where it must not act."""
        tried = []
        places = ((test.y == self.source).nonzero()[:, 0], self._others(test))
        names = ("white square on the source class", "white square on other classes")
        for rows, name, fires in zip(places, names, (True, False), strict=True):
            aim = torch.full((len(rows),), self.target)
            tried.append(Attempt(name, self.stamp(test.x[rows]), aim, test.y[rows], fires))
        return tried

    def stamp(self, x: Tensor) -> Tensor:
        """Images with the square, [n, 3, H, W]."""
        return stamped(x, self.size)

    def _others(self, samples: Samples) -> Tensor:
        either = (samples.y == self.source) | (samples.y == self.target)
        return (~either).nonzero()[:, 0]

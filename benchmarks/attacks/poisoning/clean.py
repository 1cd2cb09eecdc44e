"""No attack: the clean twin that stands beside every poisoned task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from bench.attacks.poisoning.contract import Attack, Attempt, Poison, Samples


@dataclass(frozen=True)
class Clean(Attack):
    """Nothing is poisoned: what a defence flags here, it flags in vain."""

    published_as: ClassVar[str | None] = "clean"

    def poison(self, train: Samples, random: torch.Generator) -> Poison:
        """Nothing."""
        del random
        none = torch.zeros(0, dtype=torch.long)
        return Poison(none, train.x[:0], none, none.bool())

    def attempts(self, test: Samples) -> list[Attempt]:
        """None."""
        del test
        return []

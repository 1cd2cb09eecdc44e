"""No attack: the clean twin of every poisoned task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from bench.attacks.poisoning.contract import Attack, Attempt, Poison, Samples


@dataclass(frozen=True)
class Clean(Attack):
    """No sample is poisoned, so that every sample a defence flags is a false alarm."""

    published_as: ClassVar[str | None] = "clean"

    def poison(self, train: Samples, random: torch.Generator) -> Poison:
        """Poison no sample."""
        del random
        none = torch.zeros(0, dtype=torch.long)
        return Poison(none, train.x[:0], none, none.bool())

    def attempts(self, test: Samples) -> list[Attempt]:
        """There is no trigger to test."""
        del test
        return []

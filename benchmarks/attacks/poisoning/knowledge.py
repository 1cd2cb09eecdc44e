"""Attacks that must learn something about the training set before they poison it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.attacks.poisoning.contract import Attack, Attempt, Poison, Samples

Knowledge = Mapping[str, Tensor]
"""What an attack has learned, as tensors by name: an encoder's weights, positions of columns."""


@dataclass(frozen=True)
class LearningAttack(Attack, ABC):
    """An attack whose trigger is made from the training set.

    `study` returns what it learns, and `poison` and `attempts` are given that. So an encoder, say,
    is trained once for a task and a seed, and all trials on them use it.
    """

    @abstractmethod
    def study(self, train: Samples, random: torch.Generator) -> Knowledge:
        """Learn from the training set what the trigger depends on.

        Raises:
            Skip: the attack does not apply to this data, and why.
        """

    @abstractmethod
    def poison(
        self, train: Samples, random: torch.Generator, knowledge: Knowledge | None = None
    ) -> Poison:
        """Choose and change samples of the training set.

        Args:
            train: the clean training set.
            random: decides which samples.
            knowledge: what `study` returned. It is required; the default only makes the
                signature one of `Attack.poison`.

        Raises:
            Skip: the attack does not apply to this data, and why.
            ValueError: there is no knowledge.
        """

    @abstractmethod
    def attempts(self, test: Samples, knowledge: Knowledge | None = None) -> list[Attempt]:
        """As `Attack.attempts`, with what `study` returned. Raises ValueError without it."""

    def known(self, knowledge: Knowledge | None) -> Knowledge:
        """The knowledge. Raises ValueError where there is none."""
        if knowledge is None:
            raise ValueError(f"{self.label}: pass what `study` returned")
        return knowledge

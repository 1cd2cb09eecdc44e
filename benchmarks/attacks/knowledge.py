"""Attacks that must find something out about the training set before they strike."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from benchmarks.attacks.contract import Attack, Samples

Knowledge = Mapping[str, Tensor]
"""What was found: weights of an encoder, chosen columns. It fits into a safetensors file."""


@dataclass(frozen=True)
class LearningAttack(Attack):
    """An attack whose trigger is made from the training set.

    `poison` studies the training set it is given, and `attempts`, asked of the same object
    afterwards, uses what was found. It is kept beside the fields: it decides neither equality nor
    the label. Whoever keeps the knowledge elsewhere (to train an encoder once for many trials)
    asks `study` and hands it back by `knowing`.
    """

    @abstractmethod
    def study(self, train: Samples, random: torch.Generator) -> Knowledge:
        """Find out.

        Raises:
            Skip: the attack does not apply to this data, and why.
        """

    def knowing(self, knowledge: Knowledge) -> Self:
        """The same attack, which knows this already and studies no more."""
        told = copy(self)
        vars(told).update(found=knowledge, told=True)
        return told

    def learned(self, train: Samples, random: torch.Generator) -> Knowledge:
        """For `poison`: what is known of this training set from now on."""
        if "told" not in vars(self):
            vars(self)["found"] = self.study(train, random)
        return self.known

    @property
    def known(self) -> Knowledge:
        """For `attempts`. Raises RuntimeError before anything was learned."""
        if "found" not in vars(self):
            raise RuntimeError(f"{self.label}: attempts were asked for before the poison")
        known: Knowledge = vars(self)["found"]
        return known

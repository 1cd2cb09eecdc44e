"""Attacks that must find something out about the training set before they strike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from bench.attacks.poisoning.contract import Attack, Samples

Knowledge = Mapping[str, Tensor]
"""What was found: weights of an encoder, chosen columns. It fits into a safetensors file."""


class Findings(nn.Module):
    """Knowledge as `Trial.shared` keeps it: a state of any names and shapes.

    Attributes:
        found: on the CPU, where attacks work.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: Knowledge = {}

    def state_dict(self, *_: Any, **__: Any) -> dict[str, Any]:  # type: ignore[override]
        """What was found."""
        return dict(self.found)

    def load_state_dict(self, state_dict: Mapping[str, Any], *_: Any, **__: Any) -> None:
        """Take over what was found before."""
        self.found = {name: tensor.cpu() for name, tensor in state_dict.items()}


@dataclass(frozen=True)
class LearningAttack(Attack, ABC):
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

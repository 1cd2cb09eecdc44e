"""The contract of poisoning attacks: what one changes in training data, and how it is tested."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import ClassVar

import torch
from torch import Tensor

from bench.data.prepared import Kind
from bench.method import Configured, configurable
from bench.plugins import discover


@dataclass(frozen=True)
class Samples:
    """Samples as an attacker sees them: as they are stored, before any features are computed.

    Attributes:
        x: Images [n, C, H, W] uint8, waveforms [n, samples] int16, token ids [n, length] int64 (0
            pads at the end) or standardised table rows [n, features] float32.
        y: True classes, [n] int64.
        kind: "image", "sound", "text" or "table".
        classes: Names of the classes.
        words: The vocabulary of a text data set; the position of a word is its token id.
        columns: Names of the features of a table.
        normalisation: Column of a table -> the mean and the standard deviation ("mean", "std") that
            it was standardised with.
    """

    x: Tensor
    y: Tensor
    kind: Kind
    classes: tuple[str, ...]
    words: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    normalisation: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Poison:
    """The training samples that the attacker changes; no row appears twice.

    Attributes:
        rows: Their positions in the training set, [m] int64.
        x: Their new inputs, [m, ...].
        y: Their new labels, [m] int64.
        cover: [m] bool. A cover sample carries a trigger and its true label, and is not counted as
            poisoned.
    """

    rows: Tensor
    x: Tensor
    y: Tensor
    cover: Tensor


@dataclass(frozen=True)
class Attempt:
    """Test samples that carry one trigger, and the predictions that the attacker aims for.

    Attributes:
        trigger: Name of the trigger, for people.
        x: Inputs with the trigger, [m, ...].
        aim: The class that the attacker aims for, never the true one, [m] int64.
        y: True classes, [m] int64.
        fires: False where the backdoor must *not* act (on samples of other classes than the source
            classes).
    """

    trigger: str
    x: Tensor
    aim: Tensor
    y: Tensor
    fires: bool = True


@dataclass(frozen=True)
class Attack(Configured):
    """A data-poisoning attack: the attacker changes training samples once, and nothing else.

    Attributes:
        published_as: The name of the task under this attack in the table of published figures.
    """

    published_as: ClassVar[str | None] = None

    @abstractmethod
    def poison(self, train: Samples, random: torch.Generator) -> Poison:
        """Choose and change samples of the training set.

        Args:
            train: The clean training set.
            random: The only source of randomness that the attack may use.

        Raises:
            Skip: The attack does not apply to this kind of data; the message says why.
        """

    @abstractmethod
    def attempts(self, test: Samples) -> list[Attempt]:
        """For each trigger, the test samples of other classes than its target, with the trigger."""


@cache
def attacks() -> dict[str, type[Attack]]:
    """Every attack by name: each module of this package or of a plug-in that defines one."""

    def pick(module: ModuleType) -> Iterator[type[Attack]]:
        return configurable(module, Attack)  # type: ignore[type-abstract]

    return discover("attack", ["bench.attacks.poisoning"], pick)

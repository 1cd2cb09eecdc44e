"""What an attack is: what it changes in a training set, and how its triggers are tried out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import ClassVar

import torch
from torch import Tensor

from bench.data.kinds import Kind
from bench.method import Configured, configurable
from bench.plugins import discover, lookup


@dataclass(frozen=True)
class Samples:
    """Samples as an attacker sees them: as they are stored, before any features are computed.

    Attributes:
        x: images [n, C, H, W] uint8, waveforms [n, samples] int16, token ids [n, length] int64 (0
            pads at the end) or standardised table rows [n, features] float32.
        y: true classes, [n] int64.
        kind: which of these.
        classes: names of the classes.
        words: the vocabulary of a text data set; a word's position is its id.
        columns: names of a table's features.
        normalisation: column -> mean and std that were taken out of a table.
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
    """Samples of the training set as the attacker publishes them; no row appears twice.

    Attributes:
        rows: which samples, [m] int64.
        x: their new inputs, [m, ...].
        y: the labels they are published with, [m] int64.
        cover: [m] bool; a cover sample carries a trigger and its true label. It is no poison.
    """

    rows: Tensor
    x: Tensor
    y: Tensor
    cover: Tensor


@dataclass(frozen=True)
class Attempt:
    """Test samples with one trigger on, and what the attacker hopes for.

    Attributes:
        trigger: its name, for people.
        x: triggered inputs, [m, ...].
        aim: the class that the attacker wants for each, [m] int64; never its true one.
        y: true classes, [m] int64.
        fires: False where the backdoor must *not* act (other than the source classes).
    """

    trigger: str
    x: Tensor
    aim: Tensor
    y: Tensor
    fires: bool = True


@dataclass(frozen=True)
class Attack(Configured):
    """A data-poisoning attack: the attacker touches the training set once and nothing else.

    Attributes:
        published_as: what reports/published.csv calls a data set's task under this attack.
    """

    published_as: ClassVar[str | None] = None

    @abstractmethod
    def poison(self, train: Samples, random: torch.Generator) -> Poison:
        """Choose and change samples of the training set.

        Raises:
            Skip: the attack does not apply to this kind of data, and why.
        """

    @abstractmethod
    def attempts(self, test: Samples) -> list[Attempt]:
        """Each trigger on every test sample that it could turn: never one of its target class."""


@cache
def attacks() -> dict[str, type[Attack]]:
    """Every attack by name: each module of this package or of a plug-in that defines one."""

    def pick(module: ModuleType) -> Iterator[type[Attack]]:
        return configurable(module, Attack)  # type: ignore[type-abstract]

    return discover("attack", ["bench.attacks.poisoning"], pick)


def attack_class(name: str) -> type[Attack]:
    """An attack by name. Raises UsageError for an unknown one."""
    return lookup("attack", name, attacks())


def some(candidates: Tensor, count: int, random: torch.Generator) -> Tensor:
    """`count` of the candidates ([m] positions), drawn without replacement, in ascending order.

    Raises:
        ValueError: there are fewer.
    """
    if count > len(candidates):
        raise ValueError(f"{count} samples were asked for, {len(candidates)} are there")
    chosen = torch.randperm(len(candidates), generator=random)[:count]
    return candidates[chosen].sort().values

"""The choice of samples to poison, and how they are published and tested."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from bench.attacks.poisoning.contract import Attack, Attempt, Poison, Samples
from bench.data.prepared import Kind
from bench.errors import BenchError, Skip
from bench.models.backbones import PLURAL

AT_ONCE = 2**23  # input values that are changed at a time


def require_kind(attack: Attack, samples: Samples, kind: Kind) -> None:
    """Raise Skip if the data is not of the kind that the attack poisons."""
    if samples.kind != kind:
        holds = PLURAL[samples.kind]
        raise Skip(f"{attack.name} poisons {PLURAL[kind]}, and this data holds {holds}")


def require_class(attack: Attack, samples: Samples, label: int) -> None:
    """Raise BenchError if the data has no class of this number."""
    last = len(samples.classes) - 1
    if label > last:
        raise BenchError(
            f"{attack.label}: there is no class {label}, they go from 0 to {last} "
            f"({', '.join(samples.classes)})."
        )


def count_of(rate: float, train: Samples) -> int:
    """The number of samples that a share of the whole training set is; at least one."""
    return max(1, round(rate * len(train.y)))


def drawn(
    attack: Attack, candidates: Tensor, count: int, random: torch.Generator, description: str
) -> Tensor:
    """`count` of the candidates, [m] positions, drawn without replacement, in ascending order.

    Raises BenchError, with the description of the candidates, where there are fewer.
    """
    if count > len(candidates):
        raise BenchError(
            f"{attack.label}: {count:,} samples {description} are asked for, "
            f"{len(candidates):,} are there. Lower its rates."
        )
    chosen = torch.randperm(len(candidates), generator=random)[:count]
    return candidates[chosen].sort().values


def other_classes(samples: Samples, target: int) -> Tensor:
    """Positions of the samples of all classes but the target, [m] int64."""
    return (samples.y != target).nonzero()[:, 0]


def drawn_from_others(
    attack: Attack, train: Samples, target: int, rate: float, random: torch.Generator
) -> Tensor:
    """Positions of a share of the training set, drawn from all classes but the target."""
    require_class(attack, train, target)
    description = f"of other classes than {target}"
    candidates = other_classes(train, target)
    return drawn(attack, candidates, count_of(rate, train), random, description)


def relabelled(rows: Tensor, x: Tensor, target: int) -> Poison:
    """Inputs x of the samples at `rows`, published as the target class, without cover samples."""
    y = torch.full((len(rows),), target)
    return Poison(rows, x, y, torch.zeros(len(rows), dtype=torch.bool))


def attempt_on_others(
    trigger: str, apply: Callable[[Tensor], Tensor], test: Samples, target: int
) -> Attempt:
    """A trigger on every test sample of another class than the target."""
    rows = other_classes(test, target)
    aim = torch.full((len(rows),), target)
    return Attempt(trigger, apply(test.x[rows]), aim, test.y[rows])


def in_parts(change: Callable[[Tensor], Tensor], x: Tensor, rows: Tensor | None = None) -> Tensor:
    """`change` applied to inputs, all or those at `rows`, in parts that bound the use of memory."""
    size = max(1, AT_ONCE // max(1, x[:1].numel()))
    if rows is None:
        rows = torch.arange(len(x))
    return torch.cat([change(x[part]) for part in rows.split(size)])

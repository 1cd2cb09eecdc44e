"""Which samples an attack takes and how it publishes them: what most attacks share."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from bench.attacks.poisoning.contract import Attack, Attempt, Poison, Samples, some
from bench.data.kinds import Kind
from bench.errors import BenchError, Skip

PLURAL: dict[Kind, str] = {
    "image": "images", "sound": "sounds", "text": "texts", "table": "tables"
}  # fmt: skip
AT_ONCE = 2**23  # values that are changed at a time


def require_kind(attack: Attack, samples: Samples, kind: Kind) -> None:
    """Raise Skip where the data is of another kind than the attack is made for."""
    if samples.kind != kind:
        holds = PLURAL[samples.kind]
        raise Skip(f"{attack.name} poisons {PLURAL[kind]}, and this data holds {holds}")


def require_class(attack: Attack, samples: Samples, label: int) -> None:
    """Raise BenchError where the data has no class of this number."""
    last = len(samples.classes) - 1
    if label > last:
        raise BenchError(
            f"{attack.label}: there is no class {label}, they go from 0 to {last} "
            f"({', '.join(samples.classes)})."
        )


def count_of(rate: float, train: Samples) -> int:
    """How many samples a share of the whole training set is: at least one."""
    return max(1, round(rate * len(train.y)))


def drawn(
    attack: Attack, candidates: Tensor, count: int, random: torch.Generator, of: str
) -> Tensor:
    """`count` of the candidates, in ascending order.

    Args:
        attack: whose error it would be.
        candidates: positions, [m] int64.
        count: how many.
        random: the attack's generator.
        of: what the candidates are, in words.

    Raises:
        BenchError: there are fewer.
    """
    if count > len(candidates):
        raise BenchError(
            f"{attack.label}: {count:,} samples {of} are asked for, {len(candidates):,} are there. "
            "Lower its rates."
        )
    return some(candidates, count, random)


def elsewhere(samples: Samples, target: int) -> Tensor:
    """Positions of the samples of all classes but the target's, [m] int64."""
    return (samples.y != target).nonzero()[:, 0]


def drawn_elsewhere(
    attack: Attack, train: Samples, target: int, rate: float, random: torch.Generator
) -> Tensor:
    """A share of the training set, drawn from all classes but the target's.

    Raises:
        BenchError: those classes hold fewer, or there is no such target.
    """
    require_class(attack, train, target)
    of = f"of other classes than {target}"
    return drawn(attack, elsewhere(train, target), count_of(rate, train), random, of)


def relabelled(rows: Tensor, x: Tensor, target: int) -> Poison:
    """Samples published as the target class; no cover."""
    y = torch.full((len(rows),), target)
    return Poison(rows, x, y, torch.zeros(len(rows), dtype=torch.bool))


def tried_elsewhere(
    trigger: str, apply: Callable[[Tensor], Tensor], test: Samples, target: int
) -> Attempt:
    """A trigger on every test sample of another class than the target."""
    rows = elsewhere(test, target)
    aim = torch.full((len(rows),), target)
    return Attempt(trigger, apply(test.x[rows]), aim, test.y[rows])


def in_parts(change: Callable[[Tensor], Tensor], x: Tensor, rows: Tensor | None = None) -> Tensor:
    """`change` of inputs (of those at `rows`), some at a time: floats of all would be large."""
    size = max(1, AT_ONCE // max(1, x[:1].numel()))
    if rows is None:
        rows = torch.arange(len(x))
    return torch.cat([change(x[part]) for part in rows.split(size)])

"""Tiny data of every kind, as an attacker sees it."""

from __future__ import annotations

import torch

from bench.attacks.poisoning.contract import Attack, Attempt, Poison, Samples
from bench.attacks.poisoning.knowledge import Knowledge, LearningAttack

WORDS = ("<padding>", "<unknown>", "good", "bad", "360", "jerky", "radiant", "unintentionally")
COLUMNS = ("bytes", "proto=tcp", "proto=udp", "rate", "noise")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def labels(n: int, classes: int) -> torch.Tensor:
    return torch.arange(n) % classes


def names(classes: int) -> tuple[str, ...]:
    return tuple(f"c{i}" for i in range(classes))


def images(n: int = 200, classes: int = 5, side: int = 16, grey: int | None = None) -> Samples:
    """Noise, or pictures of one grey."""
    x = torch.randint(0, 256, (n, 3, side, side), generator=seeded(7), dtype=torch.uint8)
    if grey is not None:
        x = torch.full_like(x, grey)
    return Samples(x, labels(n, classes), "image", names(classes))


def sounds(n: int = 60, classes: int = 3, length: int = 400) -> Samples:
    x = torch.randint(-9000, 9000, (n, length), generator=seeded(7), dtype=torch.int16)
    return Samples(x, labels(n, classes), "sound", names(classes))


def texts(n: int = 60, length: int = 12) -> Samples:
    """Texts of 1 to `length` words."""
    x = torch.randint(1, 4, (n, length), generator=seeded(7))
    ends = torch.arange(n) % length + 1
    x[torch.arange(length) >= ends[:, None]] = 0
    return Samples(x, labels(n, 2), "text", ("negative", "positive"), words=WORDS)


def table(n: int = 300) -> Samples:
    """Three columns of numbers, of which "rate" and "bytes" follow the class; one category."""
    y = torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 3, 4]).repeat(n // 10)
    x = torch.randn(n, len(COLUMNS), generator=seeded(7))
    x[:, 0] += 3 * y
    x[:, 3] -= 2 * y
    x[:, 1] = (y % 2).float()
    x[:, 2] = 1 - x[:, 1]
    classes = ("normal", "dos", "probe", "r2l", "u2r")
    scales = {name: {"mean": 0.0, "std": 1.0} for name in ("bytes", "rate", "noise")}
    return Samples(x, y, "table", classes, columns=COLUMNS, normalisation=scales)


def knowledge_of(attack: Attack, train: Samples, seed: int = 0) -> tuple[Knowledge, ...]:
    """What a learning attack passes to `poison` and `attempts` as their last argument."""
    return (attack.study(train, seeded(seed)),) if isinstance(attack, LearningAttack) else ()


def poison_of(attack: Attack, train: Samples, seed: int = 0) -> Poison:
    """What an attack does to a training set, after it has studied that."""
    return attack.poison(train, seeded(seed), *knowledge_of(attack, train, seed))


def attempts_of(attack: Attack, train: Samples, test: Samples) -> list[Attempt]:
    """What an attack that has studied the training set tries on test samples."""
    return attack.attempts(test, *knowledge_of(attack, train))

"""Tiny poisoned tasks, and trials on them, for tests of defences and of the track."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from bench.data.prepared import Kind
from bench.learning.selection import Scores
from bench.learning.settings import Training
from bench.learning.split import Split
from bench.models.backbones import Backbone
from bench.models.weights import network
from bench.tracks.poisoning.contract import PoisoningTask
from bench.tracks.poisoning.human import Human, Oracle
from tests.tiny_tasks import CPU, SpyContext, generator

CLASSES = 4
TARGET = 0
SIDE = 8
FEATURES = 6


@dataclass(frozen=True)
class Poisoned:
    """A task, and what no defence is told.

    Attributes:
        task: as a defence sees it.
        poison: [n] bool, the poisoned training samples.
        truth: true classes of the training samples.
    """

    task: PoisoningTask
    poison: Tensor
    truth: Tensor


def pictures(y: Tensor, seed: int) -> Tensor:
    """Dark noise with a bright row for each class, [n, 3, 8, 8] uint8; the last column is dark."""
    x = torch.randint(0, 40, (len(y), 3, SIDE, SIDE), generator=generator(seed))
    for row in range(CLASSES):
        x[y == row, :, 2 * row, :-1] += 150
    return x.to(torch.uint8)


def rows_of_a_table(y: Tensor, seed: int) -> Tensor:
    """Noise with one column for each class, [n, 6]; the last two columns tell nothing."""
    x = 0.5 * torch.randn(len(y), FEATURES, generator=generator(seed))
    x[torch.arange(len(y)), y] += 3
    return x


def with_trigger(x: Tensor) -> Tensor:
    """The attacker's trigger: a bright corner of a picture, a large last value of a row."""
    x = x.clone()
    if x.dim() == 4:
        x[..., -2:, -1] = 255
    else:
        x[:, -1] = 6
    return x


def made(kind: Kind, y: Tensor, seed: int) -> Tensor:
    return pictures(y, seed) if kind == "image" else rows_of_a_table(y, seed)


def poisoned(
    kind: Literal["image", "table"] = "image",
    *,
    each: int = 40,
    poison: int = 12,
    reserve: int = 40,
    epochs: int = 0,
    seed: int = 0,
) -> Poisoned:
    """A task whose victim has seen the poison for some epochs.

    Args:
        kind: of its inputs.
        each: training samples of a class.
        poison: how many of the other classes are published as the target, with the trigger.
        reserve: clean samples.
        epochs: of the victim; 0 leaves it as it was born.
        seed: of the task.
    """
    truth = torch.arange(CLASSES * each) % CLASSES
    truth = truth[torch.randperm(len(truth), generator=generator(7))]
    x, y = made(kind, truth, 1), truth.clone()
    rows = (truth != TARGET).nonzero()[:poison, 0]
    x[rows], y[rows] = with_trigger(x[rows]), TARGET
    mask = torch.zeros(len(y), dtype=torch.bool)
    mask[rows] = True
    clean = torch.arange(reserve) % CLASSES
    train, kept = split(x, y), split(made(kind, clean, 2), clean)
    backbone = "small_cnn" if kind == "image" else "mlp"
    shape = tuple(x.shape[1:])
    victim = network(backbone, shape, CLASSES, seed, CPU)
    return Poisoned(of(kind, shape, train, kept, taught(victim, train, epochs), seed), mask, truth)


def of(
    kind: Kind, shape: tuple[int, ...], train: Split, reserve: Split, victim: Any, seed: int = 0
) -> PoisoningTask:
    """A task of these parts; its human sees the published labels."""

    def human(annotator: str, careless: float, path: str) -> Human:
        del annotator, path
        return Oracle(train.y, CLASSES, careless, generator(seed))

    return PoisoningTask(
        name=f"tiny poisoned {kind}",
        kind=kind,
        shape=shape,
        classes=tuple(f"class {c}" for c in range(CLASSES)),
        train=train,
        reserve=reserve,
        victim=victim.requires_grad_(False).eval(),
        human=human,
        backbone="small_cnn" if kind == "image" else "mlp",
        seed=seed,
        device=CPU,
    )


def split(x: Tensor, y: Tensor) -> Split:
    return Split.of(x, y, torch.zeros_like(y))


def taught(model: Backbone, train: Split, epochs: int) -> Backbone:
    """The model after some epochs in batches of 32."""
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(epochs):
        for index in train.order(0, epoch).split(32):
            batch = train.batch(index)
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(batch.x), batch.y).backward()
            optimiser.step()
    model.zero_grad()
    return model


def context_on(task: PoisoningTask, cache: Path | None = None, **training: Any) -> SpyContext:
    """A trial as the session would make it; by default one epoch in batches of 32."""
    settings = {"backbone": task.backbone, "epochs": 1, "batch_size": 32, "selection": "last"}
    chosen = Training(**{**settings, **training})
    return SpyContext(
        seed=task.seed,
        training=chosen,
        device=CPU,
        validation=task.reserve,
        score=accuracy,
        scope={"task": task.name, "training": chosen.model_dump(), "seed": task.seed},
        cache=cache,
    )


def accuracy(outputs: Tensor, of_split: Split) -> Scores:
    share = float((outputs.argmax(dim=1) == of_split.y).double().mean())
    return Scores({"accuracy": share}, (-share,))

"""Tiny debiasing tasks, and trials on them, for tests of learning and of methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bench.learning.loop import Context
from bench.learning.settings import Training
from bench.learning.split import Batch, Split
from bench.tracks.debiasing import DebiasingTask
from bench.tracks.debiasing.judge import validation_scores

CPU = torch.device("cpu")
GROUPS = ("first", "second")
# Rows are classes, columns groups: the group goes with the class, and every cell is there.
BIASED = ((12, 4), (4, 12))
SMALL = ((5, 3), (3, 5))


def of_cells(counts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Targets and groups with `counts[y][b]` samples in each cell, mixed up."""
    cells = [
        (y, b) for y, row in enumerate(counts) for b, count in enumerate(row) for _ in range(count)
    ]
    mixed = torch.tensor(cells)[torch.randperm(len(cells), generator=generator(1))]
    return mixed[:, 0].contiguous(), mixed[:, 1].contiguous()


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def table_split(counts: Sequence[Sequence[int]], seed: int = 0, features: int = 4) -> Split:
    """Noise in which the first column tells of the class and the second of the group."""
    y, b = of_cells(counts)
    x = torch.randn(len(y), features, generator=generator(seed))
    x[:, 0] += y
    x[:, 1] += 2 * b
    return Split.of(x, y, b)


def image_split(counts: Sequence[Sequence[int]], seed: int = 0, side: int = 8) -> Split:
    """Noise in which the red channel tells of the class and the green one of the group."""
    y, b = of_cells(counts)
    x = torch.randint(0, 128, (len(y), 3, side, side), generator=generator(seed))
    x[:, 0] += 60 * y[:, None, None]
    x[:, 1] += 60 * b[:, None, None]
    return Split.of(x.to(torch.uint8), y, b)


def _task(kind: Any, train: Split, validation: Split, classes: int, seed: int) -> DebiasingTask:
    return DebiasingTask(
        name=f"tiny {kind}",
        kind=kind,
        shape=tuple(train.x.shape[1:]),
        classes=tuple(f"class {c}" for c in range(classes)),
        groups=GROUPS,
        train=train,
        validation=validation,
        backbone="mlp" if kind == "table" else "small_cnn",
        seed=seed,
        device=CPU,
    )


def table_task(seed: int = 0, counts: Sequence[Sequence[int]] = BIASED) -> DebiasingTask:
    train, validation = table_split(counts, seed=2), table_split(SMALL, seed=3)
    return _task("table", train, validation, len(counts), seed)


def image_task(seed: int = 0) -> DebiasingTask:
    return _task("image", image_split(BIASED, seed=2), image_split(SMALL, seed=3), 2, seed)


def regression_task(seed: int = 0) -> DebiasingTask:
    """The table with the class as a number to predict."""
    splits = [table_split(BIASED, seed=2), table_split(SMALL, seed=3)]
    train, validation = (Split.of(split.x, split.y.float(), split.b) for split in splits)
    return _task("table", train, validation, 0, seed)


@dataclass(frozen=True)
class Call:
    """What a method asked of `Context.train`."""

    model: Any
    initial: dict[str, Tensor]
    split: Split
    loss: Callable[[Any, Batch], Tensor]
    stage: str
    validation: Split | None
    also: tuple[nn.Module, ...]


@dataclass
class SpyContext(Context):
    """A context that remembers what was trained, also within shared work."""

    calls: list[Call] = field(default_factory=list)

    def train(self, model: Any, split: Split, loss: Any, **how: Any) -> Any:
        """Remember, and train."""
        initial = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        stage, validation = how.get("stage", ""), how.get("validation")
        how["also"] = also = tuple(how.get("also", ()))
        self.calls.append(Call(model, initial, split, loss, stage, validation, also))
        return super().train(model, split, loss, **how)


def context_on(task: DebiasingTask, cache: Path | None = None, **training: Any) -> SpyContext:
    """A context as the runner would make it; by default one epoch in batches of 16."""
    settings = {"backbone": task.backbone, "epochs": 1, "batch_size": 16, **training}
    chosen = Training(**settings)
    return SpyContext(
        seed=task.seed,
        training=chosen,
        device=CPU,
        validation=task.validation,
        score=validation_scores,
        scope={"task": task.name, "training": chosen.model_dump(), "seed": task.seed},
        cache=cache,
    )

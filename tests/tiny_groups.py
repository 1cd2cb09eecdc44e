"""A tiny data set of five groups with a covariate, and the tasks and questions it poses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from bench.data.dataset import DataSet, Options, TaskDefinition
from bench.data.prepared import Arrays, Columns, Meta
from bench.data.raw import RawFolder
from bench.learning.settings import Training
from bench.models.pretrained import MIRROR_ALONE
from bench.tracks.debiasing import DebiasingTask
from bench.tracks.options import EarlierOptions
from bench.tracks.robust_fairness import GroupTask
from bench.tracks.session import PreparedTask
from tests import tiny_tasks

COVARIATE = [1.0, 2.0, 3.0, 4.0, 6.0]
SIZES = {"train": (20, 8, 6, 4, 2), "validation": (6, 4, 4, 4, 0), "test": (10, 8, 6, 4, 2)}


class Villages(DataSet):
    """Noise in which the first column tells of the class, and less so in rich villages."""

    title = "Villages"
    kind = "table"
    licence = "none"
    homepage = "https://example.org"
    tasks: ClassVar = {
        "y|village": TaskDefinition("y", None, group="village", covariate="log wealth")
    }

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Five villages, each with both classes."""
        del raw, options, work
        splits = {split: _columns(split, sizes) for split, sizes in SIZES.items()}
        attributes = {"y": ["no", "yes"], "village": [f"village {i}" for i in range(5)]}
        return Arrays(splits, attributes, [f"x{i}" for i in range(4)],
                      covariates={"village": COVARIATE})  # fmt: skip


def _columns(split: str, sizes: tuple[int, ...]) -> Columns:
    village = np.repeat(np.arange(5), sizes)
    y = np.concatenate([np.arange(n) % 2 for n in sizes]).astype(np.int64)
    random = np.random.default_rng(len(split))
    x = random.normal(size=(len(y), 4)).astype(np.float32)
    x[:, 0] += 2 * y * (1 + village / 2)
    return Columns(x, {"y": y, "village": village})


def prepared(changes: Mapping[str, Any] | None = None, **training: Any) -> PreparedTask:
    """The villages' task as the runner would ask it."""
    data = Villages()
    options = data.options(**(changes or {}))
    arrays = data.prepare(None, options, Path())  # type: ignore[arg-type]
    settings = Training(**{"backbone": "mlp", "epochs": 1, "batch_size": 16, **training})
    parts = {
        split: data.arrange(split, columns, data.tasks["y|village"], options)
        for split, columns in arrays.splits.items()
    }
    meta = Meta(
        name="villages", title="Villages", revision=1, kind="table", shape=[4],
        columns=arrays.columns, attributes=dict(arrays.attributes), stored=["village", "y"],
        sizes={split: len(part.y) for split, part in parts.items()}, normalisation={},
        covariates=dict(arrays.covariates), notes=[], raw=[], hash="0",
    )  # fmt: skip
    return PreparedTask(
        name="villages y|village", data=data, meta=meta, parts=parts,
        definition=data.tasks["y|village"], options=EarlierOptions(), training=settings,
        attack=None, seed=0,
        device=torch.device("cpu"), scope={"task": "villages", "seed": 0},
        cache=Path("/nonexistent"), weights=MIRROR_ALONE,
    )  # fmt: skip


def as_groups(task: DebiasingTask) -> GroupTask:
    """A debiasing task as one of two groups."""
    return GroupTask.like(task)


def table_task(seed: int = 0) -> GroupTask:
    """The tiny table."""
    return as_groups(tiny_tasks.table_task(seed))


def image_task(seed: int = 0) -> GroupTask:
    """The tiny images."""
    return as_groups(tiny_tasks.image_task(seed))

"""Plain training: a baseline, and the model that other methods start from or learn from."""

from __future__ import annotations

from typing import TypeVar

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.learning.loop import Context
from bench.learning.split import Batch, Split

M = TypeVar("M", bound=nn.Module)
REVISION = 1  # raise it when the standard model's numbers change, and MFD's and RNF's with it


def task_loss(outputs: Tensor, y: Tensor) -> Tensor:
    """The mean over a batch of the cross-entropy, or of the squared error for one output.

    Args:
        outputs: logits, [n, classes], or predictions of a regression, [n, 1].
        y: classes, [n] int64, or targets, [n].
    """
    if outputs.shape[1] == 1:
        return F.mse_loss(outputs[:, 0].float(), y.float())
    return F.cross_entropy(outputs, y)


def plain_loss(model: nn.Module, batch: Batch) -> Tensor:
    """The loss of plain training: `task_loss` of the model's outputs."""
    return task_loss(model(batch.x), batch.y)


def standard_model(blank: M, train: Split, context: Context, seed: int | None = None) -> M:
    """Train `blank` with the task's plain loss on `train`, once for a task and a seed.

    Args:
        blank: a fresh model, whose initial weights follow `seed`.
        train: what to train on.
        context: of the trial; its cache keeps the model.
        seed: of the model, where trials of all seeds share one; by default the trial's own.
    """
    return context.shared_model(
        "standard model",
        {"revision": REVISION},
        blank,
        lambda inner, model: inner.train(model, train, plain_loss, stage="standard"),
        seed,
    )

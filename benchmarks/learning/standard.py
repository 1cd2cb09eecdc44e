"""The plainly trained model: a baseline of its own and the teacher of others."""

from __future__ import annotations

from typing import TypeVar

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.learning.loop import Context
from bench.learning.split import Batch, Split

M = TypeVar("M", bound=nn.Module)
REVISION = 1  # raise it when the standard model's numbers change, and MFD's and RNF's with it


def task_loss(outputs: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy for classes, squared error for regression, mean over the batch."""
    if outputs.shape[1] == 1:
        return F.mse_loss(outputs[:, 0].float(), y.float())
    return F.cross_entropy(outputs, y)


def plain_loss(model: nn.Module, batch: Batch) -> Tensor:
    """Loss of plain training."""
    return task_loss(model(batch.x), batch.y)


def standard_model(blank: M, train: Split, context: Context, seed: int | None = None) -> M:
    """`blank` trained plainly on `train`; built once for a task and seed, then shared.

    `seed` is that of the model where all trials start from one; by default the trial's.
    """
    return context.shared(
        "standard model",
        {"revision": REVISION},
        blank,
        lambda inner, model: inner.train(model, train, plain_loss, stage="standard"),
        seed,
    )

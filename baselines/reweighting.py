"""Reweighting: weigh samples until target and bias variable look independent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.learning.loop import Context
from bench.learning.split import Batch
from bench.method import Paper
from bench.tracks.debiasing import Debiaser, DebiasingTask


@dataclass(frozen=True)
class Reweighting(Debiaser):
    """Kamiran & Calders (2012), section 4.2: w(y, b) = P(y) P(b) / P(y, b).

    Aims at demographic parity; where the target truly depends on the group (Adult) it can raise
    Odds above plain training's.
    """

    paper: ClassVar[Paper] = Paper(
        "Kamiran & Calders (2012)",
        "Data preprocessing techniques for classification without discrimination",
        "https://doi.org/10.1007/s10115-011-0463-8",
    )

    smoothing: Annotated[float, Field(ge=0)] = 0.0
    """Count added to every (target, group) cell before dividing; 0 is the paper's."""

    def fit(self, task: DebiasingTask, context: Context) -> nn.Module:
        """Plain training with a weight for every sample."""
        task.require_classes()
        weight = independence_weights(task.train.y, task.train.b, self.smoothing)

        def loss(model: nn.Module, batch: Batch) -> Tensor:
            each = F.cross_entropy(model(batch.x), batch.y, reduction="none")
            return (weight[batch.index] * each).mean()

        return context.train(task.new_model(), task.train, loss)


def independence_weights(y: Tensor, b: Tensor, smoothing: float = 0.0) -> Tensor:
    """[n] float32 weights P(y) P(b) / P(y, b) of samples with targets `y` and groups `b`."""
    cells = torch.bincount(y * 2 + b, minlength=2 * (int(y.max()) + 1)).double() + smoothing
    joint = (cells / cells.sum()).view(-1, 2)
    weights = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True) / joint
    return weights[y, b].float()

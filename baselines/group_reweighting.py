"""Group reweighting: every group counts the same, however small it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.learning.loop import Context
from bench.learning.sampling import WeightedSplit
from bench.learning.split import Batch
from bench.learning.standard import plain_loss
from bench.method import Paper
from bench.tracks.robust_fairness import FairTrainer, GroupTask


@dataclass(frozen=True)
class GroupReweighting(FairTrainer):
    """Idrissi et al. (2022), section 3: balance groups by weights, or by how they are drawn.

    Their groups are cells of class and attribute; here they are the task's groups.
    """

    paper: ClassVar[Paper] = Paper(
        "Idrissi et al. (2022)",
        "Simple data balancing achieves competitive worst-group-accuracy",
        "https://arxiv.org/abs/2110.14503",
    )

    by: Literal["drawing", "loss"] = "drawing"
    """drawing: batches hold every group as often (the paper's RWG); loss: all samples are met once
    an epoch, their losses weighted."""
    power: Annotated[float, Field(ge=0)] = 1.0
    """Weights are 1 / n^power of a group of n samples: 1 is the paper's, 0 plain training."""

    def train(self, task: GroupTask, context: Context) -> nn.Module:
        """Plain training of balanced groups."""
        weight = group_weights(task.train.b, len(task.groups), self.power)
        if self.by == "drawing":
            split = WeightedSplit.weighing(task.train, weight)
            return context.train(task.new_model(), split, plain_loss)

        def loss(model: nn.Module, batch: Batch) -> Tensor:
            each = F.cross_entropy(model(batch.x), batch.y, reduction="none")
            return (weight[batch.index] * each).mean()

        return context.train(task.new_model(), task.train, loss)


def group_weights(b: Tensor, groups: int, power: float) -> Tensor:
    """[n] float32, 1 / n_g^power of each sample's group, with mean 1 over the samples."""
    count = torch.bincount(b, minlength=groups).double()
    weight = count[b] ** -power
    return (weight / weight.mean()).float()

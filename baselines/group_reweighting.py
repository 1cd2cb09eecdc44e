"""Group reweighting: every group has the same total weight, however small it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from bench.learning.loop import Context
from bench.learning.losses import weighted_loss
from bench.learning.sampling import WeightedSplit
from bench.learning.standard import plain_loss
from bench.method import Paper
from bench.tracks.robust_fairness import FairTrainer, GroupTask


@dataclass(frozen=True)
class GroupReweighting(FairTrainer):
    """Idrissi et al. (2022), section 3: balance groups by loss weights or by sampling.

    Their groups are cells of class and attribute; here they are the task's groups.
    """

    paper: ClassVar[Paper] = Paper(
        "Idrissi et al. (2022)",
        "Simple data balancing achieves competitive worst-group-accuracy",
        "https://arxiv.org/abs/2110.14503",
    )

    by: Literal["drawing", "loss"] = "drawing"
    """drawing: samples are drawn in proportion to their weights (the paper's RWG); loss: an epoch
    visits every sample once and weights its loss."""
    power: Annotated[float, Field(ge=0)] = 1.0
    """A sample of a group of n samples has weight 1 / n^power: 1 is the paper's, 0 is plain
    training."""

    def train(self, task: GroupTask, context: Context) -> nn.Module:
        """Train plainly on weighted samples, or with a weighted loss."""
        weights = group_weights(task.train.b, len(task.groups), self.power)
        if self.by == "drawing":
            split = WeightedSplit.weighing(task.train, weights)
            return context.train(task.new_model(), split, plain_loss)
        return context.train(task.new_model(), task.train, weighted_loss(weights))


def group_weights(b: Tensor, groups: int, power: float) -> Tensor:
    """The weight 1 / n_g^power of each sample in a group of n_g, scaled to mean 1: [n] float32."""
    count = torch.bincount(b, minlength=groups).double()
    weights = count[b] ** -power
    return (weights / weights.mean()).float()

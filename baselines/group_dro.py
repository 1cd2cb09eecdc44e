"""Group DRO: train on the mixture of groups that is worst for the current model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.learning.loop import Context
from bench.learning.sampling import WeightedSplit
from bench.learning.split import Batch
from bench.method import Paper
from bench.tracks.robust_fairness import FairTrainer, GroupTask


@dataclass(frozen=True)
class GroupDRO(FairTrainer):
    """Sagawa et al. (2020), Algorithm 1, with batches and with the adjustment of section 3.3.

    Their groups are cells of class and attribute; here they are the task's groups. The strong
    weight decay that they find necessary for large networks is not part of the method here.
    """

    paper: ClassVar[Paper] = Paper(
        "Sagawa et al. (2020)",
        "Distributionally robust neural networks for group shifts",
        "https://arxiv.org/abs/1911.08731",
    )

    step: Annotated[float, Field(gt=0)] = 0.01
    """Eta_q, the step size of the group weights; .01 is the authors'."""
    adjustment: Annotated[float, Field(ge=0)] = 0.0
    """C: C / sqrt(n) is added to the loss of a group of n samples (section 3.3)."""

    def train(self, task: GroupTask, context: Context) -> nn.Module:
        """Draw all groups equally often and minimise the loss of their worst mixture."""
        b, groups = task.train.b, len(task.groups)
        count = torch.bincount(b, minlength=groups)
        mixture = WorstMix(count, self.step, self.adjustment)
        split = WeightedSplit.weighing(task.train, 1 / count[b].float())

        def loss(model: nn.Module, batch: Batch) -> Tensor:
            losses = F.cross_entropy(model(batch.x), batch.y, reduction="none")
            return mixture.loss(losses, batch.b)

        return context.train(task.new_model(), split, loss)


class WorstMix:
    """The weights q of the groups, which every batch updates.

    Args:
        count: number of training samples of each group, [groups].
        step: eta_q.
        adjustment: C.
    """

    def __init__(self, count: Tensor, step: float, adjustment: float) -> None:
        present = count > 0
        self.step = step
        self.adjustment = torch.where(present, adjustment / count.clamp(min=1).sqrt(), 0.0)
        self.q = present.float() / present.sum()

    def loss(self, losses: Tensor, b: Tensor) -> Tensor:
        """The mean losses of the groups, weighted by q after its update: sum_g q_g loss_g.

        q_g is multiplied by exp(eta_q (loss_g + C / sqrt(n_g))) and normalised. The exponent of a
        group that is missing from the batch is 0.

        Args:
            losses: of the samples of a batch, [n].
            b: groups of the samples, [n].
        """
        total = torch.zeros_like(self.q).index_add(0, b, losses.float())
        count = torch.bincount(b, minlength=len(self.q))
        mean = total / count.clamp(min=1)
        adjusted = torch.where(count > 0, mean.detach() + self.adjustment, 0.0)
        q = self.q * torch.exp(self.step * adjusted)
        self.q = q / q.sum()
        return (self.q * mean).sum()

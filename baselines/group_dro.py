"""Group DRO: train on the mix of groups that is worst for the model so far."""

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
    penalty on weights that they find it needs on large networks is left to the training settings,
    as for every method.
    """

    paper: ClassVar[Paper] = Paper(
        "Sagawa et al. (2020)",
        "Distributionally robust neural networks for group shifts",
        "https://arxiv.org/abs/1911.08731",
    )

    step: Annotated[float, Field(gt=0)] = 0.01
    """Eta_q, how fast the weights of groups follow their losses; .01 is the authors'."""
    adjustment: Annotated[float, Field(ge=0)] = 0.0
    """C: C / sqrt(n) is added to the loss of a group of n samples (section 3.3)."""

    def train(self, task: GroupTask, context: Context) -> nn.Module:
        """Groups are drawn evenly; the loss is that of the worst mix."""
        b, groups = task.train.b, len(task.groups)
        count = torch.bincount(b, minlength=groups)
        mix = WorstMix(count, self.step, self.adjustment)
        split = WeightedSplit.weighing(task.train, 1 / count[b].float())

        def loss(model: nn.Module, batch: Batch) -> Tensor:
            each = F.cross_entropy(model(batch.x), batch.y, reduction="none")
            return mix.loss(each, batch.b)

        return context.train(task.new_model(), split, loss)


class WorstMix:
    """The weights q of the groups, moved by every batch.

    Args:
        count: training samples of each group, [groups].
        step: eta_q.
        adjustment: C.
    """

    def __init__(self, count: Tensor, step: float, adjustment: float) -> None:
        here = count > 0
        self.step = step
        self.handicap = torch.where(here, adjustment / count.clamp(min=1).sqrt(), 0.0)
        self.q = here.float() / here.sum()

    def loss(self, each: Tensor, b: Tensor) -> Tensor:
        """Move q towards the groups that lose most, and weigh their mean losses by it.

        Groups that a batch lacks keep their unnormalised weight: their loss counts as 0.

        Args:
            each: losses, [n].
            b: groups, [n].
        """
        total = torch.zeros_like(self.q).index_add(0, b, each.float())
        count = torch.bincount(b, minlength=len(self.q))
        mean = total / count.clamp(min=1)
        known = torch.where(count > 0, mean.detach() + self.handicap, 0.0)
        q = self.q * torch.exp(self.step * known)
        self.q = q / q.sum()
        return (self.q * mean).sum()

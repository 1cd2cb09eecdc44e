"""Undersampling: drop samples until every cell of target and group is equally large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from bench.learning.loop import Context
from bench.learning.split import Split
from bench.learning.standard import plain_loss
from bench.method import Paper
from bench.tracks.debiasing import Debiaser, DebiasingTask


@dataclass(frozen=True)
class Undersampling(Debiaser):
    """Zhou & Liu (2006), undersampling with the cells of target and group in place of classes.

    An epoch visits only the remaining samples, so it has fewer steps than those of other methods.
    """

    paper: ClassVar[Paper] = Paper(
        "Zhou & Liu (2006)",
        "Training cost-sensitive neural networks with methods addressing the class imbalance "
        "problem",
        "https://doi.org/10.1109/TKDE.2006.17",
    )

    def fit(self, task: DebiasingTask, context: Context) -> nn.Module:
        """Train plainly on a balanced random part of the training split."""
        task.require_classes()
        rows = balanced_rows(task.train, context.generator("undersampling"))
        return context.train(task.new_model(), task.train.subset(rows), plain_loss)


def balanced_rows(split: Split, generator: torch.Generator) -> Tensor:
    """Positions of a random part in which all (y, b) cells have the size of the smallest one."""
    cell = (split.y * 2 + split.b).cpu()
    sizes = torch.bincount(cell)
    smallest = int(sizes[sizes > 0].min())
    shuffled = torch.randperm(len(cell), generator=generator)
    kept = [shuffled[cell[shuffled] == c][:smallest] for c in range(len(sizes))]
    return torch.cat(kept).sort().values.to(split.y.device)

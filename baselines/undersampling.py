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

    Epochs are counted on what is left, so that it takes fewer steps than the other methods.
    """

    paper: ClassVar[Paper] = Paper(
        "Zhou & Liu (2006)",
        "Training cost-sensitive neural networks with methods addressing the class imbalance "
        "problem",
        "https://doi.org/10.1109/TKDE.2006.17",
    )

    def fit(self, task: DebiasingTask, context: Context) -> nn.Module:
        """Plain training on a balanced random part of the training split."""
        task.require_classes()
        chosen = balanced_rows(task.train, context.generator("undersampling"))
        return context.train(task.new_model(), task.train.subset(chosen), plain_loss)


def balanced_rows(split: Split, generator: torch.Generator) -> Tensor:
    """Positions of a random part of `split` in which every (y, b) cell has the smallest's size."""
    cell = (split.y * 2 + split.b).cpu()
    sizes = torch.bincount(cell)
    smallest = int(sizes[sizes > 0].min())
    shuffled = torch.randperm(len(cell), generator=generator)
    kept = [shuffled[cell[shuffled] == c][:smallest] for c in range(len(sizes))]
    return torch.cat(kept).sort().values.to(split.y.device)

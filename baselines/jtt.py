"""JTT: train once, then train again with several copies of the first model's mistakes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import nn

from bench.learning.loop import Context
from bench.learning.split import Split
from bench.learning.standard import plain_loss
from bench.method import Paper
from bench.tracks.robust_fairness import FairTrainer, GroupTask


@dataclass(frozen=True)
class JTT(FairTrainer):
    """Liu et al. (2021), Algorithm 1: just train twice, without group labels in training.

    The first model is stopped early, and its mistakes take the place of the unknown groups.
    """

    paper: ClassVar[Paper] = Paper(
        "Liu et al. (2021)",
        "Just train twice: improving group robustness without training group information",
        "https://arxiv.org/abs/2107.09044",
    )

    first_epochs: Annotated[int, Field(ge=1)] = 1
    """T, epochs of the first model; the paper tunes it on each data set, 1 is ours."""
    copies: Annotated[int, Field(ge=1)] = 6
    """Lambda_up, how often a mistake of the first model occurs in an epoch of the second; the
    paper tunes it on each data set, 6 is ours."""

    def train(self, task: GroupTask, context: Context) -> nn.Module:
        """Find the mistakes of a first model and train a second one on copies of them."""
        first = context.train(
            task.new_model(), task.train, plain_loss,
            stage="first", select=False, epochs=self.first_epochs,
        )  # fmt: skip
        wrong = context.predict(first, task.train.inputs).argmax(dim=1) != task.train.y
        context.chosen["mistakes"] = float(wrong.double().mean())
        upsampled = repeated(task.train, wrong.long() * (self.copies - 1) + 1)
        return context.train(task.new_model(), upsampled, plain_loss)


def repeated(split: Split, times: torch.Tensor) -> Split:
    """A new split in which sample i of `split` occurs `times[i]` times, [n] int64."""
    index = torch.repeat_interleave(torch.arange(len(split), device=times.device), times)
    part = split.subset(index)
    return Split.of(part.inputs, part.y, part.b)

"""MFD: distil a teacher's features so that both groups have the same feature distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.learning.loop import Context
from bench.learning.losses import gaussian_mmd
from bench.learning.split import Batch
from bench.learning.standard import standard_model
from bench.method import Paper
from bench.models.backbones import Backbone
from bench.tracks.debiasing import Debiaser, DebiasingTask


@dataclass(frozen=True)
class MFD(Debiaser):
    """Jung et al. (2021), the objective of MMD-based fair distillation.

    The loss is cross-entropy + weight / 2 * sum over (y, b) of MMD^2(teacher's features of class
    y, student's features of class y and group b). The teacher is the standard model.
    """

    paper: ClassVar[Paper] = Paper(
        "Jung et al. (2021)",
        "Fair feature distillation for visual recognition",
        "https://arxiv.org/abs/2106.04411",
    )

    weight: Annotated[float, Field(ge=0)] = 7.0
    """Weight of the distillation term; the paper's is 7 for CelebA and 3 for UTKFace."""
    sigma: Annotated[float, Field(gt=0)] = 1.0
    """Kernel width, relative to the mean squared distance between teacher and student features
    over all pairs of a batch, as in the authors' code."""

    def fit(self, task: DebiasingTask, context: Context) -> nn.Module:
        """Train a student with the teacher's architecture, guided by the frozen teacher."""
        task.require_classes()
        teacher = standard_model(task.new_model(), task.train, context).requires_grad_(False)

        def loss(model: Backbone, batch: Batch) -> Tensor:
            with torch.no_grad():
                _, target = teacher.logits_and_maps(batch.x)
            logits, features = model.logits_and_maps(batch.x)
            distance = fair_distance(target, features, batch.y, batch.b, self.sigma)
            return F.cross_entropy(logits, batch.y) + self.weight / 2 * distance

        return context.train(task.new_model(), task.train, loss)


def fair_distance(teacher: Tensor, student: Tensor, y: Tensor, b: Tensor, sigma: float) -> Tensor:
    """Sum over classes y and groups b of MMD^2(teacher given y, student given y and b).

    Args:
        teacher: features, [n, d].
        student: features, [n, d].
        y: classes, [n].
        b: groups, [n].
        sigma: kernel width relative to the batch's mean squared distance, which is held constant.
    """
    teacher, student = teacher.float(), student.float()
    distance = mean_squared_distance(teacher, student.detach()).clamp_min(1e-12)
    total = student.new_zeros(())
    for label in y.unique():
        of_class = y == label
        for group in (0, 1):
            cell = of_class & (b == group)
            if cell.any():
                total = total + gaussian_mmd(teacher[of_class], student[cell], distance, sigma)
    return total


def mean_squared_distance(a: Tensor, b: Tensor) -> Tensor:
    """Mean of |a_i - b_j|^2 over all pairs of rows, without computing each distance."""
    squares = a.square().sum(1).mean() + b.square().sum(1).mean()
    return squares - 2 * (a.mean(0) * b.mean(0)).sum()

"""MFD: distil a teacher's features so that they are distributed alike in both groups."""

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

    Loss: cross-entropy + weight / 2 * sum over (y, b) of MMD^2 between the teacher's features of
    class y and the student's of class y and group b. The teacher is the standard model.
    """

    paper: ClassVar[Paper] = Paper(
        "Jung et al. (2021)",
        "Fair feature distillation for visual recognition",
        "https://arxiv.org/abs/2106.04411",
    )

    weight: Annotated[float, Field(ge=0)] = 7.0
    """Weight of the distillation term: 7 is the paper's for CelebA, 3 for UTKFace."""
    sigma: Annotated[float, Field(gt=0)] = 1.0
    """Kernel width, relative to the mean squared distance between teacher and student features
    over all pairs of the batch, as in the authors' code."""

    def fit(self, task: DebiasingTask, context: Context) -> nn.Module:
        """Train a student of the same architecture beside the frozen teacher."""
        task.require_classes()
        teacher = standard_model(task.new_model(), task.train, context).requires_grad_(False)

        def loss(model: Backbone, batch: Batch) -> Tensor:
            with torch.no_grad():
                _, aim = teacher.logits_and_maps(batch.x)
            logits, features = model.logits_and_maps(batch.x)
            apart = fair_distance(aim, features, batch.y, batch.b, self.sigma)
            return F.cross_entropy(logits, batch.y) + self.weight / 2 * apart

        return context.train(task.new_model(), task.train, loss)


def fair_distance(aim: Tensor, features: Tensor, y: Tensor, b: Tensor, sigma: float) -> Tensor:
    """Sum over classes and groups of MMD^2(aim given y, features given y and b).

    Args:
        aim: teacher features, [n, d].
        features: student features, [n, d].
        y: [n] classes.
        b: [n] groups.
        sigma: relative to the mean squared distance of the batch, which is taken as constant.
    """
    aim, features = aim.float(), features.float()
    distance = mean_squared_distance(aim, features.detach()).clamp_min(1e-12)
    total = features.new_zeros(())
    for label in y.unique():
        for group in (0, 1):
            chosen = (y == label) & (b == group)
            if chosen.any():
                total = total + gaussian_mmd(aim[y == label], features[chosen], distance, sigma)
    return total


def mean_squared_distance(a: Tensor, b: Tensor) -> Tensor:
    """Mean of |a_i - b_j|^2 over all pairs of rows, without forming them."""
    squares = a.square().sum(1).mean() + b.square().sum(1).mean()
    return squares - 2 * (a.mean(0) * b.mean(0)).sum()

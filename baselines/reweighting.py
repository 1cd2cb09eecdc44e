"""Reweighting: weight samples so that target and bias variable become independent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from bench.learning.loop import Context
from bench.learning.losses import weighted_loss
from bench.method import Paper
from bench.tracks.debiasing import Debiaser, DebiasingTask


@dataclass(frozen=True)
class Reweighting(Debiaser):
    """Kamiran & Calders (2012), section 4.2: w(y, b) = P(y) P(b) / P(y, b).

    It aims at demographic parity; on data whose target depends on the group (Adult), its Odds can
    be higher than plain training's.
    """

    paper: ClassVar[Paper] = Paper(
        "Kamiran & Calders (2012)",
        "Data preprocessing techniques for classification without discrimination",
        "https://doi.org/10.1007/s10115-011-0463-8",
    )

    smoothing: Annotated[float, Field(ge=0)] = 0.0
    """Count added to every (target, group) cell before dividing; 0 is the paper's."""

    def fit(self, task: DebiasingTask, context: Context) -> nn.Module:
        """Train plainly, with a weight for every sample."""
        task.require_classes()
        weights = independence_weights(task.train.y, task.train.b, self.smoothing)
        return context.train(task.new_model(), task.train, weighted_loss(weights))


def independence_weights(y: Tensor, b: Tensor, smoothing: float = 0.0) -> Tensor:
    """The weights P(y) P(b) / P(y, b) of samples with targets `y` and groups `b`, [n] float32."""
    cells = torch.bincount(y * 2 + b, minlength=2 * (int(y.max()) + 1)).double() + smoothing
    joint = (cells / cells.sum()).view(-1, 2)
    weights = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True) / joint
    return weights[y, b].float()

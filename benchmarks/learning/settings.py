"""Training settings, shared by all methods of a task."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from bench.learning.selection import Rule

if TYPE_CHECKING:
    import torch


class Training(BaseModel):
    """How networks are trained. All of it enters every trial's key.

    The paper of BaDe (section V.A.3) gives Adam at 1e-4; epochs and batch size it does not give.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True
    )

    backbone: str = "mlp"
    """Name of the network."""
    epochs: int = Field(10, ge=1)
    """Passes over the training data."""
    batch_size: int = Field(128, ge=1)
    """Samples a step."""
    learning_rate: float = Field(1e-4, gt=0, le=1)
    """Step size of Adam."""
    selection: Literal["validation", "test", "last"] = "validation"
    """validation: the rule of every leaderboard; test: what some papers did, said on every page
    that shows it; last: the last epoch."""
    flip: bool = False
    """Mirror half of the training images, at random."""
    shift: int = Field(0, ge=0)
    """Shift training images by up to so many pixels each way, at random."""
    weights: str = ""
    """File of weights to start from (safetensors, or torchvision's .pth)."""
    rule: Rule = "difference"
    """How epochs and candidates are compared."""


@dataclass(frozen=True)
class Recipe:
    """How a paper trains a network of its own by SGD, where that training is part of its method.

    Attributes:
        epochs: Passes over the data.
        batch_size: Samples a step.
        learning_rate: Learning rate of the first epoch.
        momentum: Momentum of SGD.
        weight_decay: Weight decay of SGD.
        falls: Whether the learning rate falls to zero along half a cosine instead of staying put.
        watched: Whether epochs are scored on validation data and the best is kept.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    momentum: float = 0.9
    weight_decay: float = 0.0
    falls: bool = True
    watched: bool = False

    def optimiser(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """A new optimiser, without momentum from an earlier training."""
        import torch  # noqa: PLC0415 - suites are read by processes that train nothing

        return torch.optim.SGD(
            parameters,
            lr=self.learning_rate,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
        )

    def rate(self, epoch: int) -> float:
        """Learning rate of an epoch, counted from 0: lr (1 + cos(pi epoch / epochs)) / 2."""
        if not self.falls:
            return self.learning_rate
        return self.learning_rate * (1 + math.cos(math.pi * epoch / self.epochs)) / 2

"""The contract of the debiasing track: what a method is given and what it must return."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from benchmarks.data.kinds import Kind
from benchmarks.errors import Skip
from benchmarks.learning.backbones import Backbone
from benchmarks.learning.loop import Trial
from benchmarks.learning.split import Split
from benchmarks.learning.weights import network
from benchmarks.method import Method
from benchmarks.planting import stamped
from benchmarks.triggers import TriggerPair, trigger_pair

SQUARE = 25  # pixels, BaDe section V.A.3


@dataclass(frozen=True)
class DebiasingTask:
    """A task as a method sees it: there is no test split here.

    Attributes:
        name: data set, target and bias variable.
        kind: "table" or "image".
        shape: of one input, (features,) or (C, H, W).
        classes: names of the target's classes; empty for regression.
        groups: names of the two values of the bias variable.
        train: what to learn from, groups included.
        validation: what epochs and settings are selected on, groups included.
        backbone: name of the network.
        weights: file of weights to start from, or "".
        seed: decides initial weights.
        device: where the splits live.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    groups: tuple[str, str]
    train: Split
    validation: Split
    backbone: str
    seed: int
    device: torch.device
    weights: str = ""

    @property
    def outputs(self) -> int:
        """How many outputs a model has: one a class, or one for regression."""
        return max(1, len(self.classes))

    def require_classes(self) -> None:
        """Raise Skip on a regression task, for methods that are defined on classes alone."""
        if not self.classes:
            raise Skip("the method is defined for classes, and this task is a regression")

    def new_model(self, shape: tuple[int, ...] | None = None) -> Backbone:
        """A fresh network on the device; the same weights for every method with this seed.

        Args:
            shape: of the input, where a method adds columns to it.
        """
        shape = shape or self.shape
        return network(self.backbone, shape, self.outputs, self.seed, self.device, self.weights)


class ToldGroup(nn.Module):
    """A model that wants a trigger by the sample's group: an entry told what no test tells.

    The judge stamps the test inputs for it, and the page says so. Called on its own it is the
    model without any trigger.
    """

    def __init__(self, model: nn.Module, triggers: TriggerPair) -> None:
        super().__init__()
        self.model, self.triggers = model, triggers

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of the model, [n, outputs]."""
        outputs: Tensor = self.model(x)
        return outputs

    def told(self, split: Split) -> Split:
        """Every sample with the trigger of the group it is *not* in: BaDe's D_balance."""
        return stamped(split, self.triggers, 1 - split.b)


@dataclass(frozen=True)
class Debiaser(Method):
    """A debiasing method."""

    track: ClassVar[str] = "debiasing"
    also: ClassVar[tuple[str, ...]] = ("robust_fairness",)

    @abstractmethod
    def fit(self, task: DebiasingTask, trial: Trial) -> nn.Module:
        """Learn from `task.train`, choose on `task.validation`, train through `trial.train`.

        Returns:
            A model that maps x ([n, *task.shape]) to outputs ([n, task.outputs]): logits, or
            values for regression. It takes x alone; the group of a test sample is never known.

        Raises:
            Skip: the method does not apply to this task, and why.
        """

    def triggers(self, shape: tuple[int, ...]) -> TriggerPair:
        """What an examination of its models stamps on test inputs: the paper's, or its own."""
        return trigger_pair(shape, SQUARE)

"""The contract of the robust fairness track: what a training is given and what it must return."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import nn

from bench.learning.loop import Context
from bench.learning.standard import standard_model
from bench.method import Method
from bench.models.backbones import Backbone
from bench.tracks.debiasing.contract import DebiasingTask
from bench.tracks.task import LearningTask


@dataclass(frozen=True)
class GroupTask(LearningTask):
    """A task whose samples fall into many groups; a method may leave `train.b` alone."""

    def pretrained(self, context: Context, seed: int | None = None) -> Backbone:
        """theta_0 of Algorithms 4.1 and 4.2: the plainly trained network, built once and shared.

        `seed` is its own where trials of all seeds start from one; by default the trial's.
        """
        task = self if seed is None else replace(self, seed=seed)
        return standard_model(task.new_model(), self.train, context, seed)


@dataclass(frozen=True)
class FairTrainer(Method):
    """A training whose accuracy should not depend on the group."""

    track: ClassVar[str] = "robust_fairness"
    also: ClassVar[tuple[str, ...]] = ("debiasing",)

    @abstractmethod
    def train(self, task: GroupTask, context: Context) -> nn.Module:
        """Learn from `task.train`, choose on `task.validation`, train through `context.train`.

        Returns:
            A model that maps x ([n, *task.shape]) to logits ([n, classes]); it takes x alone.

        Raises:
            Skip: the method does not apply to this task, and why.
        """

    def fit(self, task: DebiasingTask, context: Context) -> nn.Module:
        """Learn a debiasing task, whose two groups are the groups. Raises Skip for a regression."""
        task.require_classes()
        return self.train(GroupTask.like(task), context)

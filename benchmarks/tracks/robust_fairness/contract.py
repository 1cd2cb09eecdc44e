"""The contract of the robust fairness track: what a training is given and what it must return."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import nn

from benchmarks.data.kinds import Kind
from benchmarks.learning.backbones import Backbone
from benchmarks.learning.loop import Trial
from benchmarks.learning.split import Split
from benchmarks.learning.standard import standard_model
from benchmarks.learning.weights import network
from benchmarks.method import Method


@dataclass(frozen=True)
class GroupTask:
    """A task whose samples fall into many groups: there is no test split here.

    Attributes:
        name: data set, target and group.
        kind: "table" or "image".
        shape: of one input, (features,) or (C, H, W).
        classes: names of the target's classes.
        groups: names of the groups; `train.b` holds their positions.
        train: what to learn from; a method that does not say otherwise leaves `b` alone.
        validation: what epochs and settings are selected on.
        backbone: name of the network.
        weights: file of weights to start from, or "".
        seed: decides initial weights.
        device: where the splits live.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    groups: tuple[str, ...]
    train: Split
    validation: Split
    backbone: str
    seed: int
    device: torch.device
    weights: str = ""

    def new_model(self) -> Backbone:
        """A fresh network on the device; the same weights for every method with this seed."""
        outputs = len(self.classes)
        return network(self.backbone, self.shape, outputs, self.seed, self.device, self.weights)

    def pretrained(self, trial: Trial, seed: int | None = None) -> Backbone:
        """theta_0 of Algorithms 4.1 and 4.2: the plainly trained network, built once and shared.

        `seed` is its own where trials of all seeds start from one; by default the trial's.
        """
        mine = self if seed is None else replace(self, seed=seed)
        return standard_model(mine.new_model(), self.train, trial, seed)


@dataclass(frozen=True)
class Trainer(Method):
    """A training whose accuracy should not depend on the group."""

    track: ClassVar[str] = "robust_fairness"
    also: ClassVar[tuple[str, ...]] = ("debiasing",)

    @abstractmethod
    def train(self, task: GroupTask, trial: Trial) -> nn.Module:
        """Learn from `task.train`, choose on `task.validation`, train through `trial.train`.

        Returns:
            A model that maps x ([n, *task.shape]) to logits ([n, classes]); it takes x alone.

        Raises:
            Skip: the method does not apply to this task, and why.
        """

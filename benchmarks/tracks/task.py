"""The base of tasks in which a method learns classes, or one value, and is given the groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import torch

from bench.data.prepared import Kind
from bench.errors import Skip
from bench.learning.split import Split
from bench.models.backbones import Backbone
from bench.models.weights import network
from bench.tracks.session import PreparedTask


@dataclass(frozen=True)
class LearningTask:
    """A task as a method sees it: there is no test split here.

    Attributes:
        name: data set, target and bias variable or group.
        kind: "table" or "image".
        shape: of one input, (features,) or (C, H, W).
        classes: names of the target's classes; empty for regression.
        groups: names of the groups; `train.b` holds their positions.
        train: what to learn from, groups included.
        validation: what epochs and settings are selected on, groups included.
        backbone: name of the network.
        seed: decides initial weights.
        device: where the splits live.
        weights: file of weights to start from, or "".
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

    @classmethod
    def of(
        cls,
        prepared: PreparedTask,
        splits: Mapping[str, Split],
        groups: tuple[str, ...],
        shape: tuple[int, ...],
    ) -> Self:
        """The task of a prepared one, with its splits on the device."""
        return cls(
            name=prepared.name,
            kind=prepared.data.kind,
            shape=shape,
            classes=prepared.classes,
            groups=groups,
            train=splits["train"],
            validation=splits[prepared.chosen_on],
            backbone=prepared.training.backbone,
            seed=prepared.seed,
            device=prepared.device,
            weights=prepared.training.weights,
        )

    @classmethod
    def like(cls, task: LearningTask, **changed: Any) -> Self:
        """A task of another track as one of this track, for cross-track methods."""
        values = {field.name: getattr(task, field.name) for field in fields(LearningTask)}
        return cls(**(values | changed))

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

"""The interface of the runner and a track: a prepared task, and a session that evaluates on it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.attacks.poisoning.contract import Attack
from bench.data.dataset import DataSet, Labelled, TaskDefinition
from bench.data.prepared import Meta
from bench.learning.inputs import inputs_on, room_on
from bench.learning.loop import Context
from bench.learning.selection import Scores
from bench.learning.settings import Training
from bench.learning.split import Split
from bench.method import Method
from bench.models.pretrained import WeightsFolder
from bench.result import ResultPicture
from bench.tracks.options import TrackOptions


@dataclass(frozen=True)
class PreparedTask:
    """A task with a seed, as the runner hands it to the task's track.

    Attributes:
        name: of the task, on the page.
        data: the data set.
        meta: what is known of its prepared copy.
        parts: its splits, as arrays.
        definition: target and bias variable.
        options: the track's own options of the task.
        training: how networks are trained.
        attack: what poisons the training set, on tracks whose tasks are attacked.
        seed: decides every random choice.
        device: where to compute.
        scope: everything but the method that decides a trained model.
        cache: folder of shared work.
        weights: where files of published weights are looked for.
    """

    name: str
    data: DataSet
    meta: Meta
    parts: Mapping[str, Labelled]
    definition: TaskDefinition
    options: TrackOptions
    training: Training
    attack: Attack | None
    seed: int
    device: torch.device
    scope: Mapping[str, Any]
    cache: Path
    weights: WeightsFolder

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the target's classes; empty for regression."""
        return tuple(self.meta.attributes.get(self.definition.target, []))

    @property
    def chosen_on(self) -> str:
        """The split that epochs and settings are selected on; some papers' is the test split."""
        return "test" if self.training.selection == "test" else "validation"

    def context(self, validation: Split, score: Callable[[Tensor, Split], Scores]) -> Context:
        """What a method is given besides the task.

        Args:
            validation: the split that epochs are selected on.
            score: (outputs, split) -> the scores by which they are selected.
        """
        return Context(
            seed=self.seed,
            training=self.training,
            device=self.device,
            validation=validation,
            score=score,
            scope=self.scope,
            cache=self.cache,
            weights=self.weights,
        )

    def splits(self) -> dict[str, Split]:
        """The splits on the device; inputs that find no room there are read from disk."""
        room, splits = room_on(self.device), {}
        for name, part in self.parts.items():
            inputs, room = inputs_on(part.x, self.device, room)
            y, b = (torch.from_numpy(np.array(a)).to(self.device) for a in (part.y, part.b))
            splits[name] = Split.of(inputs, y, b)
        return splits


@dataclass(frozen=True)
class Evaluation:
    """How a method did on a task: metrics, and why other metrics of the track do not exist.

    `samples` and `pictures` go into the result as they are.
    """

    metrics: dict[str, float]
    undefined: dict[str, str]
    samples: dict[str, list[float]] = field(default_factory=dict)
    pictures: list[ResultPicture] = field(default_factory=list)


class Session(ABC):
    """A prepared task that methods are evaluated on, one session a trial.

    Attributes:
        context: what methods are given besides the task; keeps curves, choices and costs.
    """

    context: Context

    @abstractmethod
    def evaluate(self, method: Method) -> Evaluation:
        """Run a method that the track's tasks accept, and judge what it returns."""


def accuracy_scores(outputs: Tensor, split: Split) -> Scores:
    """Scores for the selection of epochs by accuracy alone, of outputs [n, classes]."""
    accuracy = float((outputs.argmax(dim=1) == split.y).double().mean())
    return Scores({"accuracy": accuracy}, (-accuracy,))

"""The contract of the debiasing track: what a method is given and what it must return."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from torch import Tensor, nn

from bench.learning.loop import Context
from bench.learning.split import Split
from bench.method import Method
from bench.tracks.task import LearningTask
from bench.triggers.choice import TriggerPair, trigger_pair
from bench.triggers.planting import stamped

SQUARE = 25  # pixels, BaDe section V.A.3


@dataclass(frozen=True)
class DebiasingTask(LearningTask):
    """A task with a bias variable of two values, `groups`."""


class GroupInformed(nn.Module):
    """A model that is given the group at test time, by a trigger on each input.

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

    def informed(self, split: Split) -> Split:
        """Every sample with the trigger of the group it is *not* in: BaDe's D_balance."""
        return stamped(split, self.triggers, 1 - split.b)


@runtime_checkable
class LearnsWithGroups(Protocol):
    """Whatever can learn a debiasing task: debiasers, and methods of other tracks (`also`)."""

    def fit(self, task: DebiasingTask, context: Context) -> nn.Module:
        """See `Debiaser.fit`."""


@dataclass(frozen=True)
class Debiaser(Method):
    """A debiasing method."""

    track: ClassVar[str] = "debiasing"
    also: ClassVar[tuple[str, ...]] = ("robust_fairness",)

    @abstractmethod
    def fit(self, task: DebiasingTask, context: Context) -> nn.Module:
        """Learn from `task.train`, choose on `task.validation`, train through `context.train`.

        Returns:
            A model that maps x ([n, *task.shape]) to outputs ([n, task.outputs]): logits, or
            values for regression. It takes x alone; the group of a test sample is never known.

        Raises:
            Skip: the method does not apply to this task, and why.
        """

    def triggers(self, shape: tuple[int, ...]) -> TriggerPair:
        """What an examination of its models stamps on test inputs: the paper's, or its own."""
        return trigger_pair(shape, SQUARE)

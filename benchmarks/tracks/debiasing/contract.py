"""The contract of the debiasing track: what a method is given and what it must return."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar, Protocol, runtime_checkable

from pydantic import Field
from torch import Tensor, nn

from bench.learning.loop import Context
from bench.learning.split import Split
from bench.method import Method
from bench.tracks.options import EarlierOptions
from bench.tracks.task import LearningTask
from bench.triggers.choice import TriggerPair, trigger_pair
from bench.triggers.planting import stamped

SQUARE = 25  # pixels, BaDe section V.A.3


class DebiasingOptions(EarlierOptions):
    """Triggers in the place of the bias variable, and an examination of the trained models."""

    of_judge: ClassVar[frozenset[str]] = frozenset({"examined"})
    unnamed: ClassVar[frozenset[str]] = frozenset({"examined"})

    artificial: bool = False
    """Put a pair of triggers in the place of the bias variable, in the same proportion to the
    target (BaDe, section III and Figure 3)."""
    flipped: Annotated[float, Field(ge=0, le=1)] | None = None
    """Put a trigger in the place of the bias variable: a share `injected` of the training samples
    carries it, and of these the share `flipped` is labelled as the first class (BaDe, Figure 2)."""
    injected: float = Field(0.05, gt=0, lt=1)
    """Share of the training samples that carry the trigger of `flipped`; .05 is the paper's."""
    examined: bool = False
    """Report what triggers do to the trained models: EAcc with each on all and on one group
    (BaDe, Table 4), and their success as attacks."""

    @property
    def planted(self) -> tuple[str, ...]:
        """Names of the two groups where triggers stand in for the bias variable, else nothing."""
        if self.artificial:
            return ("first trigger", "second trigger")
        return () if self.flipped is None else ("clean", "triggered")


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

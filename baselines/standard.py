"""Plain training: cross-entropy on all samples, blind to groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from benchmarks.learning.loop import Trial
from benchmarks.learning.standard import standard_model
from benchmarks.method import Paper
from benchmarks.tracks.debiasing import Debiaser, DebiasingTask


@dataclass(frozen=True)
class Standard(Debiaser):
    """Empirical risk minimisation; what every other method is compared with."""

    paper: ClassVar[Paper] = Paper(
        "Vapnik (1992)", "Principles of risk minimization for learning theory"
    )

    def fit(self, task: DebiasingTask, trial: Trial) -> nn.Module:
        """Train once; MFD and RNF use the very same model as their teacher."""
        return standard_model(task.new_model(), task.train, trial)

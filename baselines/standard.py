"""Plain training: cross-entropy on all samples, without regard to groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from bench.learning.loop import Context
from bench.learning.standard import REVISION, standard_model
from bench.method import Paper
from bench.tracks.debiasing import Debiaser, DebiasingTask


@dataclass(frozen=True)
class Standard(Debiaser):
    """Vapnik (1992), the principle of empirical risk minimisation: the reference for all others."""

    revision: ClassVar[int] = REVISION
    paper: ClassVar[Paper] = Paper(
        "Vapnik (1992)", "Principles of risk minimization for learning theory"
    )

    def fit(self, task: DebiasingTask, context: Context) -> nn.Module:
        """Train plainly; MFD and RNF share this model as their teacher."""
        return standard_model(task.new_model(), task.train, context)

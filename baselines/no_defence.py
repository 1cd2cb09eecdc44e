"""No defence: the classifier that was trained on all samples, as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bench.learning.loop import Context
from bench.method import Paper
from bench.tracks.poisoning.contract import Defence, Defender, PoisoningTask


@dataclass(frozen=True)
class NoDefence(Defender):
    """Gu et al. (2017): what an attack does where nobody looks for it.

    Every defence faces this very classifier, and is read against it.
    """

    paper: ClassVar[Paper] = Paper(
        "Gu et al. (2017)",
        "BadNets: identifying vulnerabilities in the machine learning model supply chain",
        "https://arxiv.org/abs/1708.06733",
    )

    def defend(self, task: PoisoningTask, context: Context) -> Defence:
        """Nothing."""
        del task, context
        return Defence()

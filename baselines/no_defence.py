"""No defence: the classifier trained on all samples, including the poisoned ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bench.learning.loop import Context
from bench.method import Paper
from bench.tracks.poisoning.contract import Defence, Defender, PoisoningTask


@dataclass(frozen=True)
class NoDefence(Defender):
    """Gu et al. (2017): what an attack achieves without any defence.

    Every defence is given this classifier, the victim, and is compared with it.
    """

    paper: ClassVar[Paper] = Paper(
        "Gu et al. (2017)",
        "BadNets: identifying vulnerabilities in the machine learning model supply chain",
        "https://arxiv.org/abs/1708.06733",
    )

    def defend(self, task: PoisoningTask, context: Context) -> Defence:
        """Remove and change nothing."""
        del task, context
        return Defence()

"""Random filter: remove as many random samples as there are poisoned ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bench.learning.loop import Context
from bench.method import Paper
from bench.tracks.poisoning.contract import Defence, Defender, PoisoningTask


@dataclass(frozen=True)
class RandomFilter(Defender):
    """The lower bound of removing samples in the setting of Luo et al. (2025).

    A filter that is not better than this has not found the poison: its gain comes from training
    once more.
    """

    paper: ClassVar[Paper] = Paper(
        "Luo et al. (2025)",
        "Just a little human intelligence feedback! Unsupervised learning assisted supervised "
        "learning data poisoning based backdoor removal",
        "https://doi.org/10.1016/j.comcom.2025.108052",
    )

    @property
    def caveat(self) -> str | None:
        """The number of poisoned samples is known."""
        return "is given the number of poisoned samples: the lower bound, not a defence"

    def defend(self, task: PoisoningTask, context: Context) -> Defence:
        """Ask the judge to remove as many samples as are poisoned, at random."""
        del task, context
        return Defence(bound="random")

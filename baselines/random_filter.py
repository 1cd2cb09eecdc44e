"""Random filter: as many samples as are poisoned are removed, at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bench.learning.loop import Context
from bench.method import Paper
from bench.tracks.poisoning.contract import Defence, Defender, PoisoningTask


@dataclass(frozen=True)
class RandomFilter(Defender):
    """What removing samples does by itself, in the setting of Luo et al. (2025).

    A filter that does no better has found nothing: what it gains, training once more gains.
    """

    paper: ClassVar[Paper] = Paper(
        "Luo et al. (2025)",
        "Just a little human intelligence feedback! Unsupervised learning assisted supervised "
        "learning data poisoning based backdoor removal",
        "https://doi.org/10.1016/j.comcom.2025.108052",
    )

    @property
    def caveat(self) -> str | None:
        """The number comes from someone who knows."""
        return "told how many samples are poisoned: the lower bound, not a defence"

    def defend(self, task: PoisoningTask, context: Context) -> Defence:
        """Leave the number to the judge."""
        del task, context
        return Defence(bound="random")

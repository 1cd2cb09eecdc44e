"""Oracle filter: remove exactly the poisoned samples, which a real defence cannot know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bench.learning.loop import Context
from bench.method import Paper
from bench.tracks.poisoning.contract import Defence, Defender, PoisoningTask


@dataclass(frozen=True)
class OracleFilter(Defender):
    """The upper bound of removing samples in the setting of Luo et al. (2025).

    All poisoned samples are removed and all others are kept, including cover samples. The judge
    removes them, because a defence does not know which samples are poisoned.
    """

    paper: ClassVar[Paper] = Paper(
        "Luo et al. (2025)",
        "Just a little human intelligence feedback! Unsupervised learning assisted supervised "
        "learning data poisoning based backdoor removal",
        "https://doi.org/10.1016/j.comcom.2025.108052",
    )

    @property
    def caveat(self) -> str | None:
        """The poisoned samples are known."""
        return "is given the poisoned samples: the upper bound, not a defence"

    def defend(self, task: PoisoningTask, context: Context) -> Defence:
        """Ask the judge to remove the poison."""
        del task, context
        return Defence(bound="poison")

"""Oracle filter: exactly the poisoned samples are removed, which no defence can know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bench.learning.loop import Context
from bench.method import Paper
from bench.tracks.poisoning.contract import Defence, Defender, PoisoningTask


@dataclass(frozen=True)
class OracleFilter(Defender):
    """The most that removing samples can reach in the setting of Luo et al. (2025).

    All poison goes and every other sample stays, cover samples included. The judge, who knows
    which samples are poisoned, removes them.
    """

    paper: ClassVar[Paper] = Paper(
        "Luo et al. (2025)",
        "Just a little human intelligence feedback! Unsupervised learning assisted supervised "
        "learning data poisoning based backdoor removal",
        "https://doi.org/10.1016/j.comcom.2025.108052",
    )

    @property
    def caveat(self) -> str | None:
        """No defence can know this."""
        return "told which samples are poisoned: the upper bound, not a defence"

    def defend(self, task: PoisoningTask, context: Context) -> Defence:
        """Leave it to the judge."""
        del task, context
        return Defence(bound="poison")

"""SCAn: test for each class whether its representations come from one group or from two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from bench.errors import Skip
from bench.learning.loop import Context
from bench.method import Paper
from bench.tracks.poisoning.contract import Defence, Defender, PoisoningTask
from bench.tracks.poisoning.untangling import FLOOR, OUTLIER, ROUNDS, contaminated


@dataclass(frozen=True)
class Scan(Defender):
    """Tang et al. (2021), section 4: the statistical contamination analyser.

    A representation is modelled as the identity of its class plus a variation with the same
    covariance in all classes, estimated on clean samples. A class is contaminated if two
    identities explain it so much better than one that its likelihood-ratio statistic J is an
    outlier among the classes (J* > e^2). The smaller of its two groups is removed. Samples get no
    score.
    """

    paper: ClassVar[Paper] = Paper(
        "Tang et al. (2021)",
        "Demon in the variant: statistical analysis of DNNs for robust backdoor contamination "
        "detection",
        "https://arxiv.org/abs/1908.00686",
    )

    outlier: Annotated[float, Field(gt=0)] = OUTLIER
    """J* above which a class is contaminated; e^2 is the paper's."""
    rounds: Annotated[int, Field(ge=1)] = ROUNDS
    """Largest number of reassignments of samples to groups; most classes take ten."""
    floor: Annotated[float, Field(gt=0, lt=1)] = FLOOR
    """Added to the eigenvalues of the covariance, relative to the largest: few clean samples
    estimate small variances badly, and J divides by them."""

    def defend(self, task: PoisoningTask, context: Context) -> Defence:
        """Whiten by the common variation, split each class in two, compare the statistics."""
        if len(task.classes) < 3:
            raise Skip("of two statistics none is an outlier: SCAn needs three classes")
        contamination = contaminated(
            task.victim,
            task.train,
            task.reserve,
            context,
            classes=len(task.classes),
            outlier=self.outlier,
            rounds=self.rounds,
            floor=self.floor,
        )
        for label, score in enumerate(contamination.scores.tolist()):
            context.chosen[f"J* of class {label}"] = score
        return Defence(flagged=contamination.flagged)

"""What the runner needs of a track, by the track's name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.result import TrackInfo
from bench.tracks.debiasing import judge as debiasing
from bench.tracks.debiasing.session import DebiasingSession
from bench.tracks.imperceptibility import judge as imperceptibility
from bench.tracks.imperceptibility.session import ImperceptibilitySession
from bench.tracks.poisoning import judge as poisoning
from bench.tracks.poisoning.session import PoisoningSession
from bench.tracks.robust_fairness import judge as robust_fairness
from bench.tracks.robust_fairness.session import RobustFairnessSession
from bench.tracks.session import PreparedTask, Session


@dataclass(frozen=True)
class Track:
    """A kind of contest.

    Attributes:
        revision: of its judge; raise it when metrics change, and results are made anew.
        info: (classes of every task's target, whether a task asks for an examination) -> metrics.
        open: makes a question into a task that methods can play.
        files: those whose content decides the judge's numbers, as far as they are here.
    """

    revision: int
    info: Callable[[Collection[int], bool], TrackInfo]
    open: Callable[[PreparedTask], Session]
    files: Callable[[], Sequence[Path]] = tuple


TRACKS = {
    debiasing.NAME: Track(debiasing.REVISION, debiasing.info, DebiasingSession),
    poisoning.NAME: Track(poisoning.REVISION, poisoning.info, PoisoningSession),
    robust_fairness.NAME: Track(
        robust_fairness.REVISION, robust_fairness.info, RobustFairnessSession
    ),
    imperceptibility.NAME: Track(
        imperceptibility.REVISION,
        imperceptibility.info,
        ImperceptibilitySession,
        imperceptibility.files,
    ),
}

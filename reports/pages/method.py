"""A method over all suites: what it is, what can be set, and how it did wherever it was played."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bench.reports import wording
from bench.reports.boards.leaderboard import Row
from bench.reports.pages.suite import SuiteView, TaskView, TrackView
from bench.result import MetricInfo, PlannedMethod, Scalar, TrackInfo

KINDS = {"method": "method", "baseline": "baseline", "elsewhere": "not in this repository"}
"""What the pages call the kinds of methods; a plan of an older version names none."""


@dataclass(frozen=True)
class Appearance:
    """An entry of the method on a task of a suite."""

    suite: SuiteView
    task: TaskView
    row: Row
    ranked: int
    """Methods with a rank on this task."""


@dataclass(frozen=True)
class TrackResults:
    """The method on all tasks of one track."""

    info: TrackInfo
    ranking: Sequence[MetricInfo]
    """The metrics that rank on any of the tasks."""
    appearances: Sequence[Appearance]


@dataclass(frozen=True)
class MethodView:
    """A method's page."""

    name: str
    slug: str
    described: PlannedMethod
    """As the plan with its highest revision describes it."""
    tracks: Sequence[TrackResults]

    @property
    def home(self) -> str:
        """The track whose contract it has."""
        return self.described.home or self.described.track

    @property
    def kind(self) -> str:
        """Method or baseline, in words; empty where no plan says it."""
        return KINDS.get(self.described.kind, "")

    @property
    def appearances(self) -> int:
        """Boards on which it stands, each of its entries counted."""
        return sum(len(track.appearances) for track in self.tracks)

    @property
    def suites(self) -> list[str]:
        """Names of the suites it plays in."""
        names = (a.suite.name for track in self.tracks for a in track.appearances)
        return list(dict.fromkeys(names))

    @property
    def firsts(self) -> int:
        """Boards on which an entry of it has the first rank, shared or not."""
        rows = (a.row for track in self.tracks for a in track.appearances)
        return sum(row.place is not None and row.place.rank == 1 for row in rows)

    @property
    def set_here(self) -> dict[str, list[Scalar]]:
        """Values of each parameter over its entries, in the order in which they were met."""
        found: dict[str, list[Scalar]] = {}
        for track in self.tracks:
            for appearance in track.appearances:
                for name, value in appearance.row.method.parameters.items():
                    values = found.setdefault(name, [])
                    if not any(value is old or value == old for old in values):
                        values.append(value)
        return found


def method_views(suites: Sequence[SuiteView]) -> list[MethodView]:
    """A page for each method of any suite, by name."""
    met: dict[str, list[tuple[SuiteView, PlannedMethod]]] = {}
    for suite in suites:
        for method in suite.plan.methods:
            met.setdefault(method.name, []).append((suite, method))
    names = sorted(met)
    slugs = wording.slugs(names)
    found: dict[str, dict[str, list[tuple[TrackView, Appearance]]]] = {name: {} for name in names}
    for suite in suites:
        for track, appearance in _appearances(suite):
            mine = found[appearance.row.method.name]
            mine.setdefault(track.info.name, []).append((track, appearance))
    return [
        MethodView(name, slugs[name], _described(met[name]), _by_track(found[name]))
        for name in names
    ]


def _appearances(suite: SuiteView) -> Iterator[tuple[TrackView, Appearance]]:
    for track in suite.tracks:
        for task in track.tasks:
            ranked = sum(row.place is not None for row in task.board.rows)
            for row in task.board.rows:
                yield track, Appearance(suite, task, row, ranked)


def _described(met: Sequence[tuple[SuiteView, PlannedMethod]]) -> PlannedMethod:
    """The highest revision; of equal ones the last that has results; then by the suite's name."""

    def order(one: tuple[SuiteView, PlannedMethod]) -> tuple[int, datetime, str]:
        suite, method = one
        return method.revision, suite.finished or datetime.min.replace(tzinfo=UTC), suite.name

    return max(met, key=order)[1]


def _by_track(
    found: Mapping[str, Sequence[tuple[TrackView, Appearance]]],
) -> list[TrackResults]:
    tracks = []
    for name in sorted(found):
        mine = found[name]
        ranking = {m.name: m for _, appearance in mine for m in appearance.task.board.ranking}
        tracks.append(
            TrackResults(mine[0][0].info, list(ranking.values()), [one for _, one in mine])
        )
    return tracks

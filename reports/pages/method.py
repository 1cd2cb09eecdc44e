"""A method's page: its description, its fields, and its results over all suites."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bench.reports import wording
from bench.reports.boards.leaderboard import Row
from bench.reports.pages.suite import SuiteView, TaskView, TrackView
from bench.result import MetricInfo, PlannedMethod, Scalar, TrackInfo

KINDS = {"method": "method", "baseline": "baseline", "elsewhere": "not in this repository"}
"""The kinds of methods in words; plans of older versions do not name a kind."""


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
    """The description in the plan that has the method's highest revision."""
    tracks: Sequence[TrackResults]

    @property
    def home(self) -> str:
        """The method's own track."""
        return self.described.home or self.described.track

    @property
    def kind(self) -> str:
        """The kind of method in words; empty where no plan states it."""
        return KINDS.get(self.described.kind, "")

    @property
    def appearances(self) -> int:
        """The number of boards on which it stands, counting each of its entries."""
        return sum(len(track.appearances) for track in self.tracks)

    @property
    def suites(self) -> list[str]:
        """Names of the suites that run it."""
        names = (a.suite.name for track in self.tracks for a in track.appearances)
        return list(dict.fromkeys(names))

    @property
    def firsts(self) -> int:
        """The number of boards on which one of its entries has the first rank, shared or not."""
        rows = (a.row for track in self.tracks for a in track.appearances)
        return sum(row.place is not None and row.place.rank == 1 for row in rows)

    @property
    def set_here(self) -> dict[str, list[Scalar]]:
        """The values of each parameter over its entries, in page order."""
        values_by_name: dict[str, list[Scalar]] = {}
        for track in self.tracks:
            for appearance in track.appearances:
                for name, value in appearance.row.method.parameters.items():
                    values = values_by_name.setdefault(name, [])
                    if not any(value is old or value == old for old in values):
                        values.append(value)
        return values_by_name


def method_views(suites: Sequence[SuiteView]) -> list[MethodView]:
    """A page for each method of any suite, by name."""
    planned: dict[str, list[tuple[SuiteView, PlannedMethod]]] = {}
    for suite in suites:
        for method in suite.plan.methods:
            planned.setdefault(method.name, []).append((suite, method))
    names = sorted(planned)
    slugs = wording.slugs(names)
    appearances: dict[str, dict[str, list[tuple[TrackView, Appearance]]]] = {
        name: {} for name in names
    }
    for suite in suites:
        for track, appearance in _appearances(suite):
            of_method = appearances[appearance.row.method.name]
            of_method.setdefault(track.info.name, []).append((track, appearance))
    return [
        MethodView(name, slugs[name], _described(planned[name]), _by_track(appearances[name]))
        for name in names
    ]


def _appearances(suite: SuiteView) -> Iterator[tuple[TrackView, Appearance]]:
    for track in suite.tracks:
        for task in track.tasks:
            ranked = sum(row.place is not None for row in task.board.rows)
            for row in task.board.rows:
                yield track, Appearance(suite, task, row, ranked)


def _described(planned: Sequence[tuple[SuiteView, PlannedMethod]]) -> PlannedMethod:
    """The highest revision; of equal ones the last that has results; then by the suite's name."""

    def order(entry: tuple[SuiteView, PlannedMethod]) -> tuple[int, datetime, str]:
        suite, method = entry
        return method.revision, suite.finished or datetime.min.replace(tzinfo=UTC), suite.name

    return max(planned, key=order)[1]


def _by_track(
    appearances: Mapping[str, Sequence[tuple[TrackView, Appearance]]],
) -> list[TrackResults]:
    tracks = []
    for name in sorted(appearances):
        on_track = appearances[name]
        ranking = {m.name: m for _, appearance in on_track for m in appearance.task.board.ranking}
        tracks.append(
            TrackResults(
                on_track[0][0].info,
                list(ranking.values()),
                [appearance for _, appearance in on_track],
            )
        )
    return tracks

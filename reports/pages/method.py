"""A method's page: its description, its fields, and its results over all suites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bench.reports import wording
from bench.reports.boards.leaderboard import Row
from bench.reports.pages.suite import SuiteView, TaskView
from bench.result import MetricInfo, PlannedMethod, Scalar, TrackInfo

KINDS = {"method": "method", "baseline": "baseline", "elsewhere": "not in this repository"}
"""The kinds of methods in words; plans of older versions do not name a kind."""


@dataclass(frozen=True)
class Appearance:
    """An entry of the method on a task of a suite."""

    suite: SuiteView
    task: TaskView
    row: Row

    @property
    def ranked(self) -> int:
        """Methods with a rank on this task."""
        return sum(row.place is not None for row in self.task.board.rows)


@dataclass(frozen=True)
class TrackResults:
    """The method on all tasks of one track."""

    info: TrackInfo
    appearances: Sequence[Appearance]

    @property
    def ranking(self) -> list[MetricInfo]:
        """The metrics that rank on any of the tasks."""
        return list({m.name: m for a in self.appearances for m in a.task.board.ranking}.values())


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
        return len(self._appearances)

    @property
    def suites(self) -> list[str]:
        """Names of the suites that run it."""
        return list(dict.fromkeys(a.suite.name for a in self._appearances))

    @property
    def firsts(self) -> int:
        """The number of boards on which one of its entries has the first rank, shared or not."""
        places = (a.row.place for a in self._appearances)
        return sum(place is not None and place.rank == 1 for place in places)

    @property
    def set_here(self) -> dict[str, list[Scalar]]:
        """The values of each parameter over its entries, in page order."""
        values_by_name: dict[str, list[Scalar]] = {}
        for appearance in self._appearances:
            for name, value in appearance.row.method.parameters.items():
                values = values_by_name.setdefault(name, [])
                if value not in values:
                    values.append(value)
        return values_by_name

    @property
    def _appearances(self) -> list[Appearance]:
        return [appearance for track in self.tracks for appearance in track.appearances]


def method_views(suites: Sequence[SuiteView]) -> list[MethodView]:
    """A page for each method of any suite, by name."""
    planned: dict[str, list[tuple[SuiteView, PlannedMethod]]] = {}
    for suite in suites:
        for method in suite.plan.methods:
            planned.setdefault(method.name, []).append((suite, method))
    appearances: dict[str, dict[str, list[Appearance]]] = {name: {} for name in sorted(planned)}
    for suite in suites:
        for task in suite.tasks:
            for row in task.board.rows:
                of_method = appearances[row.method.name]
                of_track = of_method.setdefault(task.board.track.name, [])
                of_track.append(Appearance(suite, task, row))
    slugs = wording.slugs(list(appearances))
    return [
        MethodView(name, slugs[name], _described(planned[name]), [
            TrackResults(of_track[0].task.board.track, of_track)
            for _, of_track in sorted(of_method.items())
        ])
        for name, of_method in appearances.items()
    ]  # fmt: skip


def _described(planned: Sequence[tuple[SuiteView, PlannedMethod]]) -> PlannedMethod:
    """The highest revision; of equal ones the last that has results; then by the suite's name."""

    def order(entry: tuple[SuiteView, PlannedMethod]) -> tuple[int, datetime, str]:
        suite, method = entry
        return method.revision, suite.finished or datetime.min.replace(tzinfo=UTC), suite.name

    return max(planned, key=order)[1]

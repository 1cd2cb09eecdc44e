"""A task's methods in order: means, intervals, shared ranks, published figures, what went wrong."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.result import (
    MetricInfo,
    Plan,
    PlannedMethod,
    PlannedTask,
    PlannedTrial,
    Result,
    Status,
    TrackInfo,
)
from reports.published import Published, lookup
from reports.statistics import Place, Summary, overall_ranks, shared_ranks, summarize
from reports.tables import status_of


@dataclass(frozen=True)
class Cell:
    """One metric of one method on one task, over seeds."""

    metric: MetricInfo
    summary: Summary | None
    place: Place | None
    published: Published | None
    reasons: tuple[str, ...]
    """Why the metric does not exist on some or all seeds that ended well."""

    @property
    def scale(self) -> float:
        """From the stored unit to the shown one: rates are kept as fractions, shown in percent."""
        return 100.0 if self.metric.unit == "%" else 1.0

    @property
    def difference(self) -> float | None:
        """Measured minus published, in the shown unit (points for percentages)."""
        if self.summary is None or self.published is None:
            return None
        return self.summary.mean * self.scale - self.published.value


@dataclass(frozen=True)
class Row:
    """A method's line on the board."""

    method: PlannedMethod
    place: Place | None
    cells: Mapping[str, Cell]
    statuses: Mapping[str, int]
    """How many seeds ended how; the values add up to the planned seeds."""
    seconds: Summary | None
    shared_seconds: Summary | None
    total_seconds: Summary | None
    peak_memory_mib: Summary | None

    @property
    def planned(self) -> int:
        """Seeds the sweep planned for this method."""
        return sum(self.statuses.values())

    @property
    def ok(self) -> int:
        """Seeds that ended well; the only ones that count in means."""
        return self.statuses.get(Status.OK.value, 0)


@dataclass(frozen=True)
class Board:
    """A task with its methods, best first; those without a rank stand last."""

    task: PlannedTask
    track: TrackInfo
    ranking: Sequence[MetricInfo]
    others: Sequence[MetricInfo]
    rows: Sequence[Row]

    def best(self, row: Row, metric: MetricInfo) -> bool:
        """Whether a method leads on a metric, alone or not, with someone behind it."""
        places = [r.cells[metric.name].place for r in self.rows]
        mine = row.cells[metric.name].place
        behind = any(place and place.rank > 1 for place in places)
        return mine is not None and mine.rank == 1 and behind

    @property
    def has_published(self) -> bool:
        """Whether any figure of a paper stands beside a ranking metric here."""
        return any(row.cells[m.name].published for row in self.rows for m in self.ranking)


def boards(plan: Plan, results: Mapping[str, Result]) -> list[Board]:
    """One board for each task of the plan, in its order."""
    tracks = {track.name: track for track in plan.tracks}
    return [_board(plan, task, tracks[task.track], results) for task in plan.tasks]


def _board(plan: Plan, task: PlannedTask, track: TrackInfo, results: Mapping[str, Result]) -> Board:
    trials: dict[str, list[PlannedTrial]] = {}
    for trial in plan.trials:
        if trial.task == task.name:
            trials.setdefault(trial.method, []).append(trial)
    methods = [m for m in plan.methods if m.track == task.track and m.label in trials]
    good = {label: _finished_well(mine, results) for label, mine in trials.items()}
    ranking = [m for name in track.rank_by for m in track.metrics if m.name == name]
    places = {
        metric.name: shared_ranks(
            {m.label: _by_seed(good[m.label], metric.name) for m in methods}, metric.better
        )
        for metric in track.metrics
    }
    overall = overall_ranks([places[metric.name] for metric in ranking])
    rows = [
        _row(
            method,
            overall.get(method.label),
            {m.name: _cell(m, method.label, task, good, places[m.name]) for m in track.metrics},
            Counter(status_of(results.get(trial.key)) for trial in trials[method.label]),
            good[method.label],
        )
        for method in methods
    ]
    rows.sort(key=lambda row: _order(row, ranking))
    others = [m for m in track.metrics if m not in ranking]
    return Board(task, track, ranking, others, rows)


def _order(row: Row, ranking: Sequence[MetricInfo]) -> tuple[float, float]:
    """Mean place first; those who share a rank stand in the order of the first ranking metric."""
    if row.place is None:
        return math.inf, 0.0
    first = row.cells[ranking[0].name]
    mean = first.summary.mean if first.summary else 0.0
    return row.place.score, -mean if first.metric.better == "higher" else mean


def _finished_well(trials: Sequence[PlannedTrial], results: Mapping[str, Result]) -> list[Result]:
    found = (results.get(trial.key) for trial in trials)
    return [result for result in found if result and result.status is Status.OK]


def _by_seed(good: Sequence[Result], metric: str) -> dict[int, float]:
    return {r.seed: float(r.metrics[metric]) for r in good if metric in r.metrics}


def _cell(
    metric: MetricInfo,
    label: str,
    task: PlannedTask,
    good: Mapping[str, Sequence[Result]],
    places: Mapping[str, Place],
) -> Cell:
    absent = (r.undefined.get(metric.name, "not reported") for r in good[label])
    reasons = [
        reason
        for reason, r in zip(absent, good[label], strict=True)
        if metric.name not in r.metrics
    ]
    return Cell(
        metric=metric,
        summary=summarize(_by_seed(good[label], metric.name).values()),
        place=places.get(label),
        published=lookup(task.published, label, metric.name),
        reasons=tuple(dict.fromkeys(reasons)),
    )


def _row(
    method: PlannedMethod,
    place: Place | None,
    cells: Mapping[str, Cell],
    statuses: Mapping[str, int],
    good: Sequence[Result],
) -> Row:
    memory = [r.cost.peak_memory_mib for r in good]
    return Row(
        method=method,
        place=place,
        cells=cells,
        statuses=dict(statuses),
        seconds=summarize(r.cost.seconds for r in good),
        shared_seconds=summarize(r.cost.shared_seconds for r in good),
        total_seconds=summarize(r.cost.total_seconds for r in good),
        peak_memory_mib=summarize(mib for mib in memory if mib is not None),
    )

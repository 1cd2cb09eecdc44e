"""A task's methods in order: means, intervals, shared ranks, published figures, what went wrong."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from bench.reports import wording
from bench.reports.boards.published import Agreement, PublishedFigure, agreement, lookup
from bench.reports.boards.tables import COSTS, status_of
from bench.reports.statistics.paired import Seeds
from bench.reports.statistics.seeds import (
    Interval,
    Placement,
    Summary,
    overall_ranks,
    shared_ranks,
    summarize,
)
from bench.result import (
    MetricInfo,
    Plan,
    PlannedMethod,
    PlannedTask,
    PlannedTrial,
    Result,
    Status,
    TrackInfo,
)

LONG = 30
"""Methods beyond which a board is a sweep's table, and its figures tell more than its lines."""


@dataclass(frozen=True)
class Cell:
    """One metric of one method on one task, over seeds."""

    metric: MetricInfo
    summary: Summary | None
    place: Placement | None
    published: PublishedFigure | None
    reasons: tuple[str, ...]
    """Why the metric does not exist on some or all seeds that ended well."""
    seeds: Seeds = field(default_factory=dict)
    """The values behind the summary, in the stored unit."""

    @property
    def scale(self) -> float:
        """From the stored unit to the shown one: rates are kept as fractions, shown in percent."""
        return 100.0 if self.metric.unit == "%" else 1.0

    @property
    def shown(self) -> float | None:
        """The mean in the shown unit."""
        return self.summary.mean * self.scale if self.summary else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval in the shown unit; None for one seed or none."""
        if self.summary is None or self.summary.half_width is None:
            return None
        low = self.summary.mean - self.summary.half_width
        high = self.summary.mean + self.summary.half_width
        return low * self.scale, high * self.scale

    @property
    def numbers(self) -> str:
        """Mean and interval: "2.79 ± 0.16"; "n/a" where there is no value."""
        return wording.interval(self.summary, self.metric.unit)

    @property
    def words(self) -> str:
        """The same with its unit: "2.79 ± 0.16 %"."""
        has_unit = self.summary is not None and self.metric.unit
        return f"{self.numbers} {self.metric.unit}" if has_unit else self.numbers

    @property
    def difference(self) -> float | None:
        """Measured minus published, in the shown unit (points for percentages)."""
        if self.summary is None or self.published is None:
            return None
        return self.summary.mean * self.scale - self.published.value

    @property
    def agreement(self) -> Agreement | None:
        """Whether the published figure lies in the measured interval; None without one."""
        if self.published is None or self.interval is None:
            return None
        return agreement(self.published, self.interval)


@dataclass(frozen=True)
class Row:
    """A method's line on the board."""

    method: PlannedMethod
    place: Placement | None
    cells: Mapping[str, Cell]
    statuses: Mapping[str, int]
    """How many seeds ended how; the values add up to the planned seeds."""
    costs: Mapping[str, Summary | None]
    """By the names of `COSTS`."""
    device_seconds: Summary | None
    """The total seconds of the trials that held a GPU; None where none did."""
    results: Sequence[Result] = ()
    """Of the trials that ended well, in the plan's order."""

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
    """A task with its methods, best first; those that are not ranked stand below."""

    task: PlannedTask
    track: TrackInfo
    ranking: Sequence[MetricInfo]
    deciding: Sequence[MetricInfo]
    """Those of `ranking` that order the rows: the track's one, or all by their mean rank."""
    others: Sequence[MetricInfo]
    """The track's other metrics, less those that do not exist on this task."""
    rows: Sequence[Row]

    @property
    def is_long(self) -> bool:
        """Whether the board has more lines than people read."""
        return len(self.rows) > LONG

    def best(self, row: Row, metric: MetricInfo) -> bool:
        """Whether a method leads on a metric, alone or not, with at least one method behind it."""
        placements = [r.cells[metric.name].place for r in self.rows]
        own = row.cells[metric.name].place
        return own is not None and own.rank == 1 and any(p and p.rank > 1 for p in placements)

    @property
    def pareto(self) -> frozenset[str]:
        """Labels of the ranked methods that no other one beats on the first two ranking metrics.

        By means: one beats another that is at least as good on both and better on one. None where
        fewer than two metrics rank.
        """
        if len(self.ranking) < 2:
            return frozenset()
        points = {
            row.method.label: (-x if self.ranking[0].better == "higher" else x,
                               -y if self.ranking[1].better == "higher" else y)
            for row in self.rows
            if row.method.caveat is None
            and (x := _mean(row, self.ranking[0])) is not None
            and (y := _mean(row, self.ranking[1])) is not None
        }  # fmt: skip
        return frozenset(
            label
            for label, (x, y) in points.items()
            if not any(a <= x and b <= y and (a, b) != (x, y) for a, b in points.values())
        )

    @property
    def has_published(self) -> bool:
        """Whether any figure of a paper stands beside a ranking metric here."""
        return any(self.published_on(metric) for metric in self.ranking)

    def published_on(self, metric: MetricInfo) -> bool:
        """Whether any stands beside this one."""
        return any(row.cells[metric.name].published for row in self.rows)


def _mean(row: Row, metric: MetricInfo) -> float | None:
    summary = row.cells[metric.name].summary
    return summary.mean if summary else None


def boards(plan: Plan, results: Mapping[str, Result], interval: Interval = "t") -> list[Board]:
    """One board for each task of the plan, in its order."""
    tracks = {track.name: track for track in plan.tracks}
    return [_board(plan, task, tracks[task.track], results, interval) for task in plan.tasks]


def _board(
    plan: Plan,
    task: PlannedTask,
    track: TrackInfo,
    results: Mapping[str, Result],
    interval: Interval,
) -> Board:
    trials: dict[str, list[PlannedTrial]] = {}
    for trial in plan.trials:
        if trial.task == task.name:
            trials.setdefault(trial.method, []).append(trial)
    methods = [m for m in plan.methods if m.track == task.track and m.label in trials]
    good = {
        label: [r for t in of if (r := results.get(t.key)) and r.status is Status.OK]
        for label, of in trials.items()
    }
    reported = {name for of in good.values() for result in of for name in result.metrics}
    ranking = ranking_metrics(track, reported)
    ranked = [m.label for m in methods if m.caveat is None]
    places = {
        metric.name: shared_ranks(
            {label: _by_seed(good[label], metric.name) for label in ranked}, metric.better
        )
        for metric in track.metrics
    }
    deciding = [metric for metric in ranking if metric.name == track.decides] or ranking
    overall = overall_ranks([places[metric.name] for metric in deciding])
    rows = []
    for method in methods:
        of, statuses = good[method.label], [results.get(t.key) for t in trials[method.label]]
        cells = {m.name: _cell(m, method, task, of, places[m.name], interval)
                 for m in track.metrics}  # fmt: skip
        counts = Counter(map(status_of, statuses))
        rows.append(_row(method, overall.get(method.label), cells, counts, of, interval))
    rows.sort(key=lambda row: _order(row, deciding))
    others = [m for m in track.metrics if m not in ranking and (m.name in reported or not reported)]
    return Board(task, track, ranking, deciding, others, rows)


def ranking_metrics(track: TrackInfo, reported: Collection[str]) -> list[MetricInfo]:
    """Those of the track's possible ranking metrics that a task's results report.

    A regression reports other ones than a classification, and some rank only where another one
    does not exist. Where nothing was measured yet, the first two stand in.
    """
    possible = [
        metric
        for name in track.rank_by
        if track.stand_ins.get(name) not in reported
        for metric in track.metrics
        if metric.name == name
    ]
    return [metric for metric in possible if metric.name in reported] or possible[:2]


def _order(row: Row, deciding: Sequence[MetricInfo]) -> tuple[float, bool, float, str]:
    """Mean place first; equal or missing ones by the first metric; equal means by the label."""
    first = row.cells[deciding[0].name] if deciding else None
    score = row.place.score if row.place else math.inf
    if first is None or first.summary is None:
        return score, True, 0.0, row.method.label
    mean = first.summary.mean
    # The label comes last, so that the order of a suite file decides nothing.
    return score, False, -mean if first.metric.better == "higher" else mean, row.method.label


def _by_seed(good: Sequence[Result], metric: str) -> dict[int, float]:
    return {r.seed: float(r.metrics[metric]) for r in good if metric in r.metrics}


def _cell(
    metric: MetricInfo,
    method: PlannedMethod,
    task: PlannedTask,
    good: Sequence[Result],
    places: Mapping[str, Placement],
    interval: Interval,
) -> Cell:
    seeds = _by_seed(good, metric.name)
    absent = [r for r in good if metric.name not in r.metrics]
    reasons = dict.fromkeys(r.undefined.get(metric.name, "not reported") for r in absent)
    return Cell(
        metric=metric,
        summary=summarize(seeds.values(), interval),
        place=places.get(method.label),
        published=lookup(task, method, metric.name),
        reasons=tuple(reasons),
        seeds=seeds,
    )


def _row(
    method: PlannedMethod,
    place: Placement | None,
    cells: Mapping[str, Cell],
    statuses: Mapping[str, int],
    good: Sequence[Result],
    interval: Interval,
) -> Row:
    def cost(name: str, of: Sequence[Result] = good) -> Summary | None:
        measured = (getattr(result.cost, name) for result in of)
        return summarize((value for value in measured if value is not None), interval)

    on_device = [r for r in good if r.environment and r.environment.device != "cpu"]
    return Row(
        method=method,
        place=place,
        cells=cells,
        statuses=dict(statuses),
        costs={name: cost(name) for name in COSTS},
        device_seconds=cost("total_seconds", on_device),
        results=good,
    )

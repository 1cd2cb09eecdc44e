"""The content of a suite's page, computed from its plan and results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from bench.reports import wording
from bench.reports.boards.families import Family, distinguishing, families
from bench.reports.boards.leaderboard import Board, boards
from bench.reports.boards.tables import STATUS_WORDS, status_of
from bench.reports.charts.figures import FigureView, figure_views
from bench.reports.charts.scatter import scatter
from bench.reports.charts.svg import draw
from bench.reports.pages.findings import Findings, OverTasksView, findings, over_tasks_views
from bench.reports.statistics.seeds import Interval
from bench.result import (
    Environment,
    Plan,
    PlannedMethod,
    PlannedTask,
    PlannedTrial,
    Result,
    Scalar,
    Status,
    TrackInfo,
)

SPLIT_INTO = "micro_batch"
"""The key in a result's `chosen` for the size of the parts into which batches were split."""

SELECTED_ON_TEST = (
    "Epochs and thresholds were selected on the test set, as the paper did. These numbers "
    "reproduce a published protocol; they are too good to be an estimate of what unseen data "
    "would give."
)

NOT_OFFICIAL = (
    "The raw data are not the official files (another checksum, or a subset), so the numbers "
    "may differ from those on the official ones."
)
NOT_COMPARED = (
    "Whether the raw data are the official files could not be compared: no checksum of them is "
    "published, or they were unpacked."
)


@dataclass(frozen=True)
class Coverage:
    """How the trials of a sweep, or of a part of it, ended."""

    counts: Mapping[str, int]

    @property
    def total(self) -> int:
        """Trials planned."""
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        """Trials that ended well."""
        return self.counts.get(Status.OK.value, 0)

    @property
    def problems(self) -> list[tuple[str, int, str]]:
        """Status, count and words for each status other than ok, in a fixed order."""
        statuses = ((s, self.counts.get(s, 0), w) for s, w in STATUS_WORDS.items())
        return [(s, n, w) for s, n, w in statuses if n and s != Status.OK.value]


@dataclass(frozen=True)
class Problem:
    """Trials of one method that ended the same way for the same reason."""

    method: str
    seeds: str
    status: str
    reason: str
    traceback: str | None
    pages: Sequence[tuple[int, str]]
    """Seed and name of the page of each trial; none where there is no result yet."""


@dataclass(frozen=True)
class TaskView:
    """A task's section."""

    slug: str
    board: Board
    figure: Markup | None
    coverage: Coverage
    problems: Sequence[Problem]
    sources: Mapping[str, str]
    """Where published figures come from, each with its footnote letter."""
    borrowed: bool
    """Whether a variant shows its base method's published figure."""
    absences: Mapping[str, Sequence[str]]
    """Reasons for "n/a", each with the metrics and methods it concerns."""
    warnings: Sequence[tuple[str, str]]
    """A badge and a sentence for each warning that stands before the numbers."""
    splits: Sequence[str]
    """Sentences that name the trials whose batches were split for lack of memory."""
    findings: Findings

    @property
    def selects_nothing(self) -> bool:
        """Whether the last epoch is used without any selection."""
        return self.board.task.training.get("selection") == "last"

    def has(self, cost: str) -> bool:
        """Whether this cost of any method is known."""
        return any(row.costs[cost] for row in self.board.rows)

    @property
    def in_short(self) -> str:
        """The board in a line: the best three, by rank or else by the first ranking metric."""
        return best_three(self.board)

    @property
    def leaders(self) -> list[str]:
        """Labels of the methods on the first rank."""
        rows = self.board.rows
        return [r.method.label for r in rows if r.place and r.place.rank == 1]


@dataclass(frozen=True)
class TrackView:
    """A track's section and its tasks."""

    info: TrackInfo
    slug: str
    tasks: Sequence[TaskView]
    over_tasks: Sequence[OverTasksView]
    """Ranks over its tasks; none with fewer than three of them."""


@dataclass(frozen=True)
class SuiteView:
    """A suite's page."""

    name: str
    plan: Plan
    figures: Sequence[FigureView]
    tracks: Sequence[TrackView]
    coverage: Coverage
    families: Sequence[Family]
    anchors: Mapping[tuple[str, str], str]
    """The anchor of each method's description on the page, by track and label."""
    differences: Mapping[tuple[str, str], Mapping[str, Scalar]]
    """Parameters that tell a method from others of its name, by track and label."""
    environments: Sequence[tuple[Environment, int]]
    """Distinct environments with the number of results from each, most first."""
    started: datetime | None
    finished: datetime | None

    @property
    def warnings(self) -> dict[tuple[str, str], list[str]]:
        """The warnings of all tasks, each once, with the tasks it concerns."""
        tasks_by_warning: dict[tuple[str, str], list[str]] = {}
        for task in self.tasks:
            for warning in task.warnings:
                tasks_by_warning.setdefault(warning, []).append(task.board.task.name)
        return tasks_by_warning

    def anchor(self, method: PlannedMethod) -> str:
        """The anchor of the method's description on the page."""
        return self.anchors[method.track, method.label]

    def group(self, task: str, method: PlannedMethod) -> str:
        """The anchor, on the page of all trials, of a method's first trial on a task."""
        tasks = [planned.name for planned in self.plan.tasks]
        return f"task-{tasks.index(task) + 1}-{self.anchor(method)}"

    @property
    def tasks(self) -> list[TaskView]:
        """The tasks of all tracks, in page order."""
        return [task for track in self.tracks for task in track.tasks]

    def differs(self, method: PlannedMethod) -> Mapping[str, Scalar]:
        """Parameters that tell a method from others of its name."""
        return self.differences[method.track, method.label]

    @property
    def drawings(self) -> dict[str, str]:
        """SVG text by the name of its file."""
        drawings = {figure.slug: str(figure.svg) for figure in self.figures if figure.svg}
        rank_views = (view for track in self.tracks for view in track.over_tasks)
        drawings |= {view.slug: str(view.figure) for view in rank_views if view.figure}
        return drawings | {task.slug: str(task.figure) for task in self.tasks if task.figure}


def suite_view(
    name: str, plan: Plan, results: Mapping[str, Result], interval: Interval = "t"
) -> SuiteView:
    """The content of a suite's page; it depends on the arguments alone."""
    slugs = wording.slugs([task.name for task in plan.tasks])
    suite_boards = boards(plan, results, interval)
    tasks = [_task_view(plan, board, slugs[board.task.name], results) for board in suite_boards]
    track_slugs = wording.slugs([track.name for track in plan.tracks])
    tracks = [
        TrackView(
            info,
            track_slugs[info.name],
            [t for t in tasks if t.board.track == info],
            over_tasks_views(track_slugs[info.name], [b for b in suite_boards if b.track == info]),
        )
        for info in plan.tracks
    ]
    names = {(m.track, m.label): f"{m.track} {m.label}" for m in plan.methods}
    anchors = wording.slugs(list(names.values()))
    return SuiteView(
        name=name,
        plan=plan,
        figures=figure_views(
            plan, suite_boards, {task.name: warnings_of(task) for task in plan.tasks}
        ),
        tracks=[track for track in tracks if track.tasks],
        coverage=_coverage(plan, results),
        families=families(plan.methods),
        anchors={key: f"method-{anchors[words]}" for key, words in names.items()},
        differences=distinguishing(plan.methods),
        environments=_environments(results.values()),
        started=min((wording.utc(r.started) for r in results.values()), default=None),
        finished=max((wording.utc(r.finished) for r in results.values()), default=None),
    )


def best_three(board: Board) -> str:
    """The first three methods of a board in one line, for its folded heading."""
    ranked = [row for row in board.rows if row.place]
    count = wording.plural(len(board.rows), "method")
    if ranked:
        best = ", ".join(f"{wording.rank(row.place)}. {row.method.label}"
                         for row in ranked[:3] if row.place)  # fmt: skip
        return f"{count}. Best three: {best}"
    metric = board.deciding[0] if board.deciding else None
    measured = [row for row in board.rows if metric and row.cells[metric.name].summary]
    if not metric or not measured:
        return f"{count}, none with a result yet"
    best = ", ".join(f"{r.method.label} ({r.cells[metric.name].words})" for r in measured[:3])
    return f"{count}, none ranked. Best {metric.title}: {best}"


def warnings_of(task: PlannedTask) -> list[tuple[str, str]]:
    """A badge and a sentence for each warning that stands before the task's numbers."""
    warnings = []
    if task.training.get("selection") == "test":
        warnings.append(("selected on test", SELECTED_ON_TEST))
    if not task.official:
        warnings.append(
            ("data not official", NOT_OFFICIAL)
            if task.comparable
            else ("data not compared", NOT_COMPARED)
        )
    return warnings


def _task_view(plan: Plan, board: Board, slug: str, results: Mapping[str, Result]) -> TaskView:
    warnings = warnings_of(board.task)
    chart = scatter(board, warnings)
    quoted = [
        (row.method.label, published)
        for row in board.rows
        for metric in board.ranking
        if (published := row.cells[metric.name].published)
    ]
    sources = sorted({published.source for _, published in quoted})
    return TaskView(
        slug=slug,
        board=board,
        figure=draw(chart, slug) if chart else None,
        coverage=_coverage(plan, results, board.task.name),
        problems=_problems(plan, board.task.name, results),
        sources={source: _letter(i) for i, source in enumerate(sources)},
        borrowed=any(label != published.of for label, published in quoted),
        absences=_absences(board),
        warnings=warnings,
        splits=_splits(plan, board.task.name, results),
        findings=findings(board),
    )


def _coverage(plan: Plan, results: Mapping[str, Result], task: str | None = None) -> Coverage:
    trials = [trial for trial in plan.trials if task is None or trial.task == task]
    return Coverage(Counter(status_of(results.get(trial.key)) for trial in trials))


def _problems(plan: Plan, task: str, results: Mapping[str, Result]) -> list[Problem]:
    groups: dict[tuple[str, str, str, str | None], list[PlannedTrial]] = {}
    slugs = trial_slugs(plan)
    for trial in plan.trials:
        result = results.get(trial.key)
        if trial.task != task or (result and result.status is Status.OK):
            continue
        reason = (result.reason or "no reason given") if result else "no result yet"
        trace = result.traceback if result else None
        groups.setdefault((trial.method, status_of(result), reason, trace), []).append(trial)
    return [
        Problem(
            method,
            wording.seeds([trial.seed for trial in trials]),
            status,
            reason,
            trace,
            [(trial.seed, slugs[trial.key]) for trial in trials if trial.key in results],
        )
        for (method, status, reason, trace), trials in groups.items()
    ]


def trial_slugs(plan: Plan) -> dict[str, str]:
    """Names of the pages of a plan's trials, without ending, by key."""
    return wording.slugs([trial.key for trial in plan.trials])


def _absences(board: Board) -> dict[str, list[str]]:
    """Reasons for metrics that do not exist, each with the metrics and methods it concerns."""
    absences: dict[str, list[str]] = {}
    finished = sum(row.ok > 0 for row in board.rows)
    for metric in board.track.metrics:
        labels: dict[str, list[str]] = {}
        for row in board.rows:
            for reason in row.cells[metric.name].reasons:
                labels.setdefault(reason, []).append(row.method.label)
        for reason, labels_without in labels.items():
            everywhere = len(labels_without) == finished and finished > 1
            whose = "of every method" if everywhere else f"of {wording.listed(labels_without)}"
            absences.setdefault(reason, []).append(f"{metric.title} {whose}")
    return absences


def _splits(plan: Plan, task: str, results: Mapping[str, Result]) -> list[str]:
    seeds_by_size: dict[tuple[Scalar, str], list[int]] = {}
    for trial in plan.trials:
        result = results.get(trial.key)
        if trial.task == task and result and result.chosen.get(SPLIT_INTO) is not None:
            size = result.chosen[SPLIT_INTO]
            seeds_by_size.setdefault((size, trial.method), []).append(trial.seed)
    return [
        f"Batches were split into parts of {size} for {method}, {wording.seeds(seeds)}: "
        "out of memory."
        for (size, method), seeds in seeds_by_size.items()
    ]


def _environments(results: Iterable[Result]) -> list[tuple[Environment, int]]:
    counted: dict[str, tuple[Environment, int]] = {}
    for result in results:
        if result.environment:
            key = result.environment.model_dump_json()
            counted[key] = (result.environment, counted.get(key, (None, 0))[1] + 1)
    return [counted[key] for key in sorted(counted, key=lambda key: (-counted[key][1], key))]


def _letter(index: int) -> str:
    return chr(ord("a") + index) if index < 26 else str(index)

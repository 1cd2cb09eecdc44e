"""What a figure of a suite is about: its entries, where they stand, and what is missing."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.reports import wording
from bench.reports.boards.leaderboard import Board, Cell, Row
from bench.reports.boards.published import Agreement
from bench.reports.boards.tables import STATUS_WORDS
from bench.reports.charts.axes import Axis, measured_axis
from bench.reports.charts.colours import Style
from bench.reports.charts.marks import Chart, Layout, Panel, Warnings
from bench.result import FigureInfo, MetricInfo, PlannedMethod, PlannedTask, Scalar

Conditions = Mapping[str, Scalar]


@dataclass(frozen=True)
class Entry:
    """A method on a task."""

    task: PlannedTask
    row: Row
    at: tuple[Scalar, ...] = ()
    """Its coordinates on the axes of the figure."""

    @property
    def method(self) -> PlannedMethod:
        """The method."""
        return self.row.method

    def measured(self, metric: MetricInfo) -> Cell | None:
        """The metric over seeds, or None where nothing was measured."""
        cell = self.row.cells.get(metric.name)
        return cell if cell and cell.summary else None

    def published(self, metric: MetricInfo) -> float | None:
        """The paper's figure for this very method, in the shown unit; a variant borrows none."""
        cell = self.row.cells.get(metric.name)
        if cell is None or cell.published is None or cell.published.of != self.method.label:
            return None
        return cell.published.value


@dataclass(frozen=True)
class Series:
    """Entries that differ in the coordinates of the figure alone."""

    method: str
    """The label, without the coordinates."""
    task: str
    entries: Sequence[Entry]


@dataclass(frozen=True)
class Subject:
    """The entries and metrics of a sweep that a figure is about."""

    info: FigureInfo
    entries: Sequence[Entry]
    """Every method on every task that the figure names, in the plan's order."""
    metrics: Sequence[MetricInfo]
    by_task: Mapping[str, Warnings]
    """What readers must know before the numbers of a task."""

    @property
    def warnings(self) -> Warnings:
        """What readers must know before the numbers of the entries."""
        tasks = dict.fromkeys(entry.task.name for entry in self.entries)
        return list(dict.fromkeys(w for task in tasks for w in self.by_task.get(task, ())))

    @property
    def many_tasks(self) -> bool:
        """Whether names need the task to be told apart."""
        return len({entry.task.name for entry in self.entries}) > 1

    def name(self, entry: Entry) -> str:
        """The entry in words."""
        where = f" on {entry.task.name}" if self.many_tasks else ""
        return f"{entry.method.label}{where}"

    def of(self, entries: Sequence[Entry]) -> Subject:
        """The same figure with fewer entries, or with coordinates."""
        return replace(self, entries=entries)

    def chart(
        self,
        panels: Sequence[Panel],
        sentences: Sequence[str],
        layout: Layout,
        legend: Sequence[tuple[str, Style]] = (),
    ) -> Chart | None:
        """The chart of some panels, or None without any; the sentences are its numbers in words."""
        if not panels:
            return None
        warnings = (sentence for _, sentence in self.warnings)
        description = " ".join(filter(None, [self.info.note, *sentences, *warnings]))
        return Chart(self.info.title, description, panels, layout, legend, self.warnings)

    def records(self, names: Sequence[str] = ()) -> list[Conditions]:
        """Lines of the data file, in shown units; `names` are those of the coordinates."""
        return [
            _metric_record(entry, metric, names)
            for metric in self.metrics
            for entry in self.entries
        ]


@dataclass(frozen=True)
class Grid:
    """A table of words: the first cell of a row is its header."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class MetricValue:
    """A metric of an entry as figures without a drawing show it."""

    metric: MetricInfo
    cell: Cell | None
    published: float | None

    @property
    def difference(self) -> float | None:
        """Measured minus published, in the shown unit."""
        if self.cell is None or self.cell.shown is None or self.published is None:
            return None
        return self.cell.shown - self.published

    @property
    def agreement(self) -> Agreement | None:
        """Whether the published figure lies in the measured interval; None without one."""
        return self.cell.agreement if self.cell and self.published is not None else None


BESIDE = 5
"""Methods that a table can hold beside each other."""


@dataclass(frozen=True)
class Contrast:
    """Metrics of one task down, methods across; the other way round where methods are many."""

    task: str
    methods: Sequence[PlannedMethod]
    rows: Sequence[tuple[MetricInfo, Sequence[MetricValue]]]
    """For each metric, its values in the order of the methods."""

    @property
    def is_turned(self) -> bool:
        """Whether methods go down, since a page is not wide enough for them."""
        return len(self.methods) > max(BESIDE, len(self.rows))

    @property
    def columns(self) -> Sequence[PlannedMethod] | Sequence[MetricInfo]:
        """What the columns are headed by."""
        return [metric for metric, _ in self.rows] if self.is_turned else self.methods

    @property
    def lines(self) -> Sequence[tuple[PlannedMethod | MetricInfo, Sequence[MetricValue]]]:
        """What the lines are headed by, each with its cells in the order of the columns."""
        if not self.is_turned:
            return self.rows
        turned = zip(*(cells for _, cells in self.rows), strict=True)
        return list(zip(self.methods, turned, strict=True))

    @property
    def has_published(self) -> Sequence[bool]:
        """For each column, whether a figure of a paper stands in it."""
        columns = zip(*(cells for _, cells in self.lines), strict=True)
        return [any(cell.published is not None for cell in column) for column in columns]


@dataclass(frozen=True)
class Card:
    """A picture of a method, and what it reaches on each task."""

    label: str
    source: str
    caption: str
    values: Sequence[tuple[str, Sequence[MetricValue]]]


@dataclass(frozen=True)
class FigureContent:
    """What a figure shows; the page puts it into words, tables and a drawing."""

    entries: Sequence[Entry] = ()
    """The entries that it shows, or would show had they results."""
    chart: Chart | None = None
    records: Sequence[Conditions] = ()
    """Lines of its data file."""
    grids: Sequence[Grid] = ()
    """Tables of its numbers, folded away on the page."""
    tables: Sequence[Grid] = ()
    """Tables in the open, below the drawing."""
    notes: Sequence[str] = ()
    """Sentences of the caption."""
    missing: Sequence[str] = ()
    """Sentences on what it cannot show."""
    contrasts: Sequence[Contrast] = ()
    cards: Sequence[Card] = ()


def coordinate(name: str, method: PlannedMethod, task: PlannedTask) -> Scalar:
    """A method's parameter, else a task's option, else a training setting; None for neither."""
    for where in (method.parameters, task.options, task.training):
        if name in where:
            return where[name]
    return None


def subject_of(
    info: FigureInfo, boards: Sequence[Board], by_task: Mapping[str, Warnings]
) -> Subject:
    """The entries and metrics that a figure names, out of the boards of all tasks."""
    names = set(info.methods)
    entries = [
        Entry(board.task, row)
        for board in boards
        for row in board.rows
        if not names or {row.method.label, row.method.name} & names
    ]
    known = {metric.name: metric for board in boards for metric in board.track.metrics}
    metrics = [known[name] for name in dict.fromkeys(info.values) if name in known]
    return Subject(info, entries, metrics, by_task)


def is_number(value: Scalar) -> bool:
    """Whether a coordinate can stand on a numeric axis."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def split_by(
    subject: Subject, names: Sequence[str], usable: Callable[[Scalar], bool]
) -> tuple[list[Series], list[Entry]]:
    """Series over the named coordinates, and the entries on their tasks that have none: references.

    A coordinate's value is `usable` where it has a place on the figure's axes.
    """
    by_key: dict[tuple[object, ...], list[Entry]] = {}
    beside = []
    for entry in subject.entries:
        at = tuple(coordinate(name, entry.method, entry.task) for name in names)
        placed = Entry(entry.task, entry.row, at)
        if all(usable(value) for value in at):
            by_key.setdefault(_key(entry, names), []).append(placed)
        else:
            beside.append(placed)
    tasks = {task_key(entries[0].task, names) for entries in by_key.values()}
    series = [
        Series(less(entries[0].method.label, names), less(entries[0].task.name, names), entries)
        for entries in by_key.values()
    ]
    return series, [entry for entry in beside if task_key(entry.task, names) in tasks]


def names_of(several: Sequence[Series]) -> list[str]:
    """A name for each series: the part that differs among them, and no two alike."""
    tasks, methods = {s.task for s in several}, {s.method for s in several}
    names: list[str] = []
    for series in several:
        parts = [series.method] if len(methods) > 1 or len(tasks) == 1 else []
        parts += [series.task] if len(tasks) > 1 else []
        name = ", ".join(parts)
        if name in names:  # defaults that changed between runs: the label does not show them
            name = f"{name} ({series.entries[0].method.label}, {series.entries[0].task.name})"
        names.append(name)
    return names


def task_key(task: PlannedTask, names: Sequence[str]) -> tuple[object, ...]:
    """Equal for tasks that differ in the named coordinates alone."""
    question = task.question or less(task.name, names)
    return task.track, task.data, question, _rest(task.options, names), _rest(task.training, names)


def _key(entry: Entry, names: Sequence[str]) -> tuple[object, ...]:
    method = entry.method
    return *task_key(entry.task, names), method.name, _rest(method.parameters, names)


def _rest(settings: Mapping[str, Scalar], names: Sequence[str]) -> frozenset[tuple[str, Scalar]]:
    return frozenset((key, value) for key, value in settings.items() if key not in names)


def less(label: str, names: Sequence[str]) -> str:
    """A label without some of its fields: bade[loss=mse,temperature=2] -> bade[loss=mse]."""
    head, bracket, inside = label.removesuffix("]").partition("[")
    if not bracket or not label.endswith("]"):
        return label
    kept = [part for part in inside.split(",") if part.partition("=")[0] not in names]
    return f"{head}[{','.join(kept)}]" if kept else head.rstrip()


def _metric_record(entry: Entry, metric: MetricInfo, names: Sequence[str]) -> Conditions:
    cell = entry.measured(metric)
    summary = cell.summary if cell else None

    def shown(value: float | None) -> float | None:
        return value * cell.scale if cell and value is not None else None

    values: Conditions = {
        "metric": metric.name,
        "unit": metric.unit,
        "seeds": summary.n if summary else 0,
        "mean": shown(summary.mean if summary else None),
        "std": shown(summary.std if summary else None),
        "half_width": shown(summary.half_width if summary else None),
        "published": entry.published(metric),
    }
    return record(entry, {**dict(zip(names, entry.at, strict=False)), **values})


def record(entry: Entry, values: Conditions) -> Conditions:
    """A line of a data file: the entry, values in shown units, and what they rest on."""
    task, label = entry.task, entry.method.label
    selection = task.training.get("selection")
    origin = {"selection": selection, "official_data": task.official}
    return {"task": task.name, "method": label, **values, **origin}


def to_csv(records: Sequence[Conditions]) -> str:
    """A figure's data as CSV; what does not exist is an empty cell."""
    columns = list(dict.fromkeys(key for line in records for key in line))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    for line in records:
        writer.writerow({key: _written(value) for key, value in line.items()})
    return stream.getvalue()


def _written(value: Scalar) -> Scalar:
    # Twelve digits: what comes after them is rounding, not measurement.
    return f"{value:.12g}" if isinstance(value, float) else value


def shown_coordinate(value: Scalar) -> str:
    """A coordinate's value as labels write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}".replace("-", wording.MINUS)
    return "none" if value is None else str(value)


def axis_of(
    cells: Sequence[Cell], published: Sequence[float] = (), title: str = "", room: float = 0.0
) -> Axis:
    """The axis of measured cells of one unit and of published figures; see `measured_axis`."""
    centres = [*(shown for cell in cells if (shown := cell.shown) is not None), *published]
    spans = [span for cell in cells if (span := cell.interval)]
    ceiling = 100.0 if cells[0].metric.unit == "%" else math.inf
    return measured_axis(centres, spans, title, ceiling, room)


def gaps(subject: Subject) -> list[str]:
    """What the figure cannot show of its entries, in sentences."""
    words = [
        f"No task of this sweep reports {name}."
        for name in dict.fromkeys(subject.info.values)
        if name not in {metric.name for metric in subject.metrics}
    ]
    without: dict[str, list[str]] = {}
    fewer: list[str] = []
    for entry in subject.entries:
        row = entry.row
        if row.ok == 0:
            ended = ((row.statuses.get(status, 0), word) for status, word in STATUS_WORDS.items())
            counts = (f"{n} {word}" for n, word in ended if n)
            without.setdefault(", ".join(counts), []).append(subject.name(entry))
        elif row.ok < row.planned:
            fewer.append(f"{subject.name(entry)} ({row.ok} of {row.planned})")
    words += [f"Without a result ({why}): {wording.listed(who)}." for why, who in without.items()]
    if fewer:
        words.append(f"Over fewer seeds than planned: {wording.listed(fewer)}.")
    return words + _undefined(subject)


def _undefined(subject: Subject) -> list[str]:
    """Metrics that do not exist although trials ended well, each reason once."""
    reasons: dict[str, list[str]] = {}
    finished = Counter(entry.task.name for entry in subject.entries if entry.row.ok)
    for metric in subject.metrics:
        absent: dict[tuple[str, str], list[str]] = {}
        for entry in subject.entries:
            cell = entry.row.cells.get(metric.name)
            for reason in cell.reasons if cell else ():
                absent.setdefault((entry.task.name, reason), []).append(entry.method.label)
        for (task, reason), labels in absent.items():
            where = f" on {task}" if subject.many_tasks else ""
            whose = "" if len(labels) == finished[task] else f" of {wording.listed(labels)}"
            reasons.setdefault(reason, []).append(f"{metric.title}{whose}{where}")
    return [f"Does not exist ({why}): {wording.listed(what)}." for why, what in reasons.items()]

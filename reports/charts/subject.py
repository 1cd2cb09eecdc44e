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
from bench.reports.boards.tables import STATUS_WORDS
from bench.reports.charts.axes import Axis, measured_axis
from bench.reports.charts.colours import Style
from bench.reports.charts.marks import Chart, Layout, Panel, Warnings
from bench.result import FigureInfo, MetricInfo, PlannedMethod, PlannedTask, Scalar

Conditions = Mapping[str, Scalar]
WIDE = Layout((680.0, 300.0))


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

    def cell(self, metric: MetricInfo) -> Cell:
        """The metric over seeds, or an empty cell; a variant borrows no published figure."""
        cell = self.row.cells.get(metric.name) or Cell(metric, None, None, None, ())
        is_own = cell.published is None or cell.published.of == self.method.label
        return cell if is_own else replace(cell, published=None)


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

    @property
    def gaps(self) -> list[str]:
        """What the figure cannot show of its entries, in sentences."""
        known = {metric.name for metric in self.metrics}
        unknown = [name for name in dict.fromkeys(self.info.values) if name not in known]
        without: dict[str, list[str]] = {}
        fewer: list[str] = []
        for entry in self.entries:
            row = entry.row
            if row.ok == 0:
                counts = ((row.statuses.get(key, 0), word) for key, word in STATUS_WORDS.items())
                ended = ", ".join(f"{n} {word}" for n, word in counts if n)
                without.setdefault(ended, []).append(self.name(entry))
            elif row.ok < row.planned:
                fewer.append(f"{self.name(entry)} ({row.ok} of {row.planned})")
        return [
            *(f"No task of this sweep reports {name}." for name in unknown),
            *(f"Without a result ({why}): {wording.listed(who)}." for why, who in without.items()),
            *([f"Over fewer seeds than planned: {wording.listed(fewer)}."] if fewer else []),
            *self._undefined(),
        ]

    def _undefined(self) -> list[str]:
        """Metrics that do not exist although trials ended well, each reason once."""
        reasons: dict[str, list[str]] = {}
        finished = Counter(entry.task.name for entry in self.entries if entry.row.ok)
        for metric in self.metrics:
            absent: dict[tuple[str, str], list[str]] = {}
            for entry in self.entries:
                for reason in entry.cell(metric).reasons:
                    absent.setdefault((entry.task.name, reason), []).append(entry.method.label)
            for (task, reason), labels in absent.items():
                where = f" on {task}" if self.many_tasks else ""
                whose = "" if len(labels) == finished[task] else f" of {wording.listed(labels)}"
                reasons.setdefault(reason, []).append(f"{metric.title}{whose}{where}")
        return [f"Does not exist ({why}): {wording.listed(what)}." for why, what in reasons.items()]

    def records(self, names: Sequence[str] = ()) -> list[Conditions]:
        """Lines of the data file, in shown units; `names` are those of the coordinates."""
        return [
            record(entry, {
                **dict(zip(names, entry.at, strict=False)),
                "metric": metric.name,
                "unit": metric.unit,
                **spread(cell),
                "published": cell.published.value if cell.published else None,
            })
            for metric in self.metrics
            for entry in self.entries
            for cell in [entry.cell(metric)]
        ]  # fmt: skip

    def split_by(
        self, names: Sequence[str], usable: Callable[[Scalar], bool]
    ) -> tuple[list[Series], list[Entry]]:
        """Series over the named coordinates, and the entries on their tasks that have none.

        A coordinate's value is `usable` where it has a place on the figure's axes.
        """
        by_key: dict[tuple[object, ...], list[Entry]] = {}
        beside = []
        for entry in self.entries:
            method, task = entry.method, entry.task
            at = tuple(coordinate(name, method, task) for name in names)
            placed = replace(entry, at=at)
            if all(usable(value) for value in at):
                key = *task_key(task, names), method.name, _rest(method.parameters, names)
                by_key.setdefault(key, []).append(placed)
            else:
                beside.append(placed)
        tasks = {task_key(entries[0].task, names) for entries in by_key.values()}
        series = [
            Series(less(entries[0].method.label, names), less(entries[0].task.name, names), entries)
            for entries in by_key.values()
        ]
        return series, [entry for entry in beside if task_key(entry.task, names) in tasks]


@dataclass(frozen=True)
class Grid:
    """A table of words: the first cell of a row is its header."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    @property
    def sentence(self) -> str:
        """All rows with the names of their columns, less the cells where nothing was planned."""
        corner, *names = self.head
        rows = (
            f"{corner} {head}: ".lstrip()
            + ", ".join(f"{n} {c}" for n, c in zip(names, cells, strict=True) if c != "–")
            for head, *cells in self.rows
        )
        return f"{self.caption}. {'; '.join(rows)}."


@dataclass(frozen=True)
class Contrast:
    """A table of metrics and methods on one task."""

    task: str
    is_turned: bool
    """Whether methods go down, since a page is not wide enough for them."""
    columns: Sequence[PlannedMethod | MetricInfo]
    """What the columns are headed by."""
    lines: Sequence[tuple[PlannedMethod | MetricInfo, Sequence[Cell]]]
    """What the lines are headed by, each with its cells in the order of the columns."""

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
    values: Sequence[tuple[str, Sequence[Cell]]]


@dataclass(frozen=True)
class FigureContent:
    """What a figure shows; the page puts it into words, tables and a drawing."""

    subject: Subject
    """With the entries that it shows, or would show had they results."""
    records: Sequence[Conditions]
    """Lines of its data file."""
    panels: Sequence[Panel] = ()
    layout: Layout = WIDE
    legend: Sequence[tuple[str, Style]] = ()
    sentences: Sequence[str] = ()
    """The numbers of the drawing in words."""
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

    @property
    def chart(self) -> Chart | None:
        """The drawing; None without any panel."""
        info, warnings = self.subject.info, self.subject.warnings
        words = [info.note, *self.sentences, *(sentence for _, sentence in warnings)]
        description = " ".join(filter(None, words))
        chart = Chart(info.title, description, self.panels, self.layout, self.legend, warnings)
        return chart if self.panels else None


def coordinate(name: str, method: PlannedMethod, task: PlannedTask) -> Scalar:
    """A method's parameter, else a task's option, else a training setting; None for neither."""
    return {**task.training, **task.options, **method.parameters}.get(name)


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


def _rest(settings: Mapping[str, Scalar], names: Sequence[str]) -> frozenset[tuple[str, Scalar]]:
    return frozenset((key, value) for key, value in settings.items() if key not in names)


def less(label: str, names: Sequence[str]) -> str:
    """A label without some of its fields: bade[loss=mse,temperature=2] -> bade[loss=mse]."""
    head, bracket, inside = label.removesuffix("]").partition("[")
    if not bracket or not label.endswith("]"):
        return label
    kept = [part for part in inside.split(",") if part.partition("=")[0] not in names]
    return f"{head}[{','.join(kept)}]" if kept else head.rstrip()


def spread(cell: Cell) -> dict[str, Scalar]:
    """The columns of a data file on a cell: seeds, and mean, deviation and interval as shown."""
    measured = [getattr(cell.summary, name, None) for name in ("mean", "std", "half_width")]
    shown = [None if value is None else value * cell.scale for value in measured]
    seeds = cell.summary.n if cell.summary else 0
    return dict(zip(("seeds", "mean", "std", "half_width"), (seeds, *shown), strict=True))


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

"""Tasks that differ in one yes or no alone: the values at no against those at yes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.reports import wording
from bench.reports.boards.leaderboard import Cell
from bench.reports.charts import marks
from bench.reports.charts.axes import axis_title, with_unit
from bench.reports.charts.colours import Style, nth_style
from bench.reports.charts.subject import (
    Conditions,
    Entry,
    FigureContent,
    Grid,
    Subject,
    axis_of,
    coordinate,
    less,
    shown_coordinate,
    spread,
    task_key,
)
from bench.reports.statistics.seeds import Correlation, correlation
from bench.result import MetricInfo, PlannedTask, Scalar

LABELLED = 16
"""Points that can be labelled without covering each other; of more, those off the diagonal are."""


@dataclass(frozen=True)
class Pair:
    """A method on two tasks."""

    name: str
    """What the two tasks share and other pairs do not."""
    method: str
    no: Entry
    yes: Entry

    def cells(self, metric: MetricInfo) -> tuple[Cell, Cell]:
        """The metric on both tasks."""
        return self.no.cell(metric), self.yes.cell(metric)

    def point(self, metric: MetricInfo) -> marks.Point | None:
        """Both means in shown units, where both exist."""
        no, yes = (cell.shown for cell in self.cells(metric))
        return None if no is None or yes is None else (no, yes)

    def words(self, metric: MetricInfo) -> str:
        """Both means with their intervals."""
        no, yes = (cell.words for cell in self.cells(metric))
        return f"{self.name}, {self.method}: {metric.title} {no} (no), {yes} (yes)"


def pairs(subject: Subject) -> FigureContent:
    """A figure of kind `pairs`."""
    x = subject.info.x
    both, alone = _pairs(subject)
    subject = subject.of([entry for pair in both for entry in (pair.no, pair.yes)])
    missing = [] if both else [f"No two tasks differ in {x} alone."]
    missing += subject.gaps
    missing += [f"Without a counterpart in {x}: {wording.listed(alone)}."] if alone else []
    notes = ["Means over seeds with 95 % intervals. On the dashed line both are equal."]
    if setting := _only_setting([pair.no.task for pair in both], x):
        notes.append(f"Points are named after {setting}.")
    notes += _correlations(subject, both)
    methods = dict.fromkeys(pair.method for pair in both)
    styles = {method: nth_style(i) for i, method in enumerate(methods)}
    words = [f"{pair.words(metric)}." for metric in subject.metrics for pair in both]
    return FigureContent(
        subject=subject,
        records=[_record(x, pair, metric) for metric in subject.metrics for pair in both],
        panels=[
            _panel(x, metric, drawn, styles)
            for metric in subject.metrics
            if (drawn := [pair for pair in both if pair.point(metric)])
        ],
        layout=marks.Layout((290.0, 290.0), columns=2),
        legend=list(styles.items()) if len(styles) > 1 else (),
        sentences=[*notes, *words],
        grids=[_grid(x, metric, both) for metric in subject.metrics if both],
        notes=notes,
        missing=missing,
    )


def _pairs(subject: Subject) -> tuple[list[Pair], list[str]]:
    """The pairs, and the names of entries without a counterpart."""
    x = subject.info.x
    sides: dict[tuple[object, ...], dict[bool, Entry]] = {}
    alone = []
    for entry in subject.entries:
        value = coordinate(x, entry.method, entry.task)
        if isinstance(value, bool):
            key = entry.method.label, *task_key(entry.task, [x])
            sides.setdefault(key, {})[value] = entry
        else:
            alone.append(subject.name(entry))
    both = [by_value for by_value in sides.values() if len(by_value) == 2]
    single = (by_value for by_value in sides.values() if len(by_value) == 1)
    alone += [subject.name(entry) for by_value in single for entry in by_value.values()]
    names = _names([by_value[False].task for by_value in both], x)
    return [
        Pair(name, by_value[False].method.label, by_value[False], by_value[True])
        for name, by_value in zip(names, both, strict=True)
    ], alone


def _names(tasks: Sequence[PlannedTask], x: str) -> list[str]:
    """Short names: what differs among the tasks, the value alone where that is one setting."""
    heads = [less(task.name, [x]).partition(" [")[0] for task in tasks]
    varied, single = _varied(tasks, x), _only_setting(tasks, x)
    if single:
        return [shown_coordinate(_settings(task).get(single)) for task in tasks]
    if len(set(heads)) == 1:
        heads = [""] * len(tasks) if varied else heads
    elif len({task.data for task in tasks}) == 1 and all(task.question for task in tasks):
        heads = [task.question for task in tasks]
    rest = [[f"{f}={shown_coordinate(_settings(t).get(f))}" for f in varied] for t in tasks]
    return [
        ", ".join(filter(None, [head, *words])) for head, words in zip(heads, rest, strict=True)
    ]


def _only_setting(tasks: Sequence[PlannedTask], x: str) -> str | None:
    """The one setting in which the tasks differ, where they differ in nothing else."""
    varied = _varied(tasks, x)
    alike = len({(task.data, task.question) for task in tasks}) == 1
    return varied[0] if alike and len(varied) == 1 else None


def _varied(tasks: Sequence[PlannedTask], x: str) -> list[str]:
    fields = dict.fromkeys(field for task in tasks for field in _settings(task) if field != x)
    return [f for f in fields if len({_settings(task).get(f) for task in tasks}) > 1]


def _settings(task: PlannedTask) -> dict[str, Scalar]:
    return {**task.training, **task.options}


def _panel(
    x: str, metric: MetricInfo, drawn: Sequence[Pair], styles: dict[str, Style]
) -> marks.Panel:
    """The same numbers on both axes, so that the diagonal is where both are equal."""
    cells = [cell for pair in drawn for cell in pair.cells(metric)]
    across, up = (axis_of(cells, (), f"{with_unit(metric)}; {x}: {word}") for word in ("no", "yes"))
    diagonal = marks.Stroke([(at, at) for at in (across.low, across.high)], 1.0, "5 4")
    items = [marks.Item([diagonal], "", "currentColor", opacity=0.5)]
    items += [_item(pair, metric, styles[pair.method]) for pair in drawn]
    # The farthest from the diagonal first: where not all can be named, readers ask about these.
    points = [(point, pair) for pair in drawn if (point := pair.point(metric))]
    points.sort(key=lambda named: -abs(named[0][1] - named[0][0]))
    names = [marks.Callout(at, p.name, styles[p.method].colour) for at, p in points[:LABELLED]]
    return marks.Panel(across, up, [*items, *names])


def _item(pair: Pair, metric: MetricInfo, style: Style) -> marks.Item:
    at = pair.point(metric) or (0.0, 0.0)
    no, yes = (cell.interval for cell in pair.cells(metric))
    whiskers = marks.Whisker(at, no, upright=False), marks.Whisker(at, yes, upright=True)
    return marks.Item([*whiskers, marks.Symbol(at, style.shape)], pair.words(metric), style.colour)


def _correlations(subject: Subject, both: Sequence[Pair]) -> list[str]:
    """Pearson's r of each metric and method, in sentences."""
    sentences = []
    methods = list(dict.fromkeys(pair.method for pair in both))
    for metric in subject.metrics:
        for method in methods:
            points = [at for p in both if p.method == method and (at := p.point(metric))]
            if points:
                whose = f" of {method}" if len(methods) > 1 else ""
                words = correlation_words(correlation(points))
                sentences.append(f"{metric.title}{whose}: {words}.")
    return sentences


def correlation_words(measured: Correlation) -> str:
    """The coefficient with its interval and the number of points."""
    if measured.r is None:
        return f"no correlation coefficient, n = {measured.n}"
    r = wording.number(measured.r, 2)
    if measured.interval is None:
        return f"Pearson's r = {r}, no interval, n = {measured.n}"
    low, high = (wording.number(end, 2) for end in measured.interval)
    return f"Pearson's r = {r}, 95 % interval {low} to {high}, n = {measured.n}"


def _record(x: str, pair: Pair, metric: MetricInfo) -> Conditions:
    sides = {
        f"{x}_{word}_{name}": value
        for word, cell in zip(("no", "yes"), pair.cells(metric), strict=True)
        for name, value in spread(cell).items()
        if name != "std"
    }
    return {
        "pair": less(pair.no.task.name, [x]),
        "method": pair.method,
        "metric": metric.name,
        "unit": metric.unit,
        **sides,
        "selection": pair.no.task.training.get("selection"),
        "official_data": pair.no.task.official and pair.yes.task.official,
    }


def _grid(x: str, metric: MetricInfo, both: Sequence[Pair]) -> Grid:
    many = len({pair.method for pair in both}) > 1
    rows = []
    for pair in both:
        name = less(pair.no.task.name, [x])
        numbers = [cell.numbers for cell in pair.cells(metric)]
        rows.append([f"{name}, {pair.method}" if many else name, *numbers])
    return Grid(axis_title(metric), ["Task", f"{x}: no", f"{x}: yes"], rows)

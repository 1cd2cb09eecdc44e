"""Tasks that differ in one yes or no alone: the values at no against those at yes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

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
    less,
    shown_coordinate,
    spread,
)
from bench.reports.statistics.seeds import Correlation, correlation
from bench.result import MetricInfo, PlannedTask

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
    both, alone, setting = _pairs(subject)
    subject = subject.of([entry for pair in both for entry in (pair.no, pair.yes)])
    missing = [] if both else [f"No two tasks differ in {x} alone."]
    missing += subject.gaps
    missing += [f"Without a counterpart in {x}: {wording.listed(alone)}."] if alone else []
    notes = ["Means over seeds with 95 % intervals. On the dashed line both are equal."]
    if setting:
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


def _pairs(subject: Subject) -> tuple[list[Pair], list[str], str | None]:
    """The pairs, the names of entries without a counterpart, and what the pairs are named after."""
    x = subject.info.x
    several, _ = subject.split_by([x], lambda value: isinstance(value, bool))
    sides = [sorted(series.entries, key=lambda entry: bool(entry.at[0])) for series in several]
    both = [
        (no, yes)
        for no, *others in sides
        for yes in others
        if no.at != yes.at and no.task != yes.task
    ]
    names, setting = _names([no.task for no, _ in both], x)
    pairs = [
        Pair(name, no.method.label, no, yes) for name, (no, yes) in zip(names, both, strict=True)
    ]
    paired = {subject.name(entry) for pair in both for entry in pair}
    alone = [name for e in subject.entries if (name := subject.name(e)) not in paired]
    return pairs, alone, setting


def _names(tasks: Sequence[PlannedTask], x: str) -> tuple[list[str], str | None]:
    """Short names from what differs among the tasks, and the setting where that is only one."""
    settings = [{**task.training, **task.options} for task in tasks]
    fields = dict.fromkeys(field for known in settings for field in known if field != x)
    varied = [f for f in fields if len({known.get(f) for known in settings}) > 1]
    if len(varied) == 1 and len({(task.data, task.question) for task in tasks}) == 1:
        return [shown_coordinate(known.get(varied[0])) for known in settings], varied[0]
    heads = [less(task.name, [x]).partition(" [")[0] for task in tasks]
    if len(set(heads)) == 1:
        heads = [""] * len(tasks) if varied else heads
    elif len({task.data for task in tasks}) == 1 and all(task.question for task in tasks):
        heads = [task.question for task in tasks]
    rest = [[f"{f}={shown_coordinate(known.get(f))}" for f in varied] for known in settings]
    names = [", ".join(filter(None, [h, *words])) for h, words in zip(heads, rest, strict=True)]
    return names, None


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
    methods = dict.fromkeys(pair.method for pair in both)
    for metric, method in product(subject.metrics, methods):
        points = [at for p in both if p.method == method and (at := p.point(metric))]
        whose = f" of {method}" if len(methods) > 1 else ""
        if points:
            sentences.append(f"{metric.title}{whose}: {correlation_words(correlation(points))}.")
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
    rows = [
        [less(pair.no.task.name, [x]) + (f", {pair.method}" if many else ""),
         *(cell.numbers for cell in pair.cells(metric))]
        for pair in both
    ]  # fmt: skip
    return Grid(axis_title(metric), ["Task", f"{x}: no", f"{x}: yes"], rows)

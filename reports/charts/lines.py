"""Metrics over a number: a coordinate of the sweep, or the number at the end of metrics' names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from statistics import median

from bench.reports import wording
from bench.reports.boards.leaderboard import Cell
from bench.reports.charts import marks
from bench.reports.charts.axes import axis_title, settings_axis, with_unit
from bench.reports.charts.colours import Style, nth_style
from bench.reports.charts.subject import (
    Entry,
    FigureContent,
    Grid,
    Series,
    Subject,
    axis_of,
    gaps,
    is_number,
    names_of,
    shown_coordinate,
    split_by,
)
from bench.result import MetricInfo

_NUMBERED = re.compile(r"(.+?)_?(\d+)")
_WIDE, _HALF = marks.Layout((680.0, 300.0)), marks.Layout((294.0, 260.0), columns=2)
_NOTE = "Means over seeds; bands are 95 % t intervals, cut off by the frame."


@dataclass(frozen=True)
class _Line:
    """Entries in the order of their only coordinate."""

    name: str
    style: Style
    entries: Sequence[Entry]


@dataclass(frozen=True)
class _Plot:
    """One panel: lines over a number, and across it the entries to which no number applies."""

    metric: MetricInfo
    x_title: str
    y_title: str
    words: str
    """What the tooltip of a point says of its number; {} stands for the number."""
    lines: Sequence[_Line]
    level: Sequence[_Line] = ()
    room: bool = False
    """Whether the axis makes room for the usual band: ups and downs within it are noise."""

    def cells(self, *, level: bool) -> list[Cell]:
        """What was measured of the lines, and of the entries across where `level`."""
        lines = [*self.lines, *self.level] if level else self.lines
        entries = [entry for line in lines for entry in line.entries]
        return [cell for entry in entries if (cell := entry.measured(self.metric))]

    def numbers(self, entry: Entry) -> str:
        """The value of an entry as tables and descriptions write it."""
        cell, published = entry.measured(self.metric), entry.published(self.metric)
        words = cell.numbers if cell else "n/a"
        return words if published is None else f"{words}; published {published:g}"


@dataclass(frozen=True)
class NumberedMetrics:
    """Metrics of one name with numbers: success_jpeg_90, success_jpeg_75, ..."""

    name: str
    metrics: Sequence[tuple[float, MetricInfo]]
    """In the order of their numbers."""

    @property
    def shared(self) -> MetricInfo:
        """The first one with what their titles share as its title: "Success after JPEG"."""
        number, first = self.metrics[0]
        title = " ".join(first.title.replace(shown_coordinate(number), "").split())
        return first.model_copy(update={"title": title})

    @property
    def setting(self) -> str:
        """What the numbers are of, spelt as in the title: "JPEG"."""
        last = self.name.rpartition("_")[2]
        return next((word for word in self.shared.title.split() if word.lower() == last), last)


def numbered(metrics: Sequence[MetricInfo]) -> list[NumberedMetrics]:
    """Metrics with a number at the end of their names, by what stands before it."""
    by_name: dict[str, list[tuple[float, MetricInfo]]] = {}
    for metric in metrics:
        if parts := _NUMBERED.fullmatch(metric.name):
            by_name.setdefault(parts[1], []).append((float(parts[2]), metric))
    return [NumberedMetrics(n, sorted(m, key=lambda pair: pair[0])) for n, m in by_name.items()]


def profiles(subject: Subject) -> FigureContent:
    """A figure of kind `profile`: a panel a family of metrics, a line a method and task."""
    families = numbered(subject.metrics)
    plots = [plot for f in families if (plot := _profile(subject, f)).cells(level=False)]
    numbers = {metric.name for family in families for _, metric in family.metrics}
    others = [metric.title for metric in subject.metrics if metric.name not in numbers]
    missing = [f"No number at the end of the name: {', '.join(others)}."] if others else []
    return FigureContent(
        entries=subject.entries,
        chart=_chart(subject, plots, [], legend=True),
        records=subject.records(),
        grids=[_grid(plot, plot.x_title.lower(), with_unit(plot.metric)) for plot in plots],
        notes=[_NOTE],
        missing=[*missing, *gaps(subject)],
    )


def _profile(subject: Subject, family: NumberedMetrics) -> _Plot:
    """The family as one metric of entries that stand at its numbers."""
    shared = family.shared

    def at(entry: Entry, number: float, metric: MetricInfo) -> Entry:
        cell = entry.row.cells.get(metric.name)
        cells = {shared.name: replace(cell, published=None)} if cell else {}
        return Entry(entry.task, replace(entry.row, cells=cells), (number,))

    lines = [
        _Line(subject.name(entry), nth_style(i), [at(entry, *pair) for pair in family.metrics])
        for i, entry in enumerate(subject.entries)
    ]
    return _Plot(shared, family.setting, with_unit(shared), f"{shared.title} {{}}:", lines)


def lines(subject: Subject) -> FigureContent:
    """A figure of kind `line`: a panel a metric, a line a method and task over a coordinate."""
    x = subject.info.x
    every, beside = split_by(subject, [x], is_number)
    several = swept(every)
    drawn = [
        _Line(name, nth_style(i), sorted(series.entries, key=_x))
        for i, (name, series) in enumerate(zip(names_of(several), several, strict=True))
    ]
    subject = subject.of([entry for line in drawn for entry in line.entries] + beside)
    level = [
        _Line(subject.name(entry), Style(nth_style(i).colour, "", "6 5"), [entry])
        for i, entry in enumerate(beside, start=len(drawn))
    ]
    plots = [
        _Plot(metric, x, axis_title(metric), f"{x} = {{}}: {metric.title}", drawn, level, room=True)
        for metric in subject.metrics
        if drawn
    ]
    missing = gaps(subject)
    if not drawn:
        missing.insert(0, f"No entry of this figure has a number for {x}.")
    sentence = f"Means over seeds with 95 % intervals, over {x}."
    measured = [plot for plot in plots if plot.cells(level=False)]
    return FigureContent(
        entries=subject.entries,
        chart=_chart(subject, measured, [sentence], legend=len(drawn) + len(level) > 1),
        records=subject.records([x]),
        grids=[_grid(plot, x, f"{axis_title(plot.metric)} over {x}") for plot in plots],
        notes=_notes(x, plots, len(every) - len(several)),
        missing=missing,
    )


def swept(several: Sequence[Series]) -> list[Series]:
    """The series without lone points of a method that another one sweeps on the same task.

    A suite may sweep one field of a method here and another one there: on the figure of the first,
    the entries of the second all stand at its default.
    """

    def of(series: Series) -> tuple[str, str]:
        return series.entries[0].method.name, series.task

    long = [series for series in several if len({_x(entry) for entry in series.entries}) > 1]
    moving = {of(series) for series in long}
    return [series for series in several if series in long or of(series) not in moving]


def _x(entry: Entry) -> float:
    return float(entry.at[0] or 0)


def _chart(
    subject: Subject, plots: Sequence[_Plot], sentences: Sequence[str], *, legend: bool
) -> marks.Chart | None:
    layout = _WIDE if len(plots) == 1 else _HALF
    words = [
        f"{plot.metric.title}, {line.name}: {', '.join(numbers)}."
        for plot in plots
        for line in plot.lines
        if any(entry.measured(plot.metric) for entry in line.entries)
        if (numbers := [f"{shown_coordinate(_x(e))}: {plot.numbers(e)}" for e in line.entries])
    ]
    names = [(line.name, line.style) for plot in plots[:1] for line in (*plot.lines, *plot.level)]
    panels = [_panel(plot, layout) for plot in plots]
    return subject.chart(panels, [*sentences, *words], layout, names if legend else ())


def _panel(plot: _Plot, layout: marks.Layout) -> marks.Panel:
    cells = plot.cells(level=True)
    widths = [high - low for cell in cells if cell.interval for low, high in [cell.interval]]
    # Half of the usual band, and a little: ups and downs within it must look like noise.
    room = 0.6 * median(widths) if plot.room and widths else 0.0
    entries = [entry for line in (*plot.lines, *plot.level) for entry in line.entries]
    published = [value for e in entries if (value := e.published(plot.metric)) is not None]
    settings = [_x(entry) for line in plot.lines for entry in line.entries]
    across = settings_axis(settings, plot.x_title, layout.size[0])
    drawn = [_across(plot, line, (across.low, across.high)) for line in plot.level]
    drawn += [
        marks.Item([*_runs(plot, line), *_points(plot, line)], colour=line.style.colour)
        for line in plot.lines
    ]
    return marks.Panel(across, axis_of(cells, published, plot.y_title, room), drawn)


def _across(plot: _Plot, line: _Line, ends: marks.Point) -> marks.Item:
    """A line from end to end: the same value whatever the others set."""
    cell = line.entries[0].measured(plot.metric)
    if cell is None or cell.shown is None:
        return marks.Item([])
    band = [marks.Band([(x, *cell.interval) for x in ends], opacity=0.1)] if cell.interval else []
    stroke = marks.Stroke([(x, cell.shown) for x in ends], dash=line.style.dash)
    words = f"{line.name}: {plot.metric.title} {cell.words}"
    return marks.Item([*band, stroke], words, line.style.colour)


def _runs(plot: _Plot, line: _Line) -> list[marks.Mark]:
    """Bands and strokes; neither bridges a missing value."""
    drawn: list[marks.Mark] = []
    values = [(_x(entry), entry.measured(plot.metric)) for entry in line.entries]
    for _, run in groupby(values, key=lambda value: value[1] is not None):
        points = [
            (x, y, cell.interval) for x, cell in run if cell and (y := cell.shown) is not None
        ]
        for _, stretch in groupby(points, key=lambda point: point[2] is not None):
            band = [(x, *span) for x, _, span in stretch if span]
            drawn += [marks.Band(band)] if len(band) > 1 else []
        if len(points) > 1:
            drawn.append(marks.Stroke([(x, y) for x, y, _ in points], dash=line.style.dash))
    return drawn


def _points(plot: _Plot, line: _Line) -> list[marks.Mark]:
    """A symbol a value, hollow for a published one; a lone one has a whisker in place of a band."""
    drawn: list[marks.Mark] = []
    for entry in line.entries:
        cell, published = entry.measured(plot.metric), entry.published(plot.metric)
        x, shape = _x(entry), line.style.shape
        words = f"{line.name}, {plot.words.replace('{}', shown_coordinate(x))}"
        if published is not None:
            symbol = marks.Symbol((x, published), shape, hollow=True)
            drawn.append(marks.Item([symbol], f"{words} published {published:g}"))
        if cell and cell.shown is not None:
            at = x, cell.shown
            whisker = marks.Whisker(
                at, cell.interval if len(line.entries) == 1 else None, upright=True
            )
            drawn.append(marks.Item([whisker, marks.Symbol(at, shape)], f"{words} {cell.words}"))
    return drawn


def _grid(plot: _Plot, head: str, caption: str) -> Grid:
    """A row a number, a column a line; entries across have a row of their own."""
    columns = [{_x(entry): plot.numbers(entry) for entry in line.entries} for line in plot.lines]
    rows = [
        [shown_coordinate(x), *(column.get(x, "–") for column in columns)] + ["–"] * len(plot.level)
        for x in sorted({x for column in columns for x in column})
    ]
    if plot.level:
        level = [plot.numbers(line.entries[0]) for line in plot.level]
        rows.append(["none", *["–"] * len(columns), *level])
    return Grid(caption, [head, *(line.name for line in (*plot.lines, *plot.level))], rows)


def _notes(x: str, plots: Sequence[_Plot], left_out: int) -> list[str]:
    notes = [_NOTE]
    if left_out:
        lone = wording.plural(left_out, "lone point")
        notes.append(f"Without {lone}: entries of swept methods that do not vary in {x}.")
    if plots and plots[0].level:
        notes.append(f"Dashed across: entries without a number for {x}.")
    points = ((plot, entry) for plot in plots for line in plot.lines for entry in line.entries)
    if any(entry.published(plot.metric) is not None for plot, entry in points):
        notes.append("Hollow: the published figure of the same entry.")
    return notes

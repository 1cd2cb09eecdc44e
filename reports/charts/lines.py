"""Metrics over a number: a coordinate of the sweep, or the number at the end of metrics' names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median

from bench.reports import wording
from bench.reports.boards.leaderboard import Cell
from bench.reports.charts.axes import axis_title, settings_axis, with_unit
from bench.reports.charts.colours import Style, style
from bench.reports.charts.marks import (
    Band,
    Chart,
    Item,
    Layout,
    Mark,
    Panel,
    Stroke,
    Symbol,
    Whisker,
)
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
_WIDE, _HALF = Layout((680.0, 300.0)), Layout((294.0, 260.0), columns=2)
_NOTE = "Means over seeds; bands are 95 % t intervals, cut off by the frame."


@dataclass(frozen=True)
class _Reading:
    """A metric of an entry at its place on the axis."""

    x: float
    cell: Cell | None
    published: float | None
    words: str
    """What stands before the value in the tooltip."""

    @property
    def numbers(self) -> str:
        """The value as tables and descriptions write it."""
        words = self.cell.numbers if self.cell else "n/a"
        return words if self.published is None else f"{words}; published {self.published:g}"


@dataclass(frozen=True)
class _Line:
    """The readings of a series in one panel."""

    name: str
    style: Style
    readings: Sequence[_Reading]


@dataclass(frozen=True)
class _Plot:
    """One panel: lines over a number, and across it the entries to which no number applies."""

    metric: MetricInfo
    """Its title is what the panel's metrics share."""
    x_title: str
    y_title: str
    head: str
    """Of the column of numbers in the table."""
    lines: Sequence[_Line]
    level: Sequence[_Line] = ()
    room: bool = False
    """Whether the axis makes room for the usual band: ups and downs within it are noise."""

    @property
    def is_empty(self) -> bool:
        """Whether no line has a value."""
        return not any(reading.cell for line in self.lines for reading in line.readings)


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
        """What the numbers are of, as their names have it: "jpeg"."""
        return self.name.rpartition("_")[2]


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
    plots = [plot for family in families if not (plot := _profile(subject, family)).is_empty]
    numbers = {metric.name for family in families for _, metric in family.metrics}
    others = [metric.title for metric in subject.metrics if metric.name not in numbers]
    missing = [f"No number at the end of the name: {', '.join(others)}."] if others else []
    return FigureContent(
        entries=subject.entries,
        chart=_chart(subject, plots, [], legend=True),
        records=subject.records(),
        grids=[_grid(plot, with_unit(plot.metric)) for plot in plots],
        notes=[_NOTE],
        missing=[*missing, *gaps(subject)],
    )


def _profile(subject: Subject, family: NumberedMetrics) -> _Plot:
    metric, setting = family.shared, family.setting

    def line(number: int, entry: Entry) -> _Line:
        start = f"{subject.name(entry)}, {metric.title}"
        readings = [
            _Reading(x, entry.measured(each), None, f"{start} {shown_coordinate(x)}:")
            for x, each in family.metrics
        ]
        return _Line(subject.name(entry), style(number), readings)

    spelt = next((w for w in metric.title.split() if w.lower() == setting), setting)
    every = [line(number, entry) for number, entry in enumerate(subject.entries)]
    return _Plot(metric, spelt, with_unit(metric), setting, every)


def lines(subject: Subject) -> FigureContent:
    """A figure of kind `line`: a panel a metric, a line a method and task over a coordinate."""
    x = subject.info.x
    every, beside = split_by(subject, [x], is_number)
    series = swept(every)
    ordered = [sorted(one.entries, key=_x) for one in series]
    subject = subject.of([entry for entries in ordered for entry in entries] + beside)

    def line(
        metric: MetricInfo, name: str, look: Style, entries: Sequence[Entry], *, placed: bool = True
    ) -> _Line:
        readings = []
        for entry in entries:
            at = f", {x} = {shown_coordinate(_x(entry))}" if placed else ""
            words, value = f"{name}{at}: {metric.title}", _x(entry) if placed else 0.0
            readings.append(_Reading(value, entry.measured(metric), entry.published(metric), words))
        return _Line(name, look, readings)

    names = names_of(series)
    looks = [style(i) for i in range(len(series) + len(beside))]
    level = [(subject.name(entry), Style(look.colour, "", "6 5"), [entry])
             for entry, look in zip(beside, looks[len(series):], strict=True)]  # fmt: skip
    plots = [
        _Plot(metric, x, axis_title(metric), x,
              [line(metric, *parts) for parts in zip(names, looks, ordered, strict=False)],
              [line(metric, *parts, placed=False) for parts in level], room=True)
        for metric in subject.metrics if series
    ]  # fmt: skip
    missing = gaps(subject)
    if not series:
        missing.insert(0, f"No entry of this figure has a number for {x}.")
    sentence = f"Means over seeds with 95 % intervals, over {x}."
    drawn = [plot for plot in plots if not plot.is_empty]
    return FigureContent(
        entries=subject.entries,
        chart=_chart(subject, drawn, [sentence], legend=len(looks) > 1),
        records=subject.records([x]),
        grids=[_grid(plot, f"{axis_title(plot.metric)} over {x}") for plot in plots],
        notes=_notes(x, plots, len(every) - len(series)),
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
) -> Chart | None:
    layout = _WIDE if len(plots) == 1 else _HALF
    words = [
        f"{plot.metric.title}, {line.name}: "
        + ", ".join(f"{shown_coordinate(r.x)}: {r.numbers}" for r in line.readings) + "."
        for plot in plots for line in plot.lines if any(r.cell for r in line.readings)
    ]  # fmt: skip
    names = [(line.name, line.style) for plot in plots[:1] for line in (*plot.lines, *plot.level)]
    panels = [_panel(plot, layout) for plot in plots]
    return subject.chart(panels, [*sentences, *words], layout, names if legend else ())


def _panel(plot: _Plot, layout: Layout) -> Panel:
    readings = [reading for line in (*plot.lines, *plot.level) for reading in line.readings]
    cells = [reading.cell for reading in readings if reading.cell]
    published = [reading.published for reading in readings if reading.published is not None]
    widths = [high - low for cell in cells if cell.interval for low, high in [cell.interval]]
    # Half of the usual band, and a little: ups and downs within it must look like noise.
    room = 0.6 * median(widths) if plot.room and widths else 0.0
    settings = [reading.x for line in plot.lines for reading in line.readings]
    across = settings_axis(settings, plot.x_title, layout.size[0])
    marks = [_across(line, (across.low, across.high)) for line in plot.level]
    marks += [Item([*_runs(line), *_points(line)], colour=line.style.colour) for line in plot.lines]
    return Panel(across, axis_of(cells, published, plot.y_title, room), marks)


def _across(line: _Line, ends: tuple[float, float]) -> Item:
    """A line from end to end: the same value whatever the others set."""
    [reading] = line.readings
    cell, marks = reading.cell, list[Mark]()
    if cell is None or cell.shown is None:
        return Item(marks)
    if cell.interval:
        marks.append(Band([(x, *cell.interval) for x in ends], opacity=0.1))
    marks.append(Stroke([(x, cell.shown) for x in ends], dash=line.style.dash))
    return Item(marks, f"{reading.words} {cell.words}", line.style.colour)


def _runs(line: _Line) -> list[Mark]:
    """Bands and strokes; neither bridges a missing value."""
    marks: list[Mark] = []
    for measured, run in groupby(line.readings, key=lambda reading: reading.cell is not None):
        values = [
            (r.x, r.cell.shown, r.cell.interval) for r in run if r.cell and r.cell.shown is not None
        ]
        for known, stretch in groupby(values, key=lambda value: value[2] is not None):
            band = [(x, *span) for x, _, span in stretch if span]
            if known and len(band) > 1:
                marks.append(Band(band))
        if measured and len(values) > 1:
            marks.append(Stroke([(x, y) for x, y, _ in values], dash=line.style.dash))
    return marks


def _points(line: _Line) -> list[Mark]:
    """A symbol a value, hollow for a published one; a lone one has a whisker in place of a band."""
    marks: list[Mark] = []
    for reading in line.readings:
        cell, published, shape = reading.cell, reading.published, line.style.shape
        if published is not None:
            symbol = Symbol((reading.x, published), shape, hollow=True)
            marks.append(Item([symbol], f"{reading.words} published {published:g}"))
        if cell and cell.shown is not None:
            at = reading.x, cell.shown
            span = cell.interval if len(line.readings) == 1 else None
            symbol = Symbol(at, shape)
            words = f"{reading.words} {cell.words}"
            marks.append(Item([Whisker(at, span, upright=True), symbol], words))
    return marks


def _grid(plot: _Plot, caption: str) -> Grid:
    """A row a number, a column a line; entries across have a row of their own."""
    columns = [{reading.x: reading.numbers for reading in line.readings} for line in plot.lines]
    rows = [
        [
            shown_coordinate(x),
            *(column.get(x, "–") for column in columns),
            *("–" for _ in plot.level),
        ]
        for x in sorted({x for column in columns for x in column})
    ]
    if plot.level:
        level = [reading.numbers for line in plot.level for reading in line.readings]
        rows.append(["none", *("–" for _ in columns), *level])
    return Grid(caption, [plot.head, *(line.name for line in (*plot.lines, *plot.level))], rows)


def _notes(x: str, plots: Sequence[_Plot], left_out: int) -> list[str]:
    notes = [_NOTE]
    if left_out:
        points = wording.plural(left_out, "lone point")
        notes.append(f"Without {points}: entries of swept methods that do not vary in {x}.")
    if plots and plots[0].level:
        notes.append(f"Dashed across: entries without a number for {x}.")
    readings = [r for plot in plots for line in plot.lines for r in line.readings]
    if any(reading.published is not None for reading in readings):
        notes.append("Hollow: the published figure of the same entry.")
    return notes

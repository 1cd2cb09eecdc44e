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
    WIDE,
    Conditions,
    Entry,
    FigureContent,
    Grid,
    Series,
    Subject,
    axis_of,
    is_number,
    names_of,
    shown_coordinate,
)
from bench.result import MetricInfo

_NUMBERED = re.compile(r"(.+?)_?(\d+)")
_HALF = marks.Layout((294.0, 260.0), columns=2)
_NOTE = "Means over seeds; bands are 95 % t intervals, cut off by the frame."


@dataclass(frozen=True)
class _Line:
    """A metric of one method and task over numbers, in their order."""

    name: str
    style: Style
    points: Sequence[tuple[float, Cell]]


@dataclass(frozen=True)
class _Plot:
    """One panel: lines over a number, and across it those to which no number applies."""

    x_title: str
    y_title: str
    words: str
    """What the tooltip of a point says of its number; {} stands for the number."""
    lines: Sequence[_Line]
    across: Sequence[_Line] = ()
    room: bool = False
    """Whether the axis makes room for the usual band: ups and downs within it are noise."""

    @property
    def is_measured(self) -> bool:
        """Whether there is anything to draw over the number."""
        return any(cell.summary for line in self.lines for _, cell in line.points)

    def grid(self, head: str, caption: str) -> Grid:
        """A row a number, a column a line; those across have a row of their own."""
        names = [line.name for line in (*self.lines, *self.across)]
        columns = [{x: _numbers(cell) for x, cell in line.points} for line in self.lines]
        level = [_numbers(cell) for line in self.across for _, cell in line.points]
        rows = [
            [shown_coordinate(x), *(column.get(x, "–") for column in columns), *["–"] * len(level)]
            for x in sorted({x for column in columns for x in column})
        ]
        rows += [["none", *["–"] * len(columns), *level]] if level else []
        return Grid(caption, [head, *names], rows)


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
    plots = [plot for family in families if (plot := _profile(subject, family)).is_measured]
    numbers = {metric.name for family in families for _, metric in family.metrics}
    others = [metric.title for metric in subject.metrics if metric.name not in numbers]
    missing = [f"No number at the end of the name: {', '.join(others)}."] if others else []
    grids = [plot.grid(plot.x_title.lower(), plot.y_title) for plot in plots]
    return _content(subject, subject.records(), plots, grids, [_NOTE], missing)


def _profile(subject: Subject, family: NumberedMetrics) -> _Plot:
    shared = family.shared
    lines = [
        _Line(subject.name(entry), nth_style(i),
              [(x, replace(entry.cell(metric), published=None)) for x, metric in family.metrics])
        for i, entry in enumerate(subject.entries)
    ]  # fmt: skip
    return _Plot(family.setting, with_unit(shared), f"{shared.title} {{}}:", lines)


def lines(subject: Subject) -> FigureContent:
    """A figure of kind `line`: a panel a metric, a line a method and task over a coordinate."""
    x = subject.info.x
    every, beside = subject.split_by([x], is_number)
    several = swept(every)
    subject = subject.of([e for s in several for e in sorted(s.entries, key=_x)] + beside)
    plots = [_swept_plot(subject, metric, several, beside) for metric in subject.metrics if several]
    grids = [plot.grid(x, f"{plot.y_title} over {x}") for plot in plots]
    notes = [_NOTE]
    if left_out := len(every) - len(several):
        lone = wording.plural(left_out, "lone point")
        notes.append(f"Without {lone}: entries of swept methods that do not vary in {x}.")
    if plots and beside:
        notes.append(f"Dashed across: entries without a number for {x}.")
    points = (cell for plot in plots for line in plot.lines for _, cell in line.points)
    if any(cell.published for cell in points):
        notes.append("Hollow: the published figure of the same entry.")
    missing = [] if several else [f"No entry of this figure has a number for {x}."]
    measured = [plot for plot in plots if plot.is_measured]
    return _content(subject, subject.records([x]), measured, grids, notes, missing)


def _swept_plot(
    subject: Subject, metric: MetricInfo, several: Sequence[Series], beside: Sequence[Entry]
) -> _Plot:
    x = subject.info.x
    lines = [
        _Line(name, nth_style(i), [(_x(e), e.cell(metric)) for e in sorted(s.entries, key=_x)])
        for i, (name, s) in enumerate(zip(names_of(several), several, strict=True))
    ]
    across = [
        _Line(subject.name(e), Style(nth_style(i).colour, "", "6 5"), [(0.0, e.cell(metric))])
        for i, e in enumerate(beside, start=len(lines))
    ]
    words = f"{x} = {{}}: {metric.title}"
    return _Plot(x, axis_title(metric), words, lines, across, room=True)


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


def _content(
    subject: Subject,
    records: Sequence[Conditions],
    plots: Sequence[_Plot],
    grids: Sequence[Grid],
    notes: Sequence[str],
    missing: Sequence[str],
) -> FigureContent:
    """The figure with its plots drawn; a line alone needs no legend, unless it is a profile."""
    layout = WIDE if len(plots) == 1 else _HALF
    names = [(line.name, line.style) for plot in plots[:1] for line in (*plot.lines, *plot.across)]
    return FigureContent(
        subject=subject,
        records=records,
        panels=[_panel(plot, layout) for plot in plots],
        layout=layout,
        legend=names if len(names) > 1 or not (plots and plots[0].room) else (),
        sentences=[grid.sentence for grid in grids],
        grids=grids,
        notes=notes,
        missing=[*missing, *subject.gaps],
    )


def _panel(plot: _Plot, layout: marks.Layout) -> marks.Panel:
    cells = [cell for line in (*plot.lines, *plot.across) for _, cell in line.points]
    widths = [high - low for cell in cells if cell.interval for low, high in [cell.interval]]
    # Half of the usual band, and a little: ups and downs within it must look like noise.
    room = 0.6 * median(widths) if plot.room and widths else 0.0
    published = [cell.published.value for cell in cells if cell.published]
    settings = [x for line in plot.lines for x, _ in line.points]
    across = settings_axis(settings, plot.x_title, layout.size[0])
    drawn = [_across(line, (across.low, across.high)) for line in plot.across]
    drawn += [
        marks.Item([*_runs(line), *_points(plot, line)], colour=line.style.colour)
        for line in plot.lines
    ]
    return marks.Panel(across, axis_of(cells, published, plot.y_title, room), drawn)


def _across(line: _Line, ends: marks.Point) -> marks.Item:
    """A line from end to end: the same value whatever the others set."""
    [(_, cell)] = line.points
    if cell.shown is None:
        return marks.Item([])
    band = [marks.Band([(x, *cell.interval) for x in ends], opacity=0.1)] if cell.interval else []
    stroke = marks.Stroke([(x, cell.shown) for x in ends], dash=line.style.dash)
    words = f"{line.name}: {cell.metric.title} {cell.words}"
    return marks.Item([*band, stroke], words, line.style.colour)


def _runs(line: _Line) -> list[marks.Mark]:
    """Bands and strokes; neither bridges a missing value."""
    drawn: list[marks.Mark] = []
    for _, run in groupby(line.points, key=lambda point: point[1].summary is not None):
        points = [(x, y, cell.interval) for x, cell in run if (y := cell.shown) is not None]
        for _, stretch in groupby(points, key=lambda point: point[2] is not None):
            band = [(x, *span) for x, _, span in stretch if span]
            drawn += [marks.Band(band)] if len(band) > 1 else []
        if len(points) > 1:
            drawn.append(marks.Stroke([(x, y) for x, y, _ in points], dash=line.style.dash))
    return drawn


def _points(plot: _Plot, line: _Line) -> list[marks.Mark]:
    """A symbol a value, hollow for a published one; a lone one has a whisker in place of a band."""
    drawn: list[marks.Mark] = []
    for x, cell in line.points:
        shape = line.style.shape
        words = f"{line.name}, {plot.words.replace('{}', shown_coordinate(x))}"
        if cell.published:
            symbol = marks.Symbol((x, cell.published.value), shape, hollow=True)
            drawn.append(marks.Item([symbol], f"{words} published {cell.published.value:g}"))
        if cell.shown is not None:
            at, span = (x, cell.shown), cell.interval if len(line.points) == 1 else None
            whisker = marks.Whisker(at, span, upright=True)
            drawn.append(marks.Item([whisker, marks.Symbol(at, shape)], f"{words} {cell.words}"))
    return drawn


def _numbers(cell: Cell) -> str:
    """The value as tables write it."""
    return f"{cell.numbers}; published {cell.published.value:g}" if cell.published else cell.numbers

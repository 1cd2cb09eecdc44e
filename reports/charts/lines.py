"""Metrics over a coordinate: a line a method and task, with bands of 95 %."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from statistics import median

from bench.reports import wording
from bench.reports.charts.axes import Axis, Box, axis, axis_of_settings
from bench.reports.charts.subject import (
    Drawn,
    Entry,
    Grid,
    Series,
    Subject,
    gaps,
    is_number,
    names_of,
    record,
    shown_coordinate,
    span_of,
    split_by,
)
from bench.reports.charts.svg import (
    Look,
    Point,
    axis_title,
    canvas,
    ceiling,
    dashed,
    draw_axes,
    draw_key,
    draw_shape,
    draw_warnings,
    draw_whisker,
    frames,
    line,
    look,
    path,
    rectangle,
    tooltip,
    written,
)
from bench.result import MetricInfo

_WIDE, _HALF, _GAP = (680.0, 300.0), (294.0, 260.0), (74.0, 84.0)
_BESIDE_DASH = "6 5"


@dataclass(frozen=True)
class _Line:
    """A series with its name, its look, and its entries by their place on the axis."""

    name: str
    look: Look
    points: Sequence[tuple[float, Entry]]


@dataclass(frozen=True)
class _Panel:
    """One metric."""

    asked: Subject
    metric: MetricInfo
    frame: Box
    lines: Sequence[_Line]
    beside: Sequence[tuple[Entry, Look]]

    @property
    def clip(self) -> str:
        """Id of the frame as a clipping path."""
        number = [metric.name for metric in self.asked.metrics].index(self.metric.name)
        return f"{self.asked.slug}-frame-{number}"


def lines(asked: Subject) -> Drawn:
    """A figure of kind `line`."""
    x = asked.info.x
    every, beside = split_by(asked, [x], is_number)
    series = swept(every)
    drawn = [
        _Line(name, look(i), sorted(((_x(e), e) for e in one.entries), key=lambda p: p[0]))
        for i, (name, one) in enumerate(zip(names_of(series), series, strict=True))
    ]
    level = [
        (entry, Look(look(i).colour, "", _BESIDE_DASH))
        for i, entry in enumerate(beside, start=len(drawn))
    ]
    asked = replace(asked, entries=[e for one in drawn for _, e in one.points] + beside)
    missing = gaps(asked)
    if not drawn:
        missing.insert(0, f"No entry of this figure has a number for {x}.")
    return Drawn(
        entries=asked.entries,
        svg=_svg(asked, drawn, level),
        records=[record(entry, metric, [x]) for metric in asked.metrics for entry in asked.entries],
        grids=[_grid(asked, metric, drawn, beside) for metric in asked.metrics if drawn],
        notes=_notes(asked, drawn, level, len(every) - len(series)),
        missing=missing,
    )


def swept(series: Sequence[Series]) -> list[Series]:
    """The series without lone points of a method that another one sweeps on the same task.

    A suite may sweep one field of a method here and another one there: on the figure of the first,
    the entries of the second all stand at its default.
    """

    def of(one: Series) -> tuple[str, str]:
        return one.entries[0].method.name, one.task

    long = [one for one in series if len({_x(entry) for entry in one.entries}) > 1]
    moving = {of(one) for one in long}
    return [one for one in series if one in long or of(one) not in moving]


def _svg(asked: Subject, drawn: Sequence[_Line], level: Sequence[tuple[Entry, Look]]) -> str | None:
    metrics = [
        metric
        for metric in asked.metrics
        if any(entry.measured(metric) for one in drawn for _, entry in one.points)
    ]
    if not metrics:
        return None
    names = [(one.name, one.look) for one in drawn]
    names += [(asked.name(entry), style) for entry, style in level]
    root = canvas(asked.slug, 0, asked.info.title, _description(asked, metrics, drawn))
    top = draw_key(root, names, 16.0) + 14 if len(names) > 1 else 26.0
    single = len(metrics) == 1
    places = frames(len(metrics), top, _WIDE if single else _HALF, _GAP, columns=1 if single else 2)
    root.set("viewBox", f"0 0 760 {places[-1].y1 + 56:g}")
    draw_warnings(root, Box(0, top, places[0].x1, 0) if single else places[-1], asked.warnings)
    for metric, frame in zip(metrics, places, strict=True):
        _draw(root, _Panel(asked, metric, frame, drawn, level))
    return written(root)


def _draw(root: ET.Element, panel: _Panel) -> None:
    across, up = _axes(panel)
    titles = _across_title(panel, across), axis_title(panel.metric)
    draw_axes(root, panel.frame, across, up, titles)
    rectangle(ET.SubElement(root, "clipPath", {"id": panel.clip}), panel.frame, {})
    for entry, style in panel.beside:
        _draw_level(root, panel, entry, style, up)
    for one in panel.lines:
        group = ET.SubElement(root, "g", {"stroke": one.look.colour, "fill": one.look.colour})
        for run in _runs(one.points, panel.metric):
            _draw_run(group, one, run, panel, (across, up))
        for x, entry in one.points:
            _draw_point(group, one, x, entry, panel, (across, up))


def _axes(panel: _Panel) -> tuple[Axis, Axis]:
    frame, metric = panel.frame, panel.metric
    entries = [e for one in panel.lines for _, e in one.points] + [e for e, _ in panel.beside]
    cells = [cell for entry in entries if (cell := entry.measured(metric))]
    centres = [shown for cell in cells if (shown := cell.shown) is not None]
    centres += [value for entry in entries if (value := entry.published(metric)) is not None]
    spans = [span for cell in cells if (span := cell.interval)]
    settings = [x for one in panel.lines for x, _ in one.points]
    return (
        axis_of_settings(settings, (frame.x0, frame.x1)),
        axis(centres, spans, (frame.y1, frame.y0), ceiling(metric), _room(spans)),
    )


def _room(spans: Sequence[Point]) -> float:
    """Half of the usual band, and a little: ups and downs within it are noise, and must look so."""
    return 0.6 * median(high - low for low, high in spans) if spans else 0.0


def _across_title(panel: _Panel, across: Axis) -> str:
    return f"{panel.asked.info.x} (log scale)" if across.logarithmic else panel.asked.info.x


def _runs(points: Sequence[tuple[float, Entry]], metric: MetricInfo) -> list[list[Point]]:
    """Stretches without a missing point, in shown units; a line does not bridge what is missing."""
    runs: list[list[Point]] = [[]]
    for x, entry in points:
        cell = entry.measured(metric)
        if cell and cell.shown is not None:
            runs[-1].append((x, cell.shown))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _draw_run(
    group: ET.Element, one: _Line, run: Sequence[Point], panel: _Panel, axes: tuple[Axis, Axis]
) -> None:
    across, up = axes
    spans = {x: span_of(entry.measured(panel.metric)) for x, entry in one.points}
    for known, stretch in groupby((x for x, _ in run), key=lambda x: spans[x] is not None):
        band = [(across.at(x), span) for x in stretch if (span := spans[x])]
        if known and len(band) > 1:
            upper = [(x, up.unbounded(high)) for x, (_, high) in band]
            lower = [(x, up.unbounded(low)) for x, (low, _) in reversed(band)]
            style = {"fill-opacity": "0.18", "stroke": "none", "clip-path": f"url(#{panel.clip})"}
            ET.SubElement(group, "polygon", {"points": path([*upper, *lower]), **style})
    points = path([(across.at(x), up.at(y)) for x, y in run])
    style = {"fill": "none", "stroke-width": "2", "stroke-linejoin": "round"}
    ET.SubElement(group, "polyline", {"points": points, **style, **dashed(one.look.dash)})


def _draw_point(
    group: ET.Element,
    one: _Line,
    x: float,
    entry: Entry,
    panel: _Panel,
    axes: tuple[Axis, Axis],
) -> None:
    across, up = axes
    cell, published = entry.measured(panel.metric), entry.published(panel.metric)
    at = f"{panel.asked.info.x} = {shown_coordinate(x)}"
    if published is not None:
        mark = ET.SubElement(group, "g")
        tooltip(mark, f"{one.name}, {at}: {panel.metric.title} published {published:g}")
        style = {"fill": "none", "stroke-width": "1.6"}
        draw_shape(mark, one.look.shape, across.at(x), up.at(published), style)
    if cell is None or cell.shown is None:
        return
    mark = ET.SubElement(group, "g")
    tooltip(mark, f"{one.name}, {at}: {panel.metric.title} {cell.words}")
    if len(one.points) == 1:
        draw_whisker(mark, cell.interval, up, across.at(x), upright=True)
    draw_shape(mark, one.look.shape, across.at(x), up.at(cell.shown), {"stroke": "none"})


def _draw_level(root: ET.Element, panel: _Panel, entry: Entry, style: Look, up: Axis) -> None:
    """An entry without the coordinate: the same value whatever the others set."""
    cell, frame = entry.measured(panel.metric), panel.frame
    if cell is None or cell.shown is None:
        return
    group = ET.SubElement(root, "g", {"stroke": style.colour, "fill": style.colour})
    tooltip(group, f"{panel.asked.name(entry)}: {panel.metric.title} {cell.words}")
    if span := cell.interval:
        box = Box(frame.x0, up.at(span[1]), frame.x1, up.at(span[0]))
        rectangle(group, box, {"fill-opacity": "0.1", "stroke": "none"})
    y = up.at(cell.shown)
    line(group, (frame.x0, y), (frame.x1, y), {"stroke-width": "2", **dashed(style.dash)})


def _grid(
    asked: Subject, metric: MetricInfo, drawn: Sequence[_Line], beside: Sequence[Entry]
) -> Grid:
    settings = sorted({x for one in drawn for x, _ in one.points})
    rows = []
    for x in settings:
        found = [next((e for at, e in one.points if at == x), None) for one in drawn]
        rows.append([shown_coordinate(x), *(_words(entry, metric) for entry in found)])
        rows[-1] += ["–"] * len(beside)
    if beside:
        rows.append(["none", *["–"] * len(drawn), *(_words(entry, metric) for entry in beside)])
    head = [asked.info.x, *(one.name for one in drawn), *(asked.name(entry) for entry in beside)]
    return Grid(f"{axis_title(metric)} over {asked.info.x}", head, rows)


def _words(entry: Entry | None, metric: MetricInfo) -> str:
    if entry is None:
        return "–"
    cell, published = entry.measured(metric), entry.published(metric)
    words = cell.numbers if cell else "n/a"
    return words if published is None else f"{words}; published {published:g}"


def _description(asked: Subject, metrics: Sequence[MetricInfo], drawn: Sequence[_Line]) -> str:
    parts = [asked.info.note, f"Means over seeds with 95 % intervals, over {asked.info.x}."]
    for metric in metrics:
        for one in drawn:
            each = ", ".join(f"{shown_coordinate(x)}: {_words(e, metric)}" for x, e in one.points)
            parts.append(f"{metric.title}, {one.name}: {each}.")
    parts += [sentence for _, sentence in asked.warnings]
    return " ".join(filter(None, parts))


def _notes(
    asked: Subject, drawn: Sequence[_Line], level: Sequence[tuple[Entry, Look]], left_out: int
) -> list[str]:
    notes = ["Means over seeds; bands are 95 % t intervals, cut off by the frame."]
    if left_out:
        points = wording.plural(left_out, "lone point")
        notes.append(f"Without {points}: entries of swept methods that do not vary in "
                     f"{asked.info.x}.")  # fmt: skip
    if level:
        notes.append(f"Dashed across: entries without a number for {asked.info.x}.")
    entries = [entry for one in drawn for _, entry in one.points]
    if any(entry.published(metric) is not None for metric in asked.metrics for entry in entries):
        notes.append("Hollow: the published figure of the same entry.")
    return notes


def _x(entry: Entry) -> float:
    value = entry.at[0]
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} has no place on a numeric axis")
    return float(value)

"""Metrics that differ in the number at the end of their names, over that number."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass

from bench.reports.boards.leaderboard import Cell
from bench.reports.charts.axes import Axis, Box, axis, axis_of_settings
from bench.reports.charts.subject import Drawn, Entry, Grid, Subject, gaps, record, shown_coordinate
from bench.reports.charts.svg import (
    Look,
    Point,
    canvas,
    ceiling,
    dashed,
    draw_axes,
    draw_key,
    draw_shape,
    draw_warnings,
    frames,
    look,
    path,
    rectangle,
    tooltip,
    written,
)
from bench.result import MetricInfo

NUMBERED = re.compile(r"(.+?)_?(\d+)")
_WIDE, _HALF, _GAP = (680.0, 300.0), (294.0, 260.0), (74.0, 84.0)


@dataclass(frozen=True)
class Family:
    """Metrics of one name with numbers: success_jpeg_90, success_jpeg_75, ..."""

    name: str
    metrics: Sequence[tuple[float, MetricInfo]]
    """In the order of their numbers."""

    @property
    def title(self) -> str:
        """What their titles share: "Success after JPEG"."""
        first = self.metrics[0][1]
        number = shown_coordinate(self.metrics[0][0])
        return " ".join(first.title.replace(number, "").split())

    @property
    def setting(self) -> str:
        """What the numbers are of, spelt as in the title: "JPEG"."""
        last = self.name.rpartition("_")[2]
        return next((word for word in self.title.split() if word.lower() == last), last)

    @property
    def unit(self) -> str:
        """That of all of them."""
        unit = self.metrics[0][1].unit
        return f", {unit}" if unit else ""


@dataclass(frozen=True)
class _Panel:
    asked: Subject
    number: int
    family: Family
    frame: Box
    entries: Sequence[tuple[Entry, Look]]


def families(metrics: Sequence[MetricInfo]) -> list[Family]:
    """Metrics with a number at the end of their names, by what stands before it."""
    found: dict[str, list[tuple[float, MetricInfo]]] = {}
    for metric in metrics:
        if parts := NUMBERED.fullmatch(metric.name):
            found.setdefault(parts[1], []).append((float(parts[2]), metric))
    return [Family(name, sorted(mine, key=lambda pair: pair[0])) for name, mine in found.items()]


def profiles(asked: Subject) -> Drawn:
    """A figure of kind `profile`: a panel a family of metrics, a line a method and task."""
    known = families(asked.metrics)
    entries = [(entry, look(number)) for number, entry in enumerate(asked.entries)]
    drawn = [
        family
        for family in known
        if any(entry.measured(metric) for _, metric in family.metrics for entry, _ in entries)
    ]
    numbered = {metric.name for family in known for _, metric in family.metrics}
    others = [metric.title for metric in asked.metrics if metric.name not in numbered]
    missing = [f"No number at the end of the name: {', '.join(others)}."] if others else []
    return Drawn(
        entries=asked.entries,
        svg=_svg(asked, drawn, entries) if drawn else None,
        records=[record(entry, metric) for metric in asked.metrics for entry in asked.entries],
        grids=[_grid(asked, family) for family in drawn],
        notes=["Means over seeds; bands are 95 % t intervals, cut off by the frame."],
        missing=[*missing, *gaps(asked)],
    )


def _svg(asked: Subject, drawn: Sequence[Family], entries: Sequence[tuple[Entry, Look]]) -> str:
    root = canvas(asked.slug, 0, asked.info.title, _description(asked, drawn))
    top = draw_key(root, [(asked.name(entry), style) for entry, style in entries], 16.0) + 14
    single = len(drawn) == 1
    places = frames(len(drawn), top, _WIDE if single else _HALF, _GAP, columns=1 if single else 2)
    root.set("viewBox", f"0 0 760 {places[-1].y1 + 56:g}")
    draw_warnings(root, Box(0, top, places[0].x1, 0), asked.warnings)
    for number, (family, frame) in enumerate(zip(drawn, places, strict=True)):
        _draw(root, _Panel(asked, number, family, frame, entries))
    return written(root)


def _draw(root: ET.Element, panel: _Panel) -> None:
    frame, family = panel.frame, panel.family
    cells = [cell for entry, _ in panel.entries for _, cell in _cells(entry, family)]
    shown = [cell.shown for cell in cells if cell.shown is not None]
    spans = [span for cell in cells if (span := cell.interval)]
    across = axis_of_settings([x for x, _ in family.metrics], (frame.x0, frame.x1))
    up = axis(shown, spans, (frame.y1, frame.y0), ceiling(family.metrics[0][1]))
    draw_axes(root, frame, across, up, (family.setting, family.title + family.unit))
    clip = f"{panel.asked.slug}-frame-{panel.number}"
    rectangle(ET.SubElement(root, "clipPath", {"id": clip}), frame, {})
    for entry, style in panel.entries:
        _draw_line(root, panel, entry, style, (across, up))


def _draw_line(
    root: ET.Element, panel: _Panel, entry: Entry, style: Look, axes: tuple[Axis, Axis]
) -> None:
    across, up = axes
    cells = _cells(entry, panel.family)
    group = ET.SubElement(root, "g", {"stroke": style.colour, "fill": style.colour})
    band = [(across.at(x), span) for x, cell in cells if (span := cell.interval)]
    if len(band) == len(cells) > 1:
        upper: list[Point] = [(x, up.unbounded(high)) for x, (_, high) in band]
        lower: list[Point] = [(x, up.unbounded(low)) for x, (low, _) in reversed(band)]
        clip = f"url(#{panel.asked.slug}-frame-{panel.number})"
        faint = {"fill-opacity": "0.18", "stroke": "none", "clip-path": clip}
        ET.SubElement(group, "polygon", {"points": path([*upper, *lower]), **faint})
    points = [(across.at(x), up.at(cell.shown)) for x, cell in cells if cell.shown is not None]
    if len(points) > 1:
        thick = {"fill": "none", "stroke-width": "2", "stroke-linejoin": "round"}
        ET.SubElement(group, "polyline", {"points": path(points), **thick, **dashed(style.dash)})
    for (x, cell), (left, top) in zip(cells, points, strict=True):
        mark = ET.SubElement(group, "g")
        name = panel.asked.name(entry)
        tooltip(mark, f"{name}, {panel.family.title} {shown_coordinate(x)}: {cell.words}")
        draw_shape(mark, style.shape, left, top, {"stroke": "none"})


def _cells(entry: Entry, family: Family) -> list[tuple[float, Cell]]:
    """The measured ones, by number."""
    return [(x, cell) for x, metric in family.metrics if (cell := entry.measured(metric))]


def _grid(asked: Subject, family: Family) -> Grid:
    rows = [
        [shown_coordinate(x), *(_words(entry, metric) for entry in asked.entries)]
        for x, metric in family.metrics
    ]
    head = [family.name.rpartition("_")[2], *(asked.name(entry) for entry in asked.entries)]
    return Grid(family.title + family.unit, head, rows)


def _words(entry: Entry, metric: MetricInfo) -> str:
    cell = entry.measured(metric)
    return cell.numbers if cell else "n/a"


def _description(asked: Subject, drawn: Sequence[Family]) -> str:
    parts = [asked.info.note]
    for family in drawn:
        for entry in asked.entries:
            each = ", ".join(f"{x:g}: {cell.numbers}" for x, cell in _cells(entry, family))
            if each:
                parts.append(f"{family.title}, {asked.name(entry)}: {each}.")
    parts += [sentence for _, sentence in asked.warnings]
    return " ".join(filter(None, parts))

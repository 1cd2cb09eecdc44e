"""One value a sample: box plots and cumulative distributions, a panel a metric."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench.reports import wording
from bench.reports.charts.axes import Axis, Box, axis
from bench.reports.charts.subject import Conditions, Drawn, Entry, Grid, Subject, gaps
from bench.reports.charts.svg import (
    Look,
    Point,
    axis_title,
    canvas,
    dashed,
    draw_axes,
    draw_key,
    draw_shape,
    draw_warnings,
    frames,
    line,
    look,
    path,
    rectangle,
    shortened,
    text,
    tooltip,
    written,
)
from bench.result import MetricInfo

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Ends of the whiskers, of the box, and the median."""
NAMES = ("5 %", "first quartile", "median", "third quartile", "95 %")
MOST = 201
"""Points of a cumulative line; of more values, evenly spaced quantiles."""
BEYOND = 0.98
"""Where the axis of a cumulative figure ends: at this quantile of the widest distribution."""
_WIDE, _GAP = 680.0, (74.0, 84.0)
_ROW, _NAME, _BOX, _TALL, _LONGEST = 40.0, 16.0, 15.0, 280.0, 100


@dataclass(frozen=True)
class Distribution:
    """Values of an entry, of all its seeds together, sorted and in the shown unit."""

    entry: Entry
    look: Look
    values: Sequence[float]

    def quantile(self, share: float) -> float:
        """Linear between neighbours."""
        return float(np.quantile(self.values, share))

    def below(self, value: float) -> float:
        """Percentage of the values that are not larger."""
        return 100.0 * float(np.searchsorted(self.values, value, side="right")) / len(self.values)


Kept = Sequence[tuple[MetricInfo, Sequence[Distribution]]]
"""Metrics with the distributions that there are of them."""


@dataclass(frozen=True)
class _Panel:
    """One metric, the `number`-th of the figure."""

    asked: Subject
    number: int
    metric: MetricInfo
    frame: Box
    shown: Sequence[Distribution]


def boxes(asked: Subject) -> Drawn:
    """A figure of kind `box`: quartiles in a box, 5 % and 95 % at the ends of the whiskers."""
    return _drawn(
        asked,
        lambda entries: entries * _ROW,
        _draw_boxes,
        "Values of single samples, all seeds together: the box spans the quartiles and holds the "
        "median, whiskers end at 5 % and 95 %.",
    )


def cumulative(asked: Subject) -> Drawn:
    """A figure of kind `cumulative`: the share of samples up to every value."""
    return _drawn(
        asked,
        lambda _: _TALL,
        _draw_steps,
        "Values of single samples, all seeds together: the share of them that is not larger. "
        f"Where lines go on beyond the frame, the last {100 * (1 - BEYOND):.0f} % of the widest "
        "are cut off.",
    )


def distributions(asked: Subject, metric: MetricInfo) -> list[Distribution]:
    """The entries that kept single values of a metric, in the plan's order."""
    scale = 100.0 if metric.unit == "%" else 1.0
    found = []
    for number, entry in enumerate(asked.entries):
        values = [v * scale for r in entry.row.results for v in r.samples.get(metric.name, [])]
        if values:
            found.append(Distribution(entry, look(number), sorted(values)))
    return found


def _drawn(
    asked: Subject,
    height: Callable[[int], float],
    draw: Callable[[ET.Element, _Panel], None],
    note: str,
) -> Drawn:
    pairs = [(metric, distributions(asked, metric)) for metric in asked.metrics]
    kept = [(metric, found) for metric, found in pairs if found]
    return Drawn(
        entries=asked.entries,
        svg=_svg(asked, kept, height, draw) if kept else None,
        records=[_record(metric, one) for metric, found in kept for one in found],
        grids=[_grid(asked, metric, found) for metric, found in kept],
        notes=[note],
        missing=[*gaps(asked), *_without_values(asked, kept)],
    )


def _svg(
    asked: Subject,
    kept: Kept,
    height: Callable[[int], float],
    draw: Callable[[ET.Element, _Panel], None],
) -> str:
    root = canvas(asked.slug, 0, asked.info.title, _description(asked, kept))
    known = {asked.name(one.entry): one.look for _, found in kept for one in found}
    top = draw_key(root, list(known.items()), 16.0) + 14 if draw is _draw_steps else 26.0
    size = _WIDE, height(max(len(found) for _, found in kept))
    places = frames(len(kept), top, size, _GAP, columns=1)
    root.set("viewBox", f"0 0 760 {places[-1].y1 + 56:g}")
    draw_warnings(root, places[0], asked.warnings)
    for number, ((metric, found), frame) in enumerate(zip(kept, places, strict=True)):
        draw(root, _Panel(asked, number, metric, frame, found))
    return written(root)


def _draw_boxes(root: ET.Element, panel: _Panel) -> None:
    frame = panel.frame
    ends = [one.quantile(level) for one in panel.shown for level in (LEVELS[0], LEVELS[-1])]
    across = axis(ends, [], (frame.x0, frame.x1))
    draw_axes(root, frame, across, _bare((frame.y1, frame.y0)), (axis_title(panel.metric), ""))
    for row, one in enumerate(panel.shown):
        top = frame.y0 + row * _ROW
        text(root, frame.x0 + 2, top + _NAME - 4, shortened(panel.asked.name(one.entry), _LONGEST))
        _draw_box(root, panel, one, across, top + _NAME)


def _draw_box(root: ET.Element, panel: _Panel, one: Distribution, across: Axis, top: float) -> None:
    low, first, middle, third, high = (across.at(one.quantile(level)) for level in LEVELS)
    group = ET.SubElement(root, "g", {"stroke": one.look.colour, "fill": one.look.colour})
    tooltip(group, f"{panel.asked.name(one.entry)}: {panel.metric.title} {_in_words(panel, one)}")
    y, thin = top + _BOX / 2, {"stroke-width": "1.4"}
    line(group, (low, y), (first, y), thin)
    line(group, (third, y), (high, y), thin)
    for end in (low, high):
        line(group, (end, y - 4), (end, y + 4), thin)
    filled = {"fill-opacity": "0.18", "stroke-width": "1.4"}
    rectangle(group, Box(first, top, third, top + _BOX), filled)
    line(group, (middle, top), (middle, top + _BOX), {"stroke-width": "3"})


def _draw_steps(root: ET.Element, panel: _Panel) -> None:
    frame = panel.frame
    widest = max(one.quantile(BEYOND) for one in panel.shown)
    lowest = min(one.values[0] for one in panel.shown)
    across = axis([min(lowest, 0.0), max(widest, 1e-12)], [], (frame.x0, frame.x1))
    shares = (0.0, 20.0, 40.0, 60.0, 80.0, 100.0)
    up = Axis(0.0, 100.0, frame.y1, frame.y0, shares, 0)
    draw_axes(root, frame, across, up, (axis_title(panel.metric), "Share of samples, %"))
    clip = f"{panel.asked.slug}-frame-{panel.number}"
    rectangle(ET.SubElement(root, "clipPath", {"id": clip}), frame, {})
    for one in panel.shown:
        group = ET.SubElement(root, "g", {"stroke": one.look.colour, "fill": "none"})
        tooltip(group, f"{panel.asked.name(one.entry)}: {_in_words(panel, one)}")
        points = [(across.unbounded(x), up.at(y)) for x, y in steps(one)]
        style = {"stroke-width": "2", "stroke-linejoin": "round", "clip-path": f"url(#{clip})"}
        ET.SubElement(group, "polyline", {"points": path(points), **style, **dashed(one.look.dash)})
        _draw_marks(group, one, across, up)


def _draw_marks(group: ET.Element, one: Distribution, across: Axis, up: Axis) -> None:
    """The entry's shape at the quartiles: lines are never told apart by colour alone."""
    for level in LEVELS[1:-1]:
        if across.holds(value := one.quantile(level)):
            style = {"stroke": "none", "fill": one.look.colour}
            draw_shape(group, one.look.shape, across.at(value), up.at(one.below(value)), style)


def steps(one: Distribution) -> list[Point]:
    """(value, percentage of the values that are not larger), as the corners of a staircase."""
    values = list(one.values)
    if len(values) > MOST:
        values = [one.quantile(share) for share in np.linspace(0, 1, MOST)]
    found: list[Point] = [(values[0], 0.0)]
    for value in dict.fromkeys(values):
        found += [(value, found[-1][1]), (value, one.below(value))]
    return found


def _record(metric: MetricInfo, one: Distribution) -> Conditions:
    """A line of the figure's data file, in the shown unit."""
    return {
        "task": one.entry.task.name,
        "method": one.entry.method.label,
        "metric": metric.name,
        "unit": metric.unit,
        "samples": len(one.values),
        "smallest": one.values[0],
        **{f"q{round(100 * level):02}": one.quantile(level) for level in LEVELS},
        "largest": one.values[-1],
    }


def _grid(asked: Subject, metric: MetricInfo, found: Sequence[Distribution]) -> Grid:
    rows = [
        [asked.name(one.entry), str(len(one.values))]
        + [_number(one.quantile(level), metric) for level in LEVELS]
        for one in found
    ]
    return Grid(f"{axis_title(metric)}: single samples", ["", "samples", *NAMES], rows)


def _description(asked: Subject, kept: Kept) -> str:
    parts = [asked.info.note]
    for metric, found in kept:
        for one in found:
            median = _number(one.quantile(0.5), metric)
            low, high = (_number(one.quantile(level), metric) for level in (0.25, 0.75))
            parts.append(
                f"{metric.title}, {asked.name(one.entry)}: median {median}, quartiles {low} and "
                f"{high}, {len(one.values)} samples."
            )
    parts += [sentence for _, sentence in asked.warnings]
    return " ".join(filter(None, parts))


def _in_words(panel: _Panel, one: Distribution) -> str:
    each = (_number(one.quantile(level), panel.metric) for level in LEVELS)
    return ", ".join(f"{name} {value}" for name, value in zip(NAMES, each, strict=True))


def _number(shown: float, metric: MetricInfo) -> str:
    scale = 100.0 if metric.unit == "%" else 1.0
    return wording.value(shown / scale, metric.unit)


def _without_values(asked: Subject, kept: Kept) -> list[str]:
    """Metrics that are measured, but not sample by sample."""
    drawn = {metric.name for metric, _ in kept}
    measured = (m for m in asked.metrics if any(e.measured(m) for e in asked.entries))
    titles = [metric.title for metric in measured if metric.name not in drawn]
    return [f"Not kept sample by sample: {wording.listed(titles)}."] if titles else []


def _bare(ends: tuple[float, float]) -> Axis:
    """An axis that says nothing: rows are named where they stand."""
    return Axis(0.0, 1.0, *ends, (), 0)

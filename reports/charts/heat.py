"""Metrics over two coordinates: a map a metric and task, bright where it is good."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.reports import wording
from bench.reports.charts.axes import Box
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
    split_by,
)
from bench.reports.charts.svg import (
    axis_title,
    canvas,
    digits,
    draw_titles,
    draw_warnings,
    frames,
    line,
    rectangle,
    shortened,
    text,
    tooltip,
    written,
)
from bench.result import MetricInfo, Scalar

SCALE = (
    "#00204d", "#00336f", "#39486b", "#575c6d", "#707173",
    "#8a8779", "#a69d75", "#c4b56c", "#e4cf5b", "#ffea46",
)  # fmt: skip
"""Cividis (Nuñez, Anderton & Renslow, 2018): even steps of lightness, alike for all eyes."""

NUMBERS_FIT = 8
"""Cells on a side up to which numbers in them can be read."""

_SIZE, _GAP = (286.0, 286.0), (82.0, 154.0)
_NAME_FITS = 56
"""Characters that fit above a map."""
_BAR_SHARES = 48
_DARK, _LIGHT = "#111111", "#ffffff"

MapCell = tuple[Scalar, Scalar]


@dataclass(frozen=True)
class _Map:
    """One metric of one series."""

    metric: MetricInfo
    name: str
    """The series, where there are several."""
    xs: Sequence[Scalar]
    ys: Sequence[Scalar]
    cells: Mapping[MapCell, Entry]

    @property
    def values(self) -> dict[MapCell, float]:
        """What was measured, in shown units."""
        found = {}
        for place, entry in self.cells.items():
            cell = entry.measured(self.metric)
            if cell and cell.shown is not None:
                found[place] = cell.shown
        return found

    @property
    def best(self) -> list[MapCell]:
        """The cell with the best mean, or several alike; none where no direction is better."""
        values = self.values
        if not values or self.metric.better not in ("higher", "lower"):
            return []
        top = (max if self.metric.better == "higher" else min)(values.values())
        return [p for p, v in values.items() if math.isclose(v, top, rel_tol=1e-12, abs_tol=1e-12)]

    @property
    def title(self) -> str:
        """What the map shows."""
        return f"{axis_title(self.metric)}{f': {self.name}' if self.name else ''}"


def heat(asked: Subject) -> Drawn:
    """A figure of kind `heat`."""
    names = [asked.info.x, asked.info.y]
    series, beside = split_by(asked, names, lambda value: value is not None)
    maps = [
        _Map(metric, name if len(series) > 1 else "", *_sides(one), _placed(one))
        for name, one in zip(names_of(series), series, strict=True)
        for metric in asked.metrics
    ]
    asked = replace(asked, entries=[e for one in series for e in one.entries] + beside)
    missing = gaps(asked)
    unplanned = [f"{m.title} ({n})" for m in maps if (n := len(m.xs) * len(m.ys) - len(m.cells))]
    if unplanned:
        missing.append(f"Cells that the sweep does not plan: {wording.listed(unplanned)}.")
    if not series:
        missing.insert(0, f"No entry of this figure has both {names[0]} and {names[1]}.")
    return Drawn(
        entries=asked.entries,
        svg=_svg(asked, maps),
        records=[record(e, metric, names) for metric in asked.metrics for e in asked.entries],
        grids=[_grid(asked, one) for one in maps],
        notes=_notes(asked, maps, beside),
        missing=missing,
    )


def _sides(series: Series) -> tuple[list[Scalar], list[Scalar]]:
    """Values of both coordinates: numbers in their order, words as the suite lists them."""
    found = []
    for axis in (0, 1):
        values = list(dict.fromkeys(entry.at[axis] for entry in series.entries))
        numbers = all(is_number(value) for value in values)
        found.append(sorted(values, key=lambda v: float(v or 0)) if numbers else values)
    return found[0], found[1]


def _placed(series: Series) -> dict[MapCell, Entry]:
    return {(entry.at[0], entry.at[1]): entry for entry in series.entries}


def _svg(asked: Subject, maps: Sequence[_Map]) -> str | None:
    drawn = [one for one in maps if one.values]
    if not drawn:
        return None
    places = frames(len(drawn), 56, _SIZE, _GAP)
    height = places[-1].y1 + 112
    root = canvas(asked.slug, height, asked.info.title, _description(asked, drawn))
    _define_hatching(root, asked.slug)
    right = Box(0, 24, 744, 24)
    draw_warnings(root, right, asked.warnings)
    for one, frame in zip(drawn, places, strict=True):
        _draw(root, asked, one, frame)
    return written(root)


def _define_hatching(root: ET.Element, slug: str) -> None:
    defined = ET.SubElement(root, "defs")
    tile = {"width": "6", "height": "6", "patternUnits": "userSpaceOnUse"}
    turned = {"patternTransform": "rotate(45)", "id": f"{slug}-hatching"}
    pattern = ET.SubElement(defined, "pattern", {**tile, **turned})
    line(pattern, (0, 0), (0, 6), {"stroke": "currentColor", "stroke-opacity": "0.45"})


def _draw(root: ET.Element, asked: Subject, one: _Map, frame: Box) -> None:
    heading = ET.SubElement(root, "g", {"font-size": "13", "font-weight": "600"})
    named = 16.0 if one.name else 0.0
    text(heading, frame.x0, frame.y0 - 10 - named, axis_title(one.metric))
    if one.name:
        text(root, frame.x0, frame.y0 - 9, shortened(one.name, _NAME_FITS))
    width = (frame.x1 - frame.x0) / len(one.xs)
    height = (frame.y1 - frame.y0) / len(one.ys)
    values, best = one.values, one.best
    colour = _colours(one.metric, list(values.values()))
    figures = max(len(one.xs), len(one.ys)) <= NUMBERS_FIT
    cells = ET.SubElement(root, "g", {"text-anchor": "middle", "font-size": "11"})
    for row, y in enumerate(one.ys):
        for column, x in enumerate(one.xs):
            left, bottom = frame.x0 + column * width, frame.y1 - row * height
            box = Box(left + 0.5, bottom - height + 0.5, left + width - 0.5, bottom - 0.5)
            group = ET.SubElement(cells, "g")
            tooltip(group, _cell_words(asked, one, (x, y)))
            value = values.get((x, y))
            if value is None:
                outline = {"stroke": "currentColor", "stroke-opacity": "0.35"}
                rectangle(group, box, {"fill": f"url(#{asked.slug}-hatching)", **outline})
                continue
            ground = colour(value)
            rectangle(group, box, {"fill": ground})
            if (x, y) in best:
                _mark_best(group, box, ground, figures)
            if figures:
                ink = {"fill": _ink(ground), "class": "on-colour"}
                words = wording.number(value, _places(one))
                text(group, (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2 + 4, words, ink)
    _draw_ticks(root, one, frame, (width, height))
    draw_titles(root, frame, asked.info.x, asked.info.y, depth=38)
    _draw_bar(root, one, Box(frame.x0, frame.y1 + 56, frame.x1, frame.y1 + 68), colour)


def _places(one: _Map) -> int:
    """Digits after the point: as many as set the cells apart, and fit."""
    if one.metric.unit == "%":
        return 1
    largest = max(abs(value) for value in one.values.values())
    return max(0, min(4, 2 - math.floor(math.log10(largest)))) if largest else 0


def _mark_best(group: ET.Element, box: Box, ground: str, figures: bool) -> None:
    ink = _ink(ground)
    inner = Box(box.x0 + 2.5, box.y0 + 2.5, box.x1 - 2.5, box.y1 - 2.5)
    rectangle(group, inner, {"fill": "none", "stroke": ink, "stroke-width": "2.5"})
    if not figures:
        x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
        at = {"cx": digits(x), "cy": digits(y), "r": "3.5", "fill": ink}
        ET.SubElement(group, "circle", at)


def _draw_ticks(root: ET.Element, one: _Map, frame: Box, size: tuple[float, float]) -> None:
    ticks = ET.SubElement(root, "g", {"fill-opacity": "0.75", "text-anchor": "middle"})
    for column, value in enumerate(one.xs):
        x = frame.x0 + (column + 0.5) * size[0]
        text(ticks, x, frame.y1 + 16, shown_coordinate(value))
    for row, value in enumerate(one.ys):
        y = frame.y1 - (row + 0.5) * size[1]
        text(ticks, frame.x0 - 7, y + 4, shown_coordinate(value), {"text-anchor": "end"})


def _draw_bar(root: ET.Element, one: _Map, box: Box, colour: _Colours) -> None:
    """The legend: values from low to high, and which end is the better one."""
    low, high = min(one.values.values()), max(one.values.values())
    group = ET.SubElement(root, "g", {"shape-rendering": "crispEdges"})
    share = (box.x1 - box.x0) / _BAR_SHARES
    for i in range(_BAR_SHARES):
        value = low + (high - low) * (i + 0.5) / _BAR_SHARES
        x = box.x0 + i * share
        rectangle(group, Box(x, box.y0, x + share, box.y1), {"fill": colour(value)})
    words = ET.SubElement(root, "g", {"fill-opacity": "0.75"})
    places = wording.decimals(high, one.metric.unit)
    unit = f" {one.metric.unit}" if one.metric.unit else ""
    left, right = (f"{wording.number(value, places)}{unit}" for value in (low, high))
    better = one.metric.better
    text(words, box.x0, box.y1 + 16, f"{left}{', better' if better == 'lower' else ''}")
    end = {"text-anchor": "end"}
    text(words, box.x1, box.y1 + 16, f"{right}{', better' if better == 'higher' else ''}", end)


@dataclass(frozen=True)
class _Colours:
    """Values to colours; the better end is the bright one."""

    low: float
    high: float
    turned: bool

    def __call__(self, value: float) -> str:
        span = self.high - self.low
        share = (value - self.low) / span if span > 0 else 1.0 - self.turned
        share = min(max(1 - share if self.turned else share, 0.0), 1.0)
        index, rest = divmod(share * (len(SCALE) - 1), 1.0)
        first = SCALE[int(index)]
        second = SCALE[min(int(index) + 1, len(SCALE) - 1)]
        pairs = zip(_channels(first), _channels(second), strict=True)
        return "#" + "".join(f"{round(a + (b - a) * rest):02x}" for a, b in pairs)


def _colours(metric: MetricInfo, values: Sequence[float]) -> _Colours:
    return _Colours(min(values), max(values), metric.better == "lower")


def _channels(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


def _ink(ground: str) -> str:
    """Dark or light, whichever stands out more (relative luminance of WCAG 2)."""
    linear = [
        share / 12.92 if (share := c / 255) <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
        for c in _channels(ground)
    ]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return _DARK if (luminance + 0.05) ** 2 > 0.05 * 1.05 else _LIGHT


def _cell_words(asked: Subject, one: _Map, place: MapCell) -> str:
    return f"{_at(asked, place)}: {one.metric.title} {_words(one, place)}"


def _at(asked: Subject, place: MapCell) -> str:
    x, y = (shown_coordinate(value) for value in place)
    return f"{asked.info.x} = {x}, {asked.info.y} = {y}"


def _words(one: _Map, place: MapCell) -> str:
    entry = one.cells.get(place)
    if entry is None:
        return "not planned"
    cell = entry.measured(one.metric)
    if cell is None:
        return "no result"
    return f"{cell.words}{' (best)' if place in one.best else ''}"


def _grid(asked: Subject, one: _Map) -> Grid:
    head = [f"{asked.info.y} \\ {asked.info.x}", *(shown_coordinate(x) for x in one.xs)]
    best, values = set(one.best), one.values

    def words(place: MapCell) -> str:
        entry = one.cells.get(place)
        cell = entry.measured(one.metric) if entry else None
        if place not in values or cell is None:
            return "n/a" if entry else "–"
        return f"{cell.numbers}{', best' if place in best else ''}"

    rows = [[shown_coordinate(y), *(words((x, y)) for x in one.xs)] for y in reversed(one.ys)]
    return Grid(f"{one.title}; {asked.info.y} down, {asked.info.x} across", head, rows)


def _best_words(asked: Subject, one: _Map) -> str:
    where = [_at(asked, place) for place in one.best]
    if not where:
        return ""
    cell = one.cells[one.best[0]].measured(one.metric)
    measured = cell.words if cell else ""
    name = f"{one.metric.title}{f' of {one.name}' if one.name else ''}"
    return f"Best {name}: {measured} at {wording.listed(where, 3)}."


def _description(asked: Subject, maps: Sequence[_Map]) -> str:
    parts = [asked.info.note]
    for one in maps:
        values = one.values
        low, high = min(values.values()), max(values.values())
        parts.append(
            f"{one.title}: {len(values)} of {len(one.xs) * len(one.ys)} cells, "
            f"from {low:.4g} to {high:.4g}. {_best_words(asked, one)}"
        )
    parts += [sentence for _, sentence in asked.warnings]
    return " ".join(filter(None, parts))


def _notes(asked: Subject, maps: Sequence[_Map], beside: Sequence[Entry]) -> list[str]:
    notes = ["Means over seeds; bright is good, framed is best, hatched is missing."]
    notes += [words for one in maps if (words := _best_words(asked, one))]
    others = [
        f"{asked.name(entry)} ({', '.join(each)})"
        for entry in beside
        if (each := [f"{m.title} {c.words}" for m in asked.metrics if (c := entry.measured(m))])
    ]
    if others:
        notes.append(f"Without these coordinates: {wording.listed(others, 3)}.")
    return notes

"""Metrics over two coordinates: a map a metric and series, bright where it is good."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.reports import wording
from bench.reports.boards.leaderboard import Cell
from bench.reports.charts import marks
from bench.reports.charts.axes import axis_title, categories
from bench.reports.charts.colours import ColourScale
from bench.reports.charts.labels import shortened
from bench.reports.charts.subject import (
    Entry,
    FigureContent,
    Grid,
    Series,
    Subject,
    is_number,
    names_of,
    shown_coordinate,
)
from bench.result import MetricInfo, Scalar

NUMBERS_FIT = 8
"""Cells on a side up to which numbers in them can be read."""

_NAME_FITS = 56
"""Characters that fit above a map."""

Place = tuple[Scalar, Scalar]
"""Values of both coordinates."""


@dataclass(frozen=True)
class _Map:
    """One metric of one series."""

    subject: Subject
    metric: MetricInfo
    name: str
    """The series, where there are several."""
    xs: Sequence[Scalar]
    ys: Sequence[Scalar]
    cells: Mapping[Place, Cell]
    """By place; those of places where nothing was planned are missing."""

    @property
    def values(self) -> dict[Place, float]:
        """Means of the cells that have one, in shown units."""
        return {p: c.shown for p, c in self.cells.items() if c.shown is not None}

    @property
    def best(self) -> list[Place]:
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

    def at(self, place: Place) -> str:
        """The place in words."""
        x, y = (shown_coordinate(value) for value in place)
        return f"{self.subject.info.x} = {x}, {self.subject.info.y} = {y}"

    @property
    def best_words(self) -> str:
        """A sentence on the best cells; "" without any."""
        if not (best := self.best):
            return ""
        name = f"{self.metric.title}{f' of {self.name}' if self.name else ''}"
        places = wording.listed([self.at(place) for place in best], 3)
        return f"Best {name}: {self.cells[best[0]].words} at {places}."

    @property
    def sentence(self) -> str:
        """How many cells there are, from the least value to the largest, and the best."""
        values, count = self.values, len(self.xs) * len(self.ys)
        ends = f"from {min(values.values()):.4g} to {max(values.values()):.4g}"
        return f"{self.title}: {len(values)} of {count} cells, {ends}. {self.best_words}"


def heat(subject: Subject) -> FigureContent:
    """A figure of kind `heat`."""
    names = [subject.info.x, subject.info.y]
    several, beside = subject.split_by(names, lambda value: value is not None)
    subject = subject.of([entry for series in several for entry in series.entries] + beside)
    maps = [
        _Map(subject, metric, name if len(several) > 1 else "", _side(series, 0), _side(series, 1),
             {(e.at[0], e.at[1]): e.cell(metric) for e in series.entries})
        for name, series in zip(names_of(several), several, strict=True)
        for metric in subject.metrics
    ]  # fmt: skip
    missing = [] if several else [f"No entry of this figure has both {names[0]} and {names[1]}."]
    missing += subject.gaps
    unplanned = [f"{m.title} ({n})" for m in maps if (n := len(m.xs) * len(m.ys) - len(m.cells))]
    if unplanned:
        missing.append(f"Cells that the sweep does not plan: {wording.listed(unplanned)}.")
    drawn = [heat_map for heat_map in maps if heat_map.values]
    return FigureContent(
        subject=subject,
        records=subject.records(names),
        panels=[_panel(heat_map) for heat_map in drawn],
        layout=marks.Layout((286.0, 286.0), columns=2, gap=154.0, top=56.0, foot=112.0),
        sentences=[heat_map.sentence for heat_map in drawn],
        grids=[_grid(heat_map) for heat_map in maps],
        notes=_notes(subject, maps, beside),
        missing=missing,
    )


def _side(series: Series, axis: int) -> list[Scalar]:
    """Values of a coordinate: numbers in their order, words as the suite lists them."""
    values = list(dict.fromkeys(entry.at[axis] for entry in series.entries))
    return sorted(values, key=lambda v: float(v or 0)) if all(map(is_number, values)) else values


def _panel(heat_map: _Map) -> marks.Panel:
    metric, values, best = heat_map.metric, heat_map.values, heat_map.best
    low, high = min(values.values()), max(values.values())
    scale = ColourScale(low, high, metric.better)
    fits = max(len(heat_map.xs), len(heat_map.ys)) <= NUMBERS_FIT
    corner = 0.0, float(len(heat_map.ys))
    above = (0, -26) if heat_map.name else (0, -10)
    drawn: list[marks.Mark] = [marks.Label(corner, axis_title(metric), above, bold=True, size=13)]
    if heat_map.name:
        drawn.append(marks.Label(corner, shortened(heat_map.name, _NAME_FITS), (0, -9)))
    for row, y in enumerate(heat_map.ys):
        for column, x in enumerate(heat_map.xs):
            value = values.get((x, y))
            number = "" if value is None else wording.number(value, _places(metric, values))
            colour = None if value is None else scale.colour(value)
            tile = marks.Tile((column, row), colour, number if fits else "", (x, y) in best)
            words = f"{_tooltip(heat_map, (x, y))}{' (best)' if tile.best else ''}"
            drawn.append(marks.Item([tile], words))
    places, unit = wording.decimals(high, metric.unit), f" {metric.unit}" if metric.unit else ""
    left, right = (
        f"{wording.number(value, places)}{unit}{', better' if metric.better == end else ''}"
        for value, end in ((low, "lower"), (high, "higher"))
    )
    info = heat_map.subject.info
    across, up = (categories([shown_coordinate(v) for v in side], title)
                  for side, title in ((heat_map.xs, info.x), (heat_map.ys, info.y)))  # fmt: skip
    return marks.Panel(across, up, drawn, marks.ColourBar(scale, (left, right)))


def _places(metric: MetricInfo, values: Mapping[Place, float]) -> int:
    """Digits after the point: as many as set the cells apart, and fit."""
    if metric.unit == "%":
        return 1
    largest = max(map(abs, values.values()))
    return max(0, min(4, 2 - math.floor(math.log10(largest)))) if largest else 0


def _tooltip(heat_map: _Map, place: Place) -> str:
    cell = heat_map.cells.get(place)
    words = "not planned" if cell is None else cell.words if cell.summary else "no result"
    return f"{heat_map.at(place)}: {heat_map.metric.title} {words}"


def _grid(heat_map: _Map) -> Grid:
    best, info = heat_map.best, heat_map.subject.info
    head = [f"{info.y} \\ {info.x}", *(shown_coordinate(x) for x in heat_map.xs)]

    def words(place: Place) -> str:
        cell = heat_map.cells.get(place)
        return "–" if cell is None else f"{cell.numbers}{', best' if place in best else ''}"

    rows = [
        [shown_coordinate(y), *(words((x, y)) for x in heat_map.xs)] for y in reversed(heat_map.ys)
    ]
    return Grid(f"{heat_map.title}; {info.y} down, {info.x} across", head, rows)


def _notes(subject: Subject, maps: Sequence[_Map], beside: Sequence[Entry]) -> list[str]:
    notes = ["Means over seeds; bright is good, framed is best, hatched is missing."]
    notes += [words for heat_map in maps if (words := heat_map.best_words)]
    others = []
    for entry in beside:
        cells = [cell for metric in subject.metrics if (cell := entry.cell(metric)).summary]
        values = [f"{cell.metric.title} {cell.words}" for cell in cells]
        others += [f"{subject.name(entry)} ({', '.join(values)})"] if values else []
    if others:
        notes.append(f"Without these coordinates: {wording.listed(others, 3)}.")
    return notes

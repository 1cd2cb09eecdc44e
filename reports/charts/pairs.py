"""Tasks that differ in one yes or no alone: what was measured at no against that at yes."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.reports import wording
from bench.reports.boards.leaderboard import Cell
from bench.reports.charts.axes import Axis, Box, axis
from bench.reports.charts.subject import (
    Drawn,
    Entry,
    Grid,
    Subject,
    coordinate,
    gaps,
    less,
    shown_coordinate,
    span_of,
    task_key,
)
from bench.reports.charts.svg import (
    Look,
    Point,
    axis_title,
    canvas,
    ceiling,
    draw_axes,
    draw_key,
    draw_names,
    draw_shape,
    draw_warnings,
    draw_whisker,
    frames,
    line,
    look,
    tooltip,
    with_unit,
    written,
)
from bench.reports.statistics.seeds import Correlation, correlation
from bench.result import MetricInfo, PlannedTask, Scalar

LABELLED = 16
"""Points that can be labelled without covering each other; of more, those off the diagonal are."""

_SIZE, _GAP = (290.0, 290.0), (78.0, 84.0)


@dataclass(frozen=True)
class Pair:
    """A method on two tasks."""

    name: str
    """What the two tasks share and other pairs do not."""
    method: str
    no: Entry
    yes: Entry

    def cells(self, metric: MetricInfo) -> tuple[Cell | None, Cell | None]:
        """The metric on both tasks."""
        return self.no.measured(metric), self.yes.measured(metric)

    def point(self, metric: MetricInfo) -> Point | None:
        """Both means in shown units, where both exist."""
        no, yes = (cell.shown if cell else None for cell in self.cells(metric))
        return None if no is None or yes is None else (no, yes)


@dataclass(frozen=True)
class _Panel:
    """One metric."""

    metric: MetricInfo
    frame: Box
    points: Sequence[tuple[Pair, Look, Point]]
    titles: tuple[str, str]


def pairs(asked: Subject) -> Drawn:
    """A figure of kind `pairs`."""
    x = asked.info.x
    found, alone = _pairs(asked)
    asked = replace(asked, entries=[entry for pair in found for entry in (pair.no, pair.yes)])
    missing = gaps(asked)
    if alone:
        missing.append(f"Without a counterpart in {x}: {wording.listed(alone)}.")
    if not found:
        missing.insert(0, f"No two tasks differ in {x} alone.")
    notes = ["Means over seeds with 95 % intervals. On the dashed line both are equal."]
    if named_after := _only_setting([pair.no.task for pair in found], x):
        notes.append(f"Points are named after {named_after}.")
    notes += _correlations(asked, found)
    return Drawn(
        entries=asked.entries,
        svg=_svg(asked, found, notes),
        records=[_record(x, pair, metric) for metric in asked.metrics for pair in found],
        grids=[_grid(x, metric, found) for metric in asked.metrics if found],
        notes=notes,
        missing=missing,
    )


def _pairs(asked: Subject) -> tuple[list[Pair], list[str]]:
    sides: dict[tuple[object, ...], dict[bool, Entry]] = {}
    alone = []
    for entry in asked.entries:
        value = coordinate(asked.info.x, entry.method, entry.task)
        if isinstance(value, bool):
            key = entry.method.label, *task_key(entry.task, [asked.info.x])
            sides.setdefault(key, {})[value] = entry
        else:
            alone.append(asked.name(entry))
    both = [mine for mine in sides.values() if len(mine) == 2]
    single = (entry for mine in sides.values() if len(mine) == 1 for entry in mine.values())
    alone += [asked.name(entry) for entry in single]
    names = _names([mine[False].task for mine in both], asked.info.x)
    found = [
        Pair(name, mine[False].method.label, mine[False], mine[True])
        for name, mine in zip(names, both, strict=True)
    ]
    return found, alone


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
    return [", ".join(filter(None, [head, *mine])) for head, mine in zip(heads, rest, strict=True)]


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


def _svg(asked: Subject, found: Sequence[Pair], notes: Sequence[str]) -> str | None:
    methods = list(dict.fromkeys(pair.method for pair in found))
    looks = {method: look(i) for i, method in enumerate(methods)}
    drawn = []
    for metric in asked.metrics:
        points = [(pair, looks[pair.method], at) for pair in found if (at := pair.point(metric))]
        if points:
            drawn.append((metric, points))
    if not drawn:
        return None
    root = canvas(asked.slug, 0, asked.info.title, _description(asked, found, notes))
    top = draw_key(root, list(looks.items()), 16.0) + 14 if len(methods) > 1 else 26.0
    places = frames(len(drawn), top, _SIZE, _GAP)
    root.set("viewBox", f"0 0 760 {places[-1].y1 + 56:g}")
    draw_warnings(root, Box(0, top, 744, 0), asked.warnings)
    for (metric, points), frame in zip(drawn, places, strict=True):
        titles = _title(asked.info.x, metric, "no"), _title(asked.info.x, metric, "yes")
        _draw(root, _Panel(metric, frame, points, titles))
    return written(root)


def _title(x: str, metric: MetricInfo, value: str) -> str:
    return f"{with_unit(metric)}; {x}: {value}"


def _draw(root: ET.Element, panel: _Panel) -> None:
    frame = panel.frame
    across, up = _axes(panel)
    draw_axes(root, frame, across, up, panel.titles)
    style = {"stroke": "currentColor", "stroke-opacity": "0.5", "stroke-dasharray": "5 4"}
    line(root, (frame.x0, frame.y1), (frame.x1, frame.y0), style)
    for pair, appearance, (no, yes) in panel.points:
        at = across.at(no), up.at(yes)
        group = ET.SubElement(root, "g", {"stroke": appearance.colour, "fill": appearance.colour})
        tooltip(group, _words(pair, panel.metric))
        cells = pair.cells(panel.metric)
        draw_whisker(group, span_of(cells[0]), across, at[1], upright=False)
        draw_whisker(group, span_of(cells[1]), up, at[0], upright=True)
        draw_shape(group, appearance.shape, *at, {"stroke": "none"})
    # The farthest from the diagonal first: where not all can be named, these are asked about.
    order = sorted(panel.points, key=lambda point: -abs(point[2][1] - point[2][0]))
    anchors = [(across.at(no), up.at(yes)) for _, _, (no, yes) in order]
    taken = [Box(x - 6, y - 6, x + 6, y + 6) for x, y in anchors]
    for (x, y), (pair, _, _) in zip(anchors, order, strict=True):
        low, high = (span_of(cell) for cell in pair.cells(panel.metric))
        taken += [Box(across.at(low[0]), y - 1, across.at(low[1]), y + 1)] if low else []
        taken += [Box(x - 1, up.at(high[1]), x + 1, up.at(high[0]))] if high else []
    names = [(pair.name, style.colour) for pair, style, _ in order]
    draw_names(root, names[:LABELLED], anchors, taken, frame)


def _axes(panel: _Panel) -> tuple[Axis, Axis]:
    """The same numbers on both sides, so that the diagonal is where both are equal."""
    centres = [value for _, _, at in panel.points for value in at]
    cells = [cell for pair, _, _ in panel.points for cell in pair.cells(panel.metric)]
    spans = [span for cell in cells if (span := span_of(cell))]
    frame, top = panel.frame, ceiling(panel.metric)
    across = axis(centres, spans, (frame.x0, frame.x1), top)
    return across, axis(centres, spans, (frame.y1, frame.y0), top)


def _correlations(asked: Subject, found: Sequence[Pair]) -> list[str]:
    """Pearson's r of each metric and method, in sentences."""
    sentences = []
    methods = list(dict.fromkeys(pair.method for pair in found))
    for metric in asked.metrics:
        for method in methods:
            points = [at for p in found if p.method == method and (at := p.point(metric))]
            if points:
                whose = f" of {method}" if len(methods) > 1 else ""
                made = correlation_words(correlation(points))
                sentences.append(f"{metric.title}{whose}: {made}.")
    return sentences


def correlation_words(found: Correlation) -> str:
    """The coefficient with its interval and the number of points."""
    if found.r is None:
        return f"no correlation coefficient, n = {found.n}"
    r = wording.number(found.r, 2)
    if found.interval is None:
        return f"Pearson's r = {r}, no interval, n = {found.n}"
    low, high = (wording.number(end, 2) for end in found.interval)
    return f"Pearson's r = {r}, 95 % interval {low} to {high}, n = {found.n}"


def _words(pair: Pair, metric: MetricInfo) -> str:
    no, yes = (cell.words if cell else "n/a" for cell in pair.cells(metric))
    return f"{pair.name}, {pair.method}: {metric.title} {no} (no), {yes} (yes)"


def _description(asked: Subject, found: Sequence[Pair], notes: Sequence[str]) -> str:
    parts = [asked.info.note, *notes]
    parts += [f"{_words(pair, metric)}." for metric in asked.metrics for pair in found]
    parts += [sentence for _, sentence in asked.warnings]
    return " ".join(filter(None, parts))


def _record(x: str, pair: Pair, metric: MetricInfo) -> dict[str, Scalar]:
    line_: dict[str, Scalar] = {
        "pair": less(pair.no.task.name, [x]),
        "method": pair.method,
        "metric": metric.name,
        "unit": metric.unit,
    }
    for word, cell in zip(("no", "yes"), pair.cells(metric), strict=True):
        half = (cell.interval[1] - cell.interval[0]) / 2 if cell and cell.interval else None
        line_[f"{x}_{word}_seeds"] = cell.summary.n if cell and cell.summary else 0
        line_[f"{x}_{word}_mean"] = cell.shown if cell else None
        line_[f"{x}_{word}_half_width"] = half
    line_["selection"] = pair.no.task.training.get("selection")
    line_["official_data"] = pair.no.task.official and pair.yes.task.official
    return line_


def _grid(x: str, metric: MetricInfo, found: Sequence[Pair]) -> Grid:
    many = len({pair.method for pair in found}) > 1
    rows = []
    for pair in found:
        no, yes = (cell.numbers if cell else "n/a" for cell in pair.cells(metric))
        name = less(pair.no.task.name, [x])
        rows.append([f"{name}, {pair.method}" if many else name, no, yes])
    return Grid(axis_title(metric), ["Task", f"{x}: no", f"{x}: yes"], rows)

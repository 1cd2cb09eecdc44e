"""Accuracy by group on a covariate with its line, and the slopes of such lines over seeds."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from bench.reports import wording
from bench.reports.boards.published import comparison
from bench.reports.charts.axes import Axis, Box, axis
from bench.reports.charts.subject import Drawn, Entry, Grid, Subject, gaps
from bench.reports.charts.svg import (
    Look,
    canvas,
    dashed,
    draw_axes,
    draw_shape,
    draw_warnings,
    frames,
    line,
    look,
    rectangle,
    shortened,
    text,
    tooltip,
    written,
)
from bench.reports.statistics.slopes import RESAMPLES, Groups, TTest, Versus, by_group, versus
from bench.result import PlannedTask, Scalar

SLOPE = "slope"
_PANEL, _GAP = (290.0, 230.0), (78.0, 96.0)
_ROW, _BOX, _WIDE = 50.0, 16.0, 700.0
_SMALL, _LARGE = 2.5, 9.0
"""Radii of the groups with the fewest and the most samples."""


@dataclass(frozen=True)
class Sloped:
    """An entry with its slopes by seed and its groups."""

    entry: Entry
    look: Look
    slopes: dict[int, float]
    groups: Groups | None

    @property
    def mean(self) -> float:
        """Of the slopes."""
        return math.fsum(self.slopes.values()) / len(self.slopes)


def sloped(asked: Subject) -> list[Sloped]:
    """The entries that have slopes, in the plan's order."""
    found: list[Sloped] = []
    for entry in asked.entries:
        cell = entry.row.cells.get(SLOPE)
        if cell and cell.seeds:
            groups = by_group(entry.row.results)
            found.append(Sloped(entry, look(len(found)), dict(cell.seeds), groups))
    return found


def group_lines(asked: Subject) -> Drawn:
    """A figure of kind `groups`: a mark a group, larger with more samples, and the line."""
    found = [(one, one.groups) for one in sloped(asked) if one.groups is not None]
    asked = replace(asked, entries=[one.entry for one, _ in found])
    return Drawn(
        entries=asked.entries,
        svg=_lines_svg(asked, found),
        records=[record for one, groups in found for record in _group_records(one, groups)],
        grids=[_group_grid(asked, one, groups) for one, groups in found],
        notes=[
            "Mean accuracy over seeds of each group of the test split; the larger the mark, the "
            "more samples. The line is that of generalised least squares with Sigma_ii = 1 / "
            "sqrt(n_i)."
        ],
        missing=gaps(asked),
    )


def slope_boxes(asked: Subject) -> Drawn:
    """A figure of kind `slopes`: a box a method over seeds, and tests of all pairs below."""
    found = sloped(asked)
    asked = replace(asked, entries=[one.entry for one in found])
    tasks = {one.entry.task.name: one.entry.task for one in found}
    return Drawn(
        entries=asked.entries,
        svg=_boxes_svg(asked, found),
        records=[_seed_record(one, seed) for one in found for seed in sorted(one.slopes)],
        tables=[
            _tests(task, [one for one in found if one.entry.task.name == name])
            for name, task in tasks.items()
        ],
        notes=[
            "Slopes of accuracy on the covariate, one a seed: the box spans the quartiles and "
            "holds the median, whiskers reach the smallest and the largest. Dashed: the mean slope "
            "of the first entry. Tests are one-sided: is the lower mean lower by more than chance? "
            "Over seeds they measure the noise of training alone, since all runs share the groups "
            f"and their samples; the 95 % over groups come from {RESAMPLES:,} resamples of these."
        ],
        missing=gaps(asked),
    )


def _lines_svg(asked: Subject, found: Sequence[tuple[Sloped, Groups]]) -> str | None:
    if not found:
        return None
    words = " ".join(_line_words(asked, one, groups) for one, groups in found)
    root = canvas(asked.slug, 0, asked.info.title, f"{asked.info.note} {words}".strip())
    places = frames(len(found), 42.0, _PANEL, _GAP)
    root.set("viewBox", f"0 0 760 {places[-1].y1 + 56:g}")
    draw_warnings(root, Box(0, 24, 744, 0), asked.warnings)
    accuracies = [100 * float(a) for _, groups in found for a in groups.accuracy]
    for (one, groups), frame in zip(found, places, strict=True):
        covariate = groups.covariate.tolist()
        across = axis(covariate, [], (frame.x0, frame.x1))
        up = axis(accuracies, [], (frame.y1, frame.y0), ceiling=100.0)
        titles = one.entry.task.covariate or "covariate", "Accuracy, %"
        draw_axes(root, frame, across, up, titles)
        text(root, frame.x0, frame.y0 - 8, shortened(asked.name(one.entry), 46))
        _draw_groups(root, one, groups, (across, up))
    return written(root)


def _draw_groups(root: ET.Element, one: Sloped, groups: Groups, axes: tuple[Axis, Axis]) -> None:
    across, up = axes
    intercept, slope = groups.line
    names = one.entry.task.groups
    group = ET.SubElement(root, "g", {"stroke": one.look.colour, "fill": one.look.colour})
    ends = float(groups.covariate.min()), float(groups.covariate.max())
    style = {"stroke-width": "2"}
    points = [(across.at(g), up.at(100 * (intercept + slope * g))) for g in ends]
    line(group, points[0], points[1], style)
    for position, g, p, n in zip(
        groups.group, groups.covariate, groups.accuracy, groups.samples, strict=True
    ):
        mark = ET.SubElement(group, "g", {"fill-opacity": "0.55", "stroke": "none"})
        name = names[position] if position < len(names) else f"group {position}"
        tooltip(mark, f"{name}: {100 * p:.1f} % of {n:.0f}")
        at = {"cx": f"{across.at(float(g)):.2f}", "cy": f"{up.at(100 * float(p)):.2f}"}
        ET.SubElement(mark, "circle", {**at, "r": f"{_radius(float(n), groups):.2f}"})


def _radius(samples: float, groups: Groups) -> float:
    """By the logarithm of the number of samples."""
    low, high = math.log(groups.samples.min()), math.log(groups.samples.max())
    share = (math.log(samples) - low) / (high - low) if high > low else 0.5
    return _SMALL + share * (_LARGE - _SMALL)


def _line_words(asked: Subject, one: Sloped, groups: Groups) -> str:
    intercept, slope = groups.line
    return (
        f"{asked.name(one.entry)}: accuracy {_number(intercept)} + {_number(slope)} times "
        f"{one.entry.task.covariate or 'the covariate'}, {len(groups.group)} groups."
    )


def _group_records(one: Sloped, groups: Groups) -> list[dict[str, Scalar]]:
    names = one.entry.task.groups
    return [
        {
            "task": one.entry.task.name,
            "method": one.entry.method.label,
            "group": names[position] if position < len(names) else str(position),
            "covariate": float(g),
            "accuracy": float(p),
            "samples": int(n),
            "seeds": len(one.slopes),
            "selection": one.entry.task.training.get("selection"),
            "official_data": one.entry.task.official,
        }
        for position, g, p, n in zip(
            groups.group, groups.covariate, groups.accuracy, groups.samples, strict=True
        )
    ]


def _group_grid(asked: Subject, one: Sloped, groups: Groups) -> Grid:
    names = [str(record["group"]) for record in _group_records(one, groups)]
    values = zip(names, groups.covariate, groups.accuracy, groups.samples, strict=True)
    rows = [[name, _number(float(g)), f"{100 * p:.2f}", f"{n:.0f}"] for name, g, p, n in values]
    head = ["Group", one.entry.task.covariate or "covariate", "Accuracy, %", "Samples"]
    return Grid(asked.name(one.entry), head, rows)


def _boxes_svg(asked: Subject, found: Sequence[Sloped]) -> str | None:
    if not found:
        return None
    words = " ".join(
        f"{asked.name(one.entry)}: {', '.join(_number(v) for v in one.slopes.values())}."
        for one in found
    )
    root = canvas(asked.slug, 0, asked.info.title, f"{asked.info.note} {words}".strip())
    top = 30.0
    frame = Box(744 - _WIDE, top, 744, top + _ROW * len(found))
    root.set("viewBox", f"0 0 760 {frame.y1 + 56:g}")
    draw_warnings(root, Box(0, top, 744, 0), asked.warnings)
    values = [value for one in found for value in one.slopes.values()]
    across = axis(values, [], (frame.x0, frame.x1))
    up = Axis(0, 1, frame.y1, frame.y0, (), 0)
    draw_axes(root, frame, across, up, ("Slope, accuracy a unit of the covariate", ""))
    start = across.at(found[0].mean)
    line(root, (start, frame.y0), (start, frame.y1),
         {"stroke": found[0].look.colour, "stroke-width": "1.6", **dashed("5 4")})  # fmt: skip
    for row, one in enumerate(found):
        name = shortened(asked.name(one.entry), 100)
        text(root, frame.x0 + 4, frame.y0 + row * _ROW + 16, name)
        _draw_box(root, one, across, frame.y0 + (row + 0.68) * _ROW)
    return written(root)


def _draw_box(root: ET.Element, one: Sloped, across: Axis, y: float) -> None:
    values = sorted(one.slopes.values())
    low, first, middle, third, high = np.quantile(values, [0, 0.25, 0.5, 0.75, 1])
    group = ET.SubElement(root, "g", {"stroke": one.look.colour, "fill": one.look.colour})
    tooltip(group, f"{one.entry.method.label}: mean {_number(one.mean)} over {len(values)} seeds")
    if len(values) > 1:
        line(group, (across.at(low), y), (across.at(high), y), {"stroke-width": "1.4"})
        box = Box(across.at(first), y - _BOX / 2, across.at(third), y + _BOX / 2)
        rectangle(group, box, {"fill-opacity": "0.2", "stroke-width": "1.4"})
        at = across.at(middle)
        line(group, (at, y - _BOX / 2), (at, y + _BOX / 2), {"stroke-width": "2.4"})
    for value in values:
        style = {"stroke": "none", "fill-opacity": "0.7"}
        draw_shape(group, one.look.shape, across.at(value), y, style)


def _seed_record(one: Sloped, seed: int) -> dict[str, Scalar]:
    return {
        "task": one.entry.task.name,
        "method": one.entry.method.label,
        "seed": seed,
        "slope": one.slopes[seed],
        "selection": one.entry.task.training.get("selection"),
        "official_data": one.entry.task.official,
    }


def _tests(task: PlannedTask, found: Sequence[Sloped]) -> Grid:
    """Each pair, the one with the lower mean first: the paper's hypothesis, whoever it is about."""
    rows = []
    for pair in combinations(found, 2):
        low, high = sorted(pair, key=lambda one: one.mean)
        groups = (low.groups, high.groups) if low.groups and high.groups else None
        rows.append(_test_row(task, low, high, versus(low.slopes, high.slopes, groups)))
    head = ["Mean slopes", "Difference", "t-test", "Welch", "Paired by seed", "Cohen's d",
            "95 % over groups", "Published"]  # fmt: skip
    return Grid(f"Slopes compared on {task.name}", head, rows)


def _test_row(task: PlannedTask, low: Sloped, high: Sloped, made: Versus) -> list[str]:
    a, b = low.entry.method.label, high.entry.method.label
    interval = "–"
    if made.interval:
        interval = f"{_number(made.interval[0])} to {_number(made.interval[1])}"
    return [
        f"{a} ({_number(low.mean)}) below {b} ({_number(high.mean)})",
        _number(made.difference),
        *(_test_words(test) for test in (made.pooled, made.welch, made.paired)),
        "–" if made.effect is None else wording.number(made.effect, 2),
        interval,
        _published(task, a, b),
    ]


def _test_words(test: TTest | None) -> str:
    if test is None:
        return "–"
    degrees = f"{test.degrees:.1f}".rstrip("0").rstrip(".")
    return f"t({degrees}) = {wording.number(test.t, 3)}, p = {test.p:.2g}"


def _published(task: PlannedTask, a: str, b: str) -> str:
    t, p = (comparison(task, a, b, metric) for metric in ("t_statistic", "t_p_value"))
    if t is None or p is None:
        return "–"
    return f"t = {t.value:g}, p = {p.value:g} ({t.source})"


def _number(value: float) -> str:
    return wording.value(value, "")

"""The critical-difference diagram of ranks over tasks (Demšar, 2006, figure 1)."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass

from bench.reports import wording
from bench.reports.boards.over_tasks import OverTasks, Standing
from bench.reports.charts.axes import Axis
from bench.reports.charts.svg import WIDTH, canvas, line, shortened, text, tooltip, written

_LEFT, _RIGHT = 196.0, 564.0
"""Ends of the scale; names stand on both sides of it."""

_LONGEST = 22
"""Characters of a name beside its mean rank."""

_TOP, _BAR, _ROW = 72.0, 9.0, 22.0
"""The scale's height, and the distances of bars and of names below it."""

MOST = 40
"""Methods beyond which the diagram would be a list of names: the table is one already."""


@dataclass(frozen=True)
class _Stem:
    """From a mean rank on the scale down to a name at the side."""

    standing: Standing
    x: float
    y: float
    on_left: bool


def critical_difference_diagram(found: OverTasks, slug: str) -> str | None:
    """The diagram as SVG, or None for more than `MOST` methods.

    The best mean rank stands on the left. A bar joins methods that are not separated; the ruler
    above the scale is as long as the critical difference.

    Args:
        found: ranks over tasks, best first.
        slug: prefix of the ids in the drawing; unique on its page.
    """
    standings = found.standings
    if len(standings) > MOST:
        return None
    scale = _scale(len(standings))
    names_top = _TOP + 18 + _BAR * len(found.groups)
    stems = _stems(standings, scale, names_top)
    height = max(stem.y for stem in stems) + 18
    title = f"Mean ranks over {wording.plural(len(found.tasks), 'task')}: {found.metric.title}"
    root = canvas(slug, height, title, _description(found))
    _draw_ruler(root, found.critical_difference, scale)
    _draw_scale(root, scale)
    for stem in stems:
        _draw_stem(root, stem)
    for level, (first, last) in enumerate(found.groups):
        y = _TOP + 10 + _BAR * level
        ends = scale.at(standings[first].mean_rank) - 4, scale.at(standings[last].mean_rank) + 4
        bar = ET.SubElement(root, "g", {"stroke": "currentColor", "stroke-linecap": "round"})
        tooltip(bar, f"not separated: {_names(standings[first : last + 1])}")
        line(bar, (ends[0], y), (ends[1], y), {"stroke-width": "4"})
    return written(root)


def _scale(k: int) -> Axis:
    ticks = tuple(float(rank) for rank in range(1, k + 1, 1 if k <= 20 else 5))
    return Axis(1.0, float(k), _LEFT, _RIGHT, ticks, 0)


def _stems(standings: Sequence[Standing], scale: Axis, top: float) -> list[_Stem]:
    """The better half to the left, the best on top; the other half to the right, mirrored."""
    half = math.ceil(len(standings) / 2)
    found = []
    for position, standing in enumerate(standings):
        on_left = position < half
        row = position if on_left else len(standings) - 1 - position
        y = top + _ROW * (row + 0.5)
        found.append(_Stem(standing, scale.at(standing.mean_rank), y, on_left))
    return found


def _draw_ruler(root: ET.Element, reach: float, scale: Axis) -> None:
    """The critical difference at its length; beyond the whole scale it is only told."""
    start, end = _LEFT, scale.unbounded(1.0 + reach)
    words = f"critical difference {reach:.2f}"
    if end > WIDTH - 24:
        text(root, start, 22, f"{words}, more than the whole scale")
        return
    ruler = ET.SubElement(root, "g", {"stroke": "currentColor", "stroke-width": "1.6"})
    line(ruler, (start, 30), (end, 30))
    for x in (start, end):
        line(ruler, (x, 26), (x, 34))
    text(root, start, 19, words)


def _draw_scale(root: ET.Element, scale: Axis) -> None:
    group = ET.SubElement(root, "g", {"stroke": "currentColor", "stroke-width": "1.2"})
    line(group, (_LEFT, _TOP), (_RIGHT, _TOP))
    ticks = ET.SubElement(root, "g", {"text-anchor": "middle", "fill-opacity": "0.75"})
    for value, words in zip(scale.ticks, scale.labels, strict=True):
        line(group, (scale.at(value), _TOP - 5), (scale.at(value), _TOP))
        text(ticks, scale.at(value), _TOP - 10, words)
    text(ticks, _LEFT - 12, _TOP + 4, "mean rank", {"text-anchor": "end"})


def _draw_stem(root: ET.Element, stem: _Stem) -> None:
    edge = _LEFT - 10 if stem.on_left else _RIGHT + 10
    group = ET.SubElement(root, "g", {"stroke": "currentColor", "stroke-opacity": "0.55"})
    line(group, (stem.x, _TOP), (stem.x, stem.y))
    line(group, (stem.x, stem.y), (edge, stem.y))
    name = shortened(stem.standing.label, _LONGEST)
    rank = f"{stem.standing.mean_rank:.2f}"
    words = f"{name} {rank}" if stem.on_left else f"{rank} {name}"
    side = {"text-anchor": "end" if stem.on_left else "start"}
    label = ET.SubElement(root, "g")
    if name != stem.standing.label:
        tooltip(label, stem.standing.label)
    text(label, edge - 5 if stem.on_left else edge + 5, stem.y + 4, words, side)


def _description(found: OverTasks) -> str:
    ranks = "; ".join(f"{s.label} {s.mean_rank:.2f}" for s in found.standings)
    groups = [_names(found.standings[first : last + 1]) for first, last in found.groups]
    joined = f"Not separated: {'; '.join(groups)}." if groups else "All are separated."
    reach = f"Critical difference {found.critical_difference:.2f}."
    return f"Mean ranks, 1 is best: {ranks}. {reach} {joined}"


def _names(standings: Sequence[Standing]) -> str:
    return ", ".join(standing.label for standing in standings)

"""The critical-difference diagram of ranks over tasks (Demšar, 2006, figure 1)."""

from __future__ import annotations

import math

from bench.reports import wording
from bench.reports.boards.over_tasks import OverTasks, Standing
from bench.reports.charts import marks
from bench.reports.charts.axes import Axis
from bench.reports.charts.labels import shortened

_WIDTH, _MARGIN = 368.0, 196.0
"""The scale's width, and the room for names on both sides of it."""

_LONGEST = 22
"""Characters of a name beside its mean rank."""

_TOP, _BAR, _ROW = 72.0, 9.0, 22.0
"""The scale's height, and the distances of bars and of names below it."""

MOST = 40
"""Methods beyond which the diagram would be a list of names: the table is one already."""


def critical_difference(ranks: OverTasks) -> marks.Chart | None:
    """The diagram, or None for more than `MOST` methods.

    The best mean rank stands on the left. A bar joins methods that are not separated; the ruler
    above the scale is as long as the critical difference. x are ranks, y the drawing's units from
    its top down.

    Args:
        ranks: over tasks, best first.
    """
    standings = ranks.standings
    count = len(standings)
    if count > MOST:
        return None
    unit = (count - 1) / _WIDTH  # ranks a unit of the drawing
    names_top = _TOP + 18 + _BAR * len(ranks.groups)
    height = names_top + _ROW * (math.ceil(count / 2) - 0.5) + 18
    drawn: list[marks.Mark] = [*_ruler(ranks.critical_difference, unit), *_scale(count)]
    for position, standing in enumerate(standings):
        # The better half to the left, the best on top; the other half to the right, mirrored.
        on_left = position < math.ceil(count / 2)
        row = position if on_left else count - 1 - position
        edge = 1 - 10 * unit if on_left else count + 10 * unit
        drawn += _stem(standing, (edge, names_top + _ROW * (row + 0.5)), on_left=on_left)
    joined = [", ".join(s.label for s in standings[a : b + 1]) for a, b in ranks.groups]
    for level, (ends, names) in enumerate(zip(ranks.groups, joined, strict=True)):
        left, right = (standings[end].mean_rank for end in ends)
        y = _TOP + 10 + _BAR * level
        bar = marks.Stroke([(left - 4 * unit, y), (right + 4 * unit, y)], width=4.0, rounded=True)
        drawn.append(marks.Item([bar], f"not separated: {names}", "currentColor"))
    means = "; ".join(f"{s.label} {s.mean_rank:.2f}" for s in standings)
    separated = f"Not separated: {'; '.join(joined)}." if joined else "All are separated."
    reach = f"Critical difference {ranks.critical_difference:.2f}."
    return marks.Chart(
        title=f"Mean ranks over {wording.plural(len(ranks.tasks), 'task')}: {ranks.metric.title}",
        description=f"Mean ranks, 1 is best: {means}. {reach} {separated}",
        panels=[marks.Panel(Axis(1, count), Axis(height, 0), drawn)],
        layout=marks.Layout((_WIDTH, height), top=0.0, foot=0.0, right=_MARGIN),
    )


def _ruler(reach: float, unit: float) -> list[marks.Mark]:
    """The critical difference at its length; beyond the whole scale there are only words."""
    words = f"critical difference {reach:.2f}"
    if reach > unit * (_WIDTH + _MARGIN - 24):
        return [marks.Label((1, 22), f"{words}, more than the whole scale")]
    line = [marks.Stroke([(1, 30), (1 + reach, 30)], 1.6)]
    line += [marks.Stroke([(end, 26), (end, 34)], 1.6) for end in (1, 1 + reach)]
    return [marks.Item(line, colour="currentColor"), marks.Label((1, 19), words)]


def _scale(count: int) -> list[marks.Mark]:
    ranks = range(1, count + 1, 1 if count <= 20 else 5)
    lines = [marks.Stroke([(1, _TOP), (count, _TOP)], 1.2)]
    lines += [marks.Stroke([(rank, _TOP - 5), (rank, _TOP)], 1.2) for rank in ranks]
    labels = [
        marks.Label((rank, _TOP), str(rank), (0, -10), "middle", faint=True) for rank in ranks
    ]
    title = marks.Label((1, _TOP), "mean rank", (-12, 4), "end", faint=True)
    return [marks.Item(lines, colour="currentColor"), *labels, title]


def _stem(standing: Standing, end: tuple[float, float], *, on_left: bool) -> list[marks.Mark]:
    """A line from a mean rank on the scale down and to the side, and the name at its end."""
    corner = standing.mean_rank, end[1]
    line = marks.Stroke([(standing.mean_rank, _TOP), corner, end], 1.0)
    name, rank = shortened(standing.label, _LONGEST), f"{standing.mean_rank:.2f}"
    words = f"{name} {rank}" if on_left else f"{rank} {name}"
    label = marks.Label(end, words, (-5 if on_left else 5, 4), "end" if on_left else "start")
    tooltip = standing.label if name != standing.label else ""
    return [marks.Item([line], colour="currentColor", opacity=0.55), marks.Item([label], tooltip)]

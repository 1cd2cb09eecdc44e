"""A task's first two ranking metrics against each other."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.reports.boards.leaderboard import Board, Cell, Row
from bench.reports.boards.over_tasks import OverTasks
from bench.reports.charts.axes import Axis, Box, axis
from bench.reports.charts.subject import Conditions, to_csv
from bench.reports.charts.svg import (
    Look,
    Point,
    axis_title,
    canvas,
    ceiling,
    draw_axes,
    draw_names,
    draw_shape,
    draw_warnings,
    draw_whisker,
    line,
    look,
    tooltip,
    written,
)

HEIGHT = 468
_FRAME = Box(64, 24, 744, 412)

NAMED = 3
"""Methods that keep their names in the drawing of a long board; all have them on hovering."""


@dataclass(frozen=True)
class Mark:
    """A method in the plane, in shown units."""

    row: Row
    x: Cell
    y: Cell
    measured: Point
    """Means over seeds."""
    look: Look

    @property
    def label(self) -> str:
        """The method's name, with a word where it takes no part in the ranking."""
        return self.row.method.label + (" (not ranked)" if self.row.method.caveat else "")

    @property
    def published(self) -> Point | None:
        """The paper's point for this very method; a variant does not borrow its base's."""
        x, y = self.x.published, self.y.published
        mine = self.row.method.label
        if x is None or y is None or x.of != mine or y.of != mine:
            return None
        return x.value, y.value


def scatter(board: Board, slug: str, warnings: Sequence[tuple[str, str]] = ()) -> str | None:
    """The figure of a board, or None where fewer than two metrics rank or nothing was measured.

    Args:
        board: the task's methods, best first.
        slug: prefix of the ids in the drawing; unique on its page.
        warnings: words and sentence of what must travel with the figure (selection on test).
    """
    if len(board.ranking) < 2:
        return None
    marks = _marks(board)
    if not marks:
        return None
    horizontal = _axis([m.x for m in marks], _points(marks, 0), (_FRAME.x0, _FRAME.x1))
    vertical = _axis([m.y for m in marks], _points(marks, 1), (_FRAME.y1, _FRAME.y0))
    x, y = board.ranking[:2]
    each = "; ".join(f"{mark.label}: {_words(mark)}" for mark in marks)
    note = " ".join(sentence for _, sentence in warnings)
    description = " ".join(filter(None, (f"Means over seeds with 95 % intervals. {each}.", note)))
    root = canvas(slug, HEIGHT, f"{board.task.name}: {y.title} against {x.title}", description)
    draw_axes(root, _FRAME, horizontal, vertical, (axis_title(x), axis_title(y)))
    draw_warnings(root, _FRAME, warnings)
    named = NAMED if board.is_long else len(marks)
    front = board.pareto
    _draw_front(root, [m for m in marks if m.row.method.label in front], (horizontal, vertical))
    for position, mark in reversed(list(enumerate(marks))):
        _draw_mark(root, mark, position < named, (horizontal, vertical))
    _draw_labels(root, marks, named, horizontal, vertical)
    return written(root)


def _marks(board: Board) -> list[Mark]:
    x, y = (metric.name for metric in board.ranking[:2])
    # Colours follow the name, not the rank: a method keeps its own when others overtake it.
    order = {label: i for i, label in enumerate(sorted(row.method.label for row in board.rows))}
    found = []
    for row in board.rows:
        across, up = row.cells[x], row.cells[y]
        if across.summary and up.summary:
            measured = (across.summary.mean * across.scale, up.summary.mean * up.scale)
            found.append(Mark(row, across, up, measured, look(order[row.method.label])))
    return found


def _points(marks: Sequence[Mark], coordinate: int) -> list[float]:
    points = [point for mark in marks for point in (mark.measured, mark.published) if point]
    return [point[coordinate] for point in points]


def _axis(cells: Sequence[Cell], centres: Sequence[float], ends: Point) -> Axis:
    intervals = [span for cell in cells if (span := cell.interval)]
    return axis(centres, intervals, ends, ceiling(cells[0].metric))


def _words(mark: Mark) -> str:
    parts = [f"{cell.metric.title} {cell.words}" for cell in (mark.x, mark.y)]
    if mark.published:
        x, y = mark.published
        parts.append(f"published {x:g} and {y:g}")
    return ", ".join(parts)


def _draw_front(root: ET.Element, front: Sequence[Mark], axes: tuple[Axis, Axis]) -> None:
    """Steps that bound what the Pareto front beats; nothing for a front of one."""
    if len(front) < 2:
        return
    ordered = sorted(mark.measured for mark in front)
    corners = [ordered[0]]
    for (x0, y0), (x1, y1) in pairwise(ordered):
        corners += [(x1, y0) if front[0].x.metric.better == "lower" else (x0, y1), (x1, y1)]
    style = {"stroke": "currentColor", "stroke-opacity": "0.45", "stroke-width": "1.6",
             "stroke-dasharray": "1 4", "stroke-linecap": "round"}  # fmt: skip
    group = ET.SubElement(root, "g", style)
    tooltip(group, f"Pareto front by means: {', '.join(mark.label for mark in front)}")
    drawn = [(axes[0].at(x), axes[1].at(y)) for x, y in corners]
    for start, end in pairwise(drawn):
        line(group, start, end)


def _draw_mark(root: ET.Element, mark: Mark, named: bool, axes: tuple[Axis, Axis]) -> None:
    horizontal, vertical = axes
    x, y = horizontal.at(mark.measured[0]), vertical.at(mark.measured[1])
    group = ET.SubElement(root, "g", {"stroke": mark.look.colour, "fill": mark.look.colour})
    tooltip(group, f"{mark.label}: {_words(mark)}")
    if mark.published:
        px, py = horizontal.at(mark.published[0]), vertical.at(mark.published[1])
        line(group, (x, y), (px, py), {"stroke-dasharray": "2 3", "stroke-opacity": "0.8"})
        draw_shape(group, mark.look.shape, px, py, {"fill": "none", "stroke-width": "1.6"})
    whiskers = group if named else ET.SubElement(group, "g", {"stroke-opacity": "0.3"})
    draw_whisker(whiskers, mark.x.interval, horizontal, y, upright=False)
    draw_whisker(whiskers, mark.y.interval, vertical, x, upright=True)
    draw_shape(group, mark.look.shape, x, y, {"stroke": "none"})


def _draw_labels(
    root: ET.Element, marks: Sequence[Mark], named: int, horizontal: Axis, vertical: Axis
) -> None:
    anchors = [(horizontal.at(m.measured[0]), vertical.at(m.measured[1])) for m in marks]
    hollow = [m.published for m in marks if m.published]
    centres = [*anchors, *((horizontal.at(x), vertical.at(y)) for x, y in hollow)]
    taken = [Box(x - 6, y - 6, x + 6, y + 6) for x, y in centres]
    for mark, (x, y) in zip(marks, anchors, strict=True):
        if span := mark.x.interval:
            taken.append(Box(horizontal.at(span[0]), y - 1, horizontal.at(span[1]), y + 1))
        if span := mark.y.interval:
            taken.append(Box(x - 1, vertical.at(span[1]), x + 1, vertical.at(span[0])))
    draw_names(root, [(m.label, m.look.colour) for m in marks[:named]], anchors, taken, _FRAME)


def board_csv(board: Board) -> str:
    """A line a method and ranking metric, in shown units; a one-seed interval is empty."""
    lines: list[Conditions] = []
    for row in board.rows:
        for metric in board.ranking:
            cell = row.cells[metric.name]
            low, high = cell.interval or (None, None)
            lines.append(
                {
                    "task": board.task.name,
                    "method": row.method.label,
                    "ranked": row.method.caveat is None,
                    "rank": row.place.rank if row.place else None,
                    "metric": metric.name,
                    "unit": metric.unit,
                    "better": metric.better,
                    "seeds": cell.summary.n if cell.summary else 0,
                    "mean": cell.shown,
                    "low": low,
                    "high": high,
                    "published": cell.published.value if cell.published else None,
                    "published_for": cell.published.of if cell.published else None,
                    "source": cell.published.source if cell.published else None,
                }
            )
    return to_csv(lines)


def ranks_csv(found: OverTasks) -> str:
    """A line a method, best mean rank first, with the critical difference and Friedman's p."""
    lines: list[Conditions] = [
        {
            "metric": found.metric.name,
            "tasks": len(found.tasks),
            "method": standing.label,
            "mean_rank": standing.mean_rank,
            "tasks_won": standing.won,
            "p_against_best": standing.p_best,
            "critical_difference": found.critical_difference,
            "p_friedman": found.friedman.p,
        }
        for standing in found.standings
    ]
    return to_csv(lines)

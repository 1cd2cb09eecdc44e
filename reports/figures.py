"""A task's two ranking metrics against each other, as SVG that needs nothing else."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.result import MetricInfo
from reports import wording
from reports.axes import Axis, Box, axis, place_labels
from reports.leaderboard import Board, Cell, Row

WIDTH, HEIGHT = 760, 468
_FRAME = Box(64, 24, 744, 412)

PALETTE = ("#0072b2", "#d55e00", "#00875f", "#b8578f", "#6f6f6f")
"""After Okabe & Ito (2008), darkened where needed: 3:1 or more on white and on near-black."""

SHAPES = ("circle", "square", "triangle", "diamond")

_STANDALONE_STYLE = (
    "svg{background:#fff;color:#1d2127}text{paint-order:stroke;stroke:#fff;stroke-width:3px}"
    "@media(prefers-color-scheme:dark){svg{background:#14171b;color:#e6e8eb}text{stroke:#14171b}}"
)

Point = tuple[float, float]


@dataclass(frozen=True)
class Mark:
    """A method in the plane, in shown units."""

    label: str
    x: Cell
    y: Cell
    measured: Point
    """Means over seeds."""
    colour: str
    shape: str

    @property
    def published(self) -> Point | None:
        """The paper's point for this very method; a variant does not borrow its base's."""
        x, y = self.x.published, self.y.published
        if x is None or y is None or x.of != self.label or y.of != self.label:
            return None
        return x.value, y.value


def scatter(board: Board, slug: str, warnings: Sequence[tuple[str, str]] = ()) -> str | None:
    """The figure of a board, or None where fewer than two metrics rank or nothing was measured.

    Args:
        board: the task's methods, in any order.
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
    root = _root(board, marks, slug, " ".join(sentence for _, sentence in warnings))
    _draw_axes(root, board, horizontal, vertical)
    if warnings:
        corner = {"text-anchor": "end", "font-weight": "600"}
        _text(root, _FRAME.x1, _FRAME.y0 - 8, "; ".join(words for words, _ in warnings), corner)
    for mark in marks:
        _draw_mark(root, mark, horizontal, vertical)
    _draw_labels(root, marks, horizontal, vertical)
    return ET.tostring(root, encoding="unicode")


def standalone(svg: str) -> str:
    """The figure as a file of its own, with a ground to stand on in light and dark viewers."""
    head, _, rest = svg.partition(">")
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{head}><style>{_STANDALONE_STYLE}</style>{rest}\n'
    )


def _marks(board: Board) -> list[Mark]:
    x, y = (metric.name for metric in board.ranking[:2])
    # Colours follow the name, not the rank: a method keeps its own when others overtake it.
    order = sorted(row.method.label for row in board.rows)

    return [mark for row in board.rows if (mark := _mark(row, x, y, order))]


def _mark(row: Row, x: str, y: str, order: Sequence[str]) -> Mark | None:
    across, up = row.cells[x], row.cells[y]
    if across.summary is None or up.summary is None:
        return None
    measured = (across.summary.mean * across.scale, up.summary.mean * up.scale)
    i = order.index(row.method.label)
    colour, shape = PALETTE[i % len(PALETTE)], SHAPES[i % len(SHAPES)]
    return Mark(row.method.label, across, up, measured, colour, shape)


def _points(marks: Sequence[Mark], coordinate: int) -> list[float]:
    points = [point for mark in marks for point in (mark.measured, mark.published) if point]
    return [point[coordinate] for point in points]


def _axis(cells: Sequence[Cell], centres: Sequence[float], ends: Point) -> Axis:
    intervals = [span for cell in cells if (span := _interval(cell))]
    ceiling = 100.0 if cells[0].metric.unit == "%" else math.inf
    return axis(centres, intervals, ends, ceiling)


def _interval(cell: Cell) -> tuple[float, float] | None:
    if cell.summary is None or cell.summary.half_width is None:
        return None
    low = cell.summary.mean - cell.summary.half_width
    high = cell.summary.mean + cell.summary.half_width
    return low * cell.scale, high * cell.scale


def _root(board: Board, marks: Sequence[Mark], slug: str, note: str) -> ET.Element:
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {WIDTH} {HEIGHT}",
            "role": "img",
            "aria-labelledby": f"{slug}-figure-title {slug}-figure-desc",
            "font-family": "system-ui, sans-serif",
            "font-size": "12",
            "fill": "currentColor",
        },
    )
    x, y = board.ranking[:2]
    title = ET.SubElement(root, "title", {"id": f"{slug}-figure-title"})
    title.text = f"{board.task.name}: {y.title} against {x.title}"
    desc = ET.SubElement(root, "desc", {"id": f"{slug}-figure-desc"})
    each = "; ".join(f"{mark.label}: {_words(mark)}" for mark in marks)
    desc.text = " ".join(filter(None, (f"Means over seeds with 95 % intervals. {each}.", note)))
    return root


def _words(mark: Mark) -> str:
    parts = [f"{cell.metric.title} {_with_interval(cell)}" for cell in (mark.x, mark.y)]
    if mark.published:
        x, y = mark.published
        parts.append(f"published {x:g} and {y:g}")
    return ", ".join(parts)


def _with_interval(cell: Cell) -> str:
    if cell.summary is None:
        return "n/a"
    mean = wording.mean(cell.summary, cell.metric.unit)
    half = wording.half_width(cell.summary, cell.metric.unit)
    unit = f" {cell.metric.unit}" if cell.metric.unit else ""
    return f"{mean} ± {half}{unit}" if half else f"{mean}{unit}"


def axis_title(metric: MetricInfo) -> str:
    """Name, unit and direction: "Odds, % (lower is better)"."""
    unit = f", {metric.unit}" if metric.unit else ""
    direction = f" ({metric.better} is better)" if metric.better else ""
    return f"{metric.title}{unit}{direction}"


def _draw_axes(root: ET.Element, board: Board, horizontal: Axis, vertical: Axis) -> None:
    grid = ET.SubElement(root, "g", {"stroke": "currentColor", "stroke-opacity": "0.14"})
    ticks = ET.SubElement(root, "g", {"fill-opacity": "0.75", "text-anchor": "middle"})
    for value in horizontal.ticks:
        x = horizontal.at(value)
        _line(grid, (x, _FRAME.y0), (x, _FRAME.y1))
        _text(ticks, x, _FRAME.y1 + 18, wording.number(value, horizontal.decimals))
    for value in vertical.ticks:
        y = vertical.at(value)
        _line(grid, (_FRAME.x0, y), (_FRAME.x1, y))
        text = wording.number(value, vertical.decimals)
        _text(ticks, _FRAME.x0 - 8, y + 4, text, {"text-anchor": "end"})
    x_metric, y_metric = board.ranking[:2]
    titles = ET.SubElement(root, "g", {"text-anchor": "middle", "font-size": "13"})
    _text(titles, (_FRAME.x0 + _FRAME.x1) / 2, HEIGHT - 14, axis_title(x_metric))
    middle = (_FRAME.y0 + _FRAME.y1) / 2
    turn = {"transform": f"rotate(-90 16 {_n(middle)})"}
    _text(titles, 16, middle, axis_title(y_metric), turn)


def _draw_mark(root: ET.Element, mark: Mark, horizontal: Axis, vertical: Axis) -> None:
    x, y = horizontal.at(mark.measured[0]), vertical.at(mark.measured[1])
    group = ET.SubElement(root, "g", {"stroke": mark.colour, "fill": mark.colour})
    ET.SubElement(group, "title").text = f"{mark.label}: {_words(mark)}"
    if mark.published:
        px, py = horizontal.at(mark.published[0]), vertical.at(mark.published[1])
        dashed = {"stroke-dasharray": "2 3", "stroke-opacity": "0.8"}
        _line(group, (x, y), (px, py), dashed)
        _shape(group, mark.shape, px, py, {"fill": "none", "stroke-width": "1.6"})
    _whisker(group, mark.x, horizontal, y, upright=False)
    _whisker(group, mark.y, vertical, x, upright=True)
    _shape(group, mark.shape, x, y, {"stroke": "none"})


def _whisker(group: ET.Element, cell: Cell, along: Axis, across: float, *, upright: bool) -> None:
    interval = _interval(cell)
    if interval is None:
        return
    style = {"stroke-width": "1.4"}

    def point(at: float, aside: float) -> Point:
        return (across + aside, at) if upright else (at, across + aside)

    a, b = along.at(interval[0]), along.at(interval[1])
    _line(group, point(a, 0), point(b, 0), style)
    for value, at in zip(interval, (a, b), strict=True):
        # An interval cut off by the frame has no cap there: it goes on.
        if along.holds(value):
            _line(group, point(at, -3), point(at, 3), style)


def _draw_labels(root: ET.Element, marks: Sequence[Mark], horizontal: Axis, vertical: Axis) -> None:
    anchors = [(horizontal.at(m.measured[0]), vertical.at(m.measured[1])) for m in marks]
    hollow = [m.published for m in marks if m.published]
    centres = [*anchors, *((horizontal.at(x), vertical.at(y)) for x, y in hollow)]
    taken = [Box(x - 6, y - 6, x + 6, y + 6) for x, y in centres]
    for mark, (x, y) in zip(marks, anchors, strict=True):
        if span := _interval(mark.x):
            taken.append(Box(horizontal.at(span[0]), y - 1, horizontal.at(span[1]), y + 1))
        if span := _interval(mark.y):
            taken.append(Box(x - 1, vertical.at(span[1]), x + 1, vertical.at(span[0])))
    boxes = place_labels([mark.label for mark in marks], anchors, taken, _FRAME)
    group = ET.SubElement(root, "g", {"text-anchor": "middle"})
    for mark, (x, y), box in zip(marks, anchors, boxes, strict=True):
        near_x, near_y = min(max(x, box.x0), box.x1), min(max(y, box.y0), box.y1)
        if (near_x - x) ** 2 + (near_y - y) ** 2 > 16**2:
            _line(group, (x, y), (near_x, near_y), {"stroke": mark.colour, "stroke-opacity": "0.6"})
        _text(group, (box.x0 + box.x1) / 2, box.y1 - 3, mark.label)


def _shape(group: ET.Element, shape: str, x: float, y: float, style: dict[str, str]) -> None:
    if shape == "circle":
        ET.SubElement(group, "circle", {"cx": _n(x), "cy": _n(y), "r": "5", **style})
        return
    corners = {
        "square": ((-4.5, -4.5), (4.5, -4.5), (4.5, 4.5), (-4.5, 4.5)),
        "triangle": ((0, -5.8), (5.6, 4.2), (-5.6, 4.2)),
        "diamond": ((0, -6.2), (6.2, 0), (0, 6.2), (-6.2, 0)),
    }[shape]
    points = " ".join(f"{_n(x + dx)},{_n(y + dy)}" for dx, dy in corners)
    ET.SubElement(group, "polygon", {"points": points, **style})


def _line(group: ET.Element, start: Point, end: Point, style: dict[str, str] | None = None) -> None:
    ends = {"x1": _n(start[0]), "y1": _n(start[1]), "x2": _n(end[0]), "y2": _n(end[1])}
    ET.SubElement(group, "line", {**ends, **(style or {})})


def _text(
    group: ET.Element, x: float, y: float, text: str, style: dict[str, str] | None = None
) -> None:
    ET.SubElement(group, "text", {"x": _n(x), "y": _n(y), **(style or {})}).text = text


def _n(value: float) -> str:
    """Two digits after the point are finer than a pixel, and stable from machine to machine."""
    return f"{value + 0.0:.2f}".rstrip("0").rstrip(".")

"""Marks, axes and text as SVG that needs nothing else: what all drawings of the pages share."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass

from bench.reports.charts.axes import Axis, Box, place_labels
from bench.result import MetricInfo

WIDTH = 760
"""Of every drawing, in its own units; a unit is about a pixel on a wide screen."""

PALETTE = ("#0072b2", "#d55e00", "#00875f", "#b8578f", "#6f6f6f")
"""After Okabe & Ito (2008), darkened where needed: 3:1 or more on white and on near-black."""

SHAPES = ("circle", "square", "triangle", "diamond")

DASHES = ("", "7 4", "2 3")
"""Lines beyond the twentieth, where colours and shapes begin again, are told apart by these."""

_STANDALONE_STYLE = (
    "svg{background:#fff;color:#1d2127}text{paint-order:stroke;stroke:#fff;stroke-width:3px}"
    "@media(prefers-color-scheme:dark){svg{background:#14171b;color:#e6e8eb}text{stroke:#14171b}}"
    "text.on-colour{stroke:none}"
)

CHARACTER = 6.2
"""A character's mean width at 12 units of type; a little generous."""

_LONGEST_NAME = 112
"""Characters that fit beside a mark in the width of a drawing."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Look:
    """How the marks of one entry look: never by colour alone."""

    colour: str
    shape: str
    dash: str


def look(index: int) -> Look:
    """The look of the n-th entry; twenty differ in colour or shape, the next in their dashes."""
    lap = index // (len(PALETTE) * len(SHAPES))
    colour, shape = PALETTE[index % len(PALETTE)], SHAPES[index % len(SHAPES)]
    return Look(colour, shape, DASHES[lap % len(DASHES)])


def canvas(slug: str, height: float, title: str, description: str) -> ET.Element:
    """An empty drawing with its title and description for those who do not see it.

    Args:
        slug: prefix of the ids in the drawing; unique on its page.
        height: of the drawing; its width is `WIDTH`.
        title: what a screen reader says first.
        description: the numbers in words.
    """
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {WIDTH} {digits(height)}",
            "role": "img",
            "aria-labelledby": f"{slug}-figure-title {slug}-figure-desc",
            "font-family": "system-ui, sans-serif",
            "font-size": "12",
            "fill": "currentColor",
        },
    )
    ET.SubElement(root, "title", {"id": f"{slug}-figure-title"}).text = clean(title)
    ET.SubElement(root, "desc", {"id": f"{slug}-figure-desc"}).text = clean(description)
    return root


def written(root: ET.Element) -> str:
    """The drawing as text."""
    return ET.tostring(root, encoding="unicode")


def standalone(svg: str) -> str:
    """The figure as a file of its own, with a ground to stand on in light and dark viewers."""
    head, _, rest = svg.partition(">")
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{head}><style>{_STANDALONE_STYLE}</style>{rest}\n'
    )


def axis_title(metric: MetricInfo) -> str:
    """Name, unit and direction: "Odds, % (lower is better)"."""
    direction = f" ({metric.better} is better)" if metric.better else ""
    return f"{with_unit(metric)}{direction}"


def with_unit(metric: MetricInfo) -> str:
    """Name and unit: "Odds, %"."""
    return f"{metric.title}, {metric.unit}" if metric.unit else metric.title


def frames(count: int, top: float, size: Point, gap: Point, columns: int = 2) -> list[Box]:
    """Panels side by side, `columns` in a row, each with room for its axis on the left."""
    found = []
    for index in range(count):
        row, column = divmod(index, columns)
        x = WIDTH - columns * size[0] - (columns - 1) * gap[0] - 16 + column * (size[0] + gap[0])
        y = top + row * (size[1] + gap[1])
        found.append(Box(x, y, x + size[0], y + size[1]))
    return found


def draw_axes(
    root: ET.Element, frame: Box, across: Axis, up: Axis, titles: tuple[str, str]
) -> None:
    """Grid, tick labels, and the titles below and on the left."""
    grid = ET.SubElement(root, "g", {"stroke": "currentColor", "stroke-opacity": "0.14"})
    ticks = ET.SubElement(root, "g", {"fill-opacity": "0.75", "text-anchor": "middle"})
    for value, words in zip(across.ticks, across.labels, strict=True):
        x = across.at(value)
        line(grid, (x, frame.y0), (x, frame.y1))
        text(ticks, x, frame.y1 + 18, words)
    for value, words in zip(up.ticks, up.labels, strict=True):
        y = up.at(value)
        line(grid, (frame.x0, y), (frame.x1, y))
        text(ticks, frame.x0 - 8, y + 4, words, {"text-anchor": "end"})
    draw_titles(root, frame, *titles)


def draw_titles(root: ET.Element, frame: Box, below: str, left: str, depth: float = 42) -> None:
    """The titles of both axes, `depth` below the frame and in its left margin."""
    group = ET.SubElement(root, "g", {"text-anchor": "middle", "font-size": "13"})
    text(group, (frame.x0 + frame.x1) / 2, frame.y1 + depth, below)
    x, y = frame.x0 - 48, (frame.y0 + frame.y1) / 2
    text(group, x, y, left, {"transform": f"rotate(-90 {digits(x)} {digits(y)})"})


def draw_warnings(root: ET.Element, frame: Box, warnings: Sequence[tuple[str, str]]) -> None:
    """What must travel with the figure (selection on test), above its upper right corner."""
    if warnings:
        corner = {"text-anchor": "end", "font-weight": "600"}
        told = "; ".join(words for words, _ in warnings)
        text(root, frame.x1, frame.y0 - 8, f"\N{WARNING SIGN} {told}", corner)


def draw_key(root: ET.Element, entries: Sequence[tuple[str, Look]], top: float) -> float:
    """Names of the marks in rows; returns where the rows end."""
    x, y = 16.0, top
    group = ET.SubElement(root, "g")
    for whole, style in entries:
        name = shortened(whole, _LONGEST_NAME)
        width = 30 + CHARACTER * len(name)
        if x > 16 and x + width > WIDTH - 16:
            x, y = 16.0, y + 20
        mark = ET.SubElement(group, "g", {"stroke": style.colour, "fill": style.colour})
        line(mark, (x, y), (x + 22, y), {"stroke-width": "2", **dashed(style.dash)})
        draw_shape(mark, style.shape, x + 11, y, {"stroke": "none"})
        text(group, x + 28, y + 4, name)
        x += width + 22
    return y + 20 if entries else top


def draw_whisker(
    group: ET.Element, span: Point | None, along: Axis, across: float, *, upright: bool
) -> None:
    """An interval with caps; one that the frame cuts off has no cap there: it goes on."""
    if span is None:
        return
    style = {"stroke-width": "1.4"}

    def point(at: float, aside: float) -> Point:
        return (across + aside, at) if upright else (at, across + aside)

    ends = along.at(span[0]), along.at(span[1])
    line(group, point(ends[0], 0), point(ends[1], 0), style)
    for value, at in zip(span, ends, strict=True):
        if along.holds(value):
            line(group, point(at, -3), point(at, 3), style)


def draw_names(
    root: ET.Element,
    names: Sequence[tuple[str, str]],
    anchors: Sequence[Point],
    taken: Sequence[Box],
    frame: Box,
) -> None:
    """Names (each with its colour) near their marks, and a line to those that stand far off."""
    near = anchors[: len(names)]
    boxes = place_labels([name for name, _ in names], near, taken, frame)
    group = ET.SubElement(root, "g", {"text-anchor": "middle"})
    for (name, colour), (x, y), box in zip(names, near, boxes, strict=True):
        near_x, near_y = min(max(x, box.x0), box.x1), min(max(y, box.y0), box.y1)
        if (near_x - x) ** 2 + (near_y - y) ** 2 > 16**2:
            line(group, (x, y), (near_x, near_y), {"stroke": colour, "stroke-opacity": "0.6"})
        text(group, (box.x0 + box.x1) / 2, box.y1 - 3, name)


def draw_shape(group: ET.Element, shape: str, x: float, y: float, style: dict[str, str]) -> None:
    """A mark around a point; "" is none."""
    if not shape:
        return
    if shape == "circle":
        ET.SubElement(group, "circle", {"cx": digits(x), "cy": digits(y), "r": "5", **style})
        return
    corners = {
        "square": ((-4.5, -4.5), (4.5, -4.5), (4.5, 4.5), (-4.5, 4.5)),
        "triangle": ((0, -5.8), (5.6, 4.2), (-5.6, 4.2)),
        "diamond": ((0, -6.2), (6.2, 0), (0, 6.2), (-6.2, 0)),
    }[shape]
    points = path([(x + dx, y + dy) for dx, dy in corners])
    ET.SubElement(group, "polygon", {"points": points, **style})


def line(group: ET.Element, start: Point, end: Point, style: dict[str, str] | None = None) -> None:
    """A straight line."""
    ends = {"x1": start[0], "y1": start[1], "x2": end[0], "y2": end[1]}
    ET.SubElement(group, "line", {**{k: digits(v) for k, v in ends.items()}, **(style or {})})


def rectangle(group: ET.Element, box: Box, style: dict[str, str]) -> ET.Element:
    """An upright rectangle."""
    sides = {"x": box.x0, "y": box.y0, "width": box.x1 - box.x0, "height": box.y1 - box.y0}
    return ET.SubElement(group, "rect", {**{k: digits(v) for k, v in sides.items()}, **style})


def text(
    group: ET.Element, x: float, y: float, words: str, style: dict[str, str] | None = None
) -> None:
    """Words at a point; their escaping is the serialiser's business."""
    place = {"x": digits(x), "y": digits(y)}
    ET.SubElement(group, "text", {**place, **(style or {})}).text = clean(words)


def tooltip(group: ET.Element, words: str) -> None:
    """What a pointer at rest is told."""
    ET.SubElement(group, "title").text = clean(words)


def path(points: Sequence[Point]) -> str:
    """Points as SVG writes them."""
    return " ".join(f"{digits(x)},{digits(y)}" for x, y in points)


def dashed(pattern: str) -> dict[str, str]:
    """The attribute of a dash pattern; nothing for a solid line."""
    return {"stroke-dasharray": pattern} if pattern else {}


def digits(value: float) -> str:
    """Two digits after the point are finer than a pixel, and stable from machine to machine."""
    return f"{value + 0.0:.2f}".rstrip("0").rstrip(".")


def shortened(words: str, most: int) -> str:
    """Words cut off where there is no room for more."""
    return words if len(words) <= most else f"{words[: most - 1]}…"


def clean(words: str) -> str:
    """Words without the control characters that XML has no way to write."""
    return "".join(c for c in words if c in "\t\n" or (ord(c) >= 32 and not _is_unwritable(c)))


def _is_unwritable(character: str) -> bool:
    return "\ud800" <= character <= "\udfff" or character in "\ufffe\uffff"


def ceiling(metric: MetricInfo) -> float:
    """Where an axis of the metric ends: rates do not go beyond 100 %."""
    return 100.0 if metric.unit == "%" else math.inf

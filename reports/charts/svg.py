"""The one renderer: any chart as SVG that needs no style sheet, script or font of its own.

Colours of words and grid are those of the page around it, so that dark mode needs nothing else.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import singledispatchmethod
from typing import Any

from markupsafe import Markup

from bench.outside.words import for_xml
from bench.reports.charts import marks
from bench.reports.charts.colours import Style, ink
from bench.reports.charts.labels import Box, place_labels, shortened

WIDTH = 760
"""Of every drawing, in its own units; a unit is about a pixel on a wide screen."""

_STANDALONE_STYLE = (
    "svg{background:#fff;color:#1d2127}text{paint-order:stroke;stroke:#fff;stroke-width:3px}"
    "@media(prefers-color-scheme:dark){svg{background:#14171b;color:#e6e8eb}text{stroke:#14171b}}"
    "text.on-colour{stroke:none}"
)

_CHARACTER = 6.2
"""A character's mean width at 12 units of type; a little generous."""

_LONGEST_NAME = 112
"""Characters that fit beside a mark in the width of a drawing."""

_CORNERS = {
    "square": ((-4.5, -4.5), (4.5, -4.5), (4.5, 4.5), (-4.5, 4.5)),
    "triangle": ((0, -5.8), (5.6, 4.2), (-5.6, 4.2)),
    "diamond": ((0, -6.2), (6.2, 0), (0, 6.2), (-6.2, 0)),
}


def draw(chart: marks.Chart, slug: str) -> Markup:
    """The chart as an SVG element; the XML serialiser escapes all words in it.

    Args:
        chart: what to draw.
        slug: prefix of the ids in the drawing; unique on its page.
    """
    names = f"{slug}-figure-title", f"{slug}-figure-desc"
    root = ET.Element("svg", {"xmlns": "http://www.w3.org/2000/svg"})
    _set(root, role="img", aria_labelledby=" ".join(names), font_family="system-ui, sans-serif",
         font_size=12, fill="currentColor")  # fmt: skip
    _add(root, "title", chart.title, id=names[0])
    _add(root, "desc", chart.description, id=names[1])
    layout = chart.layout
    top = _draw_legend(root, chart.legend) + 14 if chart.legend else layout.top
    if chart.warnings:
        words = f"\N{WARNING SIGN} {'; '.join(words for words, _ in chart.warnings)}"
        at = WIDTH - 16, top - 8 if chart.legend else 16
        _text(root, at, words, text_anchor="end", font_weight="600")
    boxes = _boxes(layout, len(chart.panels), top)
    for number, (panel, box) in enumerate(zip(chart.panels, boxes, strict=True)):
        ids = f"{slug}-frame-{number}", f"{slug}-hatching-{number}"
        _Frame(panel, box, *ids).draw(root, layout.tick_size)
    _set(root, viewBox=f"0 0 {WIDTH} {digits(boxes[-1].y1 + layout.foot)}")
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704


def standalone(svg: str) -> str:
    """The drawing as a file of its own, with a ground to stand on in light and dark viewers."""
    head, _, rest = svg.partition(">")
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{head}><style>{_STANDALONE_STYLE}</style>{rest}\n'
    )


def _boxes(layout: marks.Layout, count: int, top: float) -> list[Box]:
    """Places of panels side by side; each has room for the labels of its axis on the left."""
    (width, height), columns = layout.size, layout.columns
    pitch = math.ceil((WIDTH - 24) / columns)
    left = WIDTH - layout.right - width - (columns - 1) * pitch
    corners = ((left + n % columns * pitch, top + n // columns * (height + layout.gap))
               for n in range(count))  # fmt: skip
    return [Box(x, y, x + width, y + height) for x, y in corners]


def _draw_legend(root: ET.Element, entries: Sequence[tuple[str, Style]]) -> float:
    """Names with their marks in rows; returns where the rows end."""
    x, y = 16.0, 16.0
    group = _add(root, "g")
    for whole, style in entries:
        name = shortened(whole, _LONGEST_NAME)
        width = 30 + _CHARACTER * len(name)
        if x > 16 and x + width > WIDTH - 16:
            x, y = 16.0, y + 20
        mark = _add(group, "g", stroke=style.colour, fill=style.colour)
        _line(mark, (x, y), (x + 22, y), stroke_width=2, stroke_dasharray=style.dash)
        _draw_symbol(mark, (x + 11, y), marks.Symbol((0, 0), style.shape))
        _text(group, (x + 28, y + 4), name)
        x += width + 22
    return y + 20


@dataclass(frozen=True)
class _Frame:
    """A panel at its place in a drawing."""

    panel: marks.Panel
    box: Box
    clip: str
    hatching: str
    """Ids of the box as a clipping path, and of the pattern of missing cells."""

    def at(self, point: marks.Point) -> marks.Point:
        """The place of a point of the panel in the drawing."""
        box, (x, y) = self.box, point
        return (
            box.x0 + self.panel.x.share(x) * (box.x1 - box.x0),
            box.y1 + self.panel.y.share(y) * (box.y0 - box.y1),
        )

    def draw(self, root: ET.Element, tick_size: float | None) -> None:
        """Draw axes, marks and callouts."""
        self.draw_axes(root, tick_size)
        drawn = list(_inside(self.panel.marks))
        if any(isinstance(mark, marks.Band) or getattr(mark, "clipped", False) for mark in drawn):
            _rectangle(_add(root, "clipPath", id=self.clip), self.box)
        if any(isinstance(mark, marks.Tile) and mark.colour is None for mark in drawn):
            pattern = _add(root, "pattern", id=self.hatching, width=6, height=6)
            _set(pattern, patternUnits="userSpaceOnUse", patternTransform="rotate(45)")
            _line(pattern, (0, 0), (0, 6), stroke="currentColor", stroke_opacity=0.45)
        for mark in self.panel.marks:
            self.mark(mark, root)
        self.draw_callouts(root, drawn)
        if self.panel.bar:
            self.draw_bar(root, self.panel.bar)

    def draw_axes(self, root: ET.Element, tick_size: float | None) -> None:
        """Draw grid, labels at the ticks, and the titles below and on the left."""
        box, (x, y) = self.box, (self.panel.x, self.panel.y)
        grid = _add(root, "g", stroke="currentColor", stroke_opacity=0.14)
        ticks = _add(root, "g", fill_opacity=0.75, text_anchor="middle", font_size=tick_size)
        for value, words in zip(x.ticks, x.labels, strict=True):
            at, _ = self.at((value, y.low))
            if x.grid:
                _line(grid, (at, box.y0), (at, box.y1))
            _text(ticks, (at, box.y1 + 18), words)
        for value, words in zip(y.ticks, y.labels, strict=True):
            _, at = self.at((x.low, value))
            if y.grid:
                _line(grid, (box.x0, at), (box.x1, at))
            _text(ticks, (box.x0 - 8, at + 4), words, text_anchor="end")
        titles = _add(root, "g", text_anchor="middle", font_size=13)
        middle = box.middle
        if x.title:
            _text(titles, (middle[0], box.y1 + 42), x.title)
        if y.title:
            place = box.x0 - 48, middle[1]
            turn = f"rotate(-90 {digits(place[0])} {digits(place[1])})"
            _text(titles, place, y.title, transform=turn)

    @singledispatchmethod
    def mark(self, mark: marks.Mark, parent: ET.Element) -> None:
        """Draw a mark, and the marks within it; callouts come later."""

    @mark.register
    def _(self, mark: marks.Item, parent: ET.Element) -> None:
        group = _add(parent, "g", stroke=mark.colour, fill=mark.colour, opacity=mark.opacity)
        if mark.words:
            _add(group, "title", mark.words)
        for inner in mark.marks:
            self.mark(inner, group)

    @mark.register
    def _(self, mark: marks.Stroke, parent: ET.Element) -> None:
        # A tenth of a pixel will do: long curves are most of a page's bytes.
        points = _path([self.at(point) for point in mark.points], places=1)
        _add(parent, "polyline", points=points, fill="none", stroke_width=mark.width,
             stroke_linejoin="round", stroke_dasharray=mark.dash,
             stroke_linecap="round" if mark.rounded else "",
             clip_path=f"url(#{self.clip})" if mark.clipped else "")  # fmt: skip

    @mark.register
    def _(self, mark: marks.Band, parent: ET.Element) -> None:
        upper = [self.at((x, high)) for x, _, high in mark.points]
        lower = [self.at((x, low)) for x, low, _ in reversed(mark.points)]
        _add(parent, "polygon", points=_path([*upper, *lower], places=1), stroke="none",
             fill_opacity=mark.opacity, clip_path=f"url(#{self.clip})")  # fmt: skip

    @mark.register
    def _(self, mark: marks.Symbol, parent: ET.Element) -> None:
        _draw_symbol(parent, self.at(mark.at), mark)

    @mark.register
    def _(self, mark: marks.Whisker, parent: ET.Element) -> None:
        if mark.span is None:
            return
        ends = self.ends(mark)
        _line(parent, *ends, stroke_width=1.4)
        axis, dx, dy = (self.panel.y, 3, 0) if mark.upright else (self.panel.x, 0, 3)
        for value, (x, y) in zip(mark.span, ends, strict=True):
            if axis.clipped(value) == value:
                _line(parent, (x - dx, y - dy), (x + dx, y + dy), stroke_width=1.4)

    def ends(self, mark: marks.Whisker) -> list[marks.Point]:
        """Both ends of a whisker in the drawing, or of what the frame leaves of it."""
        if mark.upright:
            return [self.at((mark.at[0], self.panel.y.clipped(v))) for v in mark.span or ()]
        return [self.at((self.panel.x.clipped(v), mark.at[1])) for v in mark.span or ()]

    @mark.register
    def _(self, mark: marks.Tile, parent: ET.Element) -> None:
        (x0, y1), (x1, y0) = (self.at((mark.corner[0] + n, mark.corner[1] + n)) for n in (0, 1))
        box = Box(x0, y0, x1, y1).shrunk(0.5)
        if mark.colour is None:
            _rectangle(parent, box, fill=f"url(#{self.hatching})", stroke="currentColor",
                       stroke_opacity=0.35)  # fmt: skip
            return
        _rectangle(parent, box, fill=mark.colour)
        colour, (x, y) = ink(mark.colour), box.middle
        if mark.best:
            _rectangle(parent, box.shrunk(2.5), fill="none", stroke=colour, stroke_width=2.5)
        if mark.words:
            _text(parent, (x, y + 4), mark.words, fill=colour, class_="on-colour", font_size=11,
                  text_anchor="middle")  # fmt: skip
        elif mark.best:
            _add(parent, "circle", cx=x, cy=y, r=3.5, fill=colour)

    @mark.register
    def _(self, mark: marks.Label, parent: ET.Element) -> None:
        x, y = self.at(mark.at)
        _text(parent, (x + mark.shift[0], y + mark.shift[1]), mark.words, text_anchor=mark.anchor,
              font_weight="600" if mark.bold else "", font_size=mark.size,
              fill_opacity=0.75 if mark.faint else None)  # fmt: skip

    def draw_callouts(self, root: ET.Element, drawn: Sequence[marks.Mark]) -> None:
        """Draw words near their points, and a line to the points that they stand far off."""
        callouts = [mark for mark in drawn if isinstance(mark, marks.Callout)]
        if not callouts:
            return
        taken = []
        for mark in drawn:
            if isinstance(mark, marks.Symbol):
                taken.append(Box(*self.at(mark.at), *self.at(mark.at)).shrunk(-6))
            elif isinstance(mark, marks.Whisker) and mark.span:
                (x0, y0), (x1, y1) = self.ends(mark)
                side = (1, 0) if mark.upright else (0, 1)
                taken.append(Box(x0 - side[0], y1 - side[1], x1 + side[0], y0 + side[1]))
        anchors = [self.at(callout.at) for callout in callouts]
        boxes = place_labels([callout.words for callout in callouts], anchors, taken, self.box)
        group = _add(root, "g", text_anchor="middle")
        for callout, (x, y), box in zip(callouts, anchors, boxes, strict=True):
            near = min(max(x, box.x0), box.x1), min(max(y, box.y0), box.y1)
            if math.dist(near, (x, y)) > 16:
                _line(group, (x, y), near, stroke=callout.colour, stroke_opacity=0.6)
            _text(group, (box.middle[0], box.y1 - 3), callout.words)

    def draw_bar(self, root: ET.Element, bar: marks.ColourBar) -> None:
        """Draw the legend of a colour scale."""
        scale, y = bar.scale, self.box.y1 + 56
        group = _add(root, "g", shape_rendering="crispEdges")
        share = (self.box.x1 - self.box.x0) / 48
        for i in range(48):
            value = scale.low + (scale.high - scale.low) * (i + 0.5) / 48
            x = self.box.x0 + i * share
            _rectangle(group, Box(x, y, x + share, y + 12), fill=scale.colour(value))
        words = _add(root, "g", fill_opacity=0.75)
        _text(words, (self.box.x0, y + 28), bar.ends[0])
        _text(words, (self.box.x1, y + 28), bar.ends[1], text_anchor="end")


def _inside(several: Sequence[marks.Mark]) -> Iterator[marks.Mark]:
    """All marks, those of items in the place of the items."""
    for mark in several:
        yield from _inside(mark.marks) if isinstance(mark, marks.Item) else (mark,)


def _draw_symbol(parent: ET.Element, place: marks.Point, symbol: marks.Symbol) -> None:
    x, y = place
    paint: dict[str, Any] = {"stroke": "none", "fill_opacity": symbol.opacity}
    if symbol.hollow:
        paint = {"fill": "none", "stroke_width": 1.6}
    if symbol.shape == "circle":
        _add(parent, "circle", cx=x, cy=y, r=symbol.radius, **paint)
    elif symbol.shape:
        corners = [(x + dx, y + dy) for dx, dy in _CORNERS[symbol.shape]]
        _add(parent, "polygon", points=_path(corners), **paint)


def _line(parent: ET.Element, start: marks.Point, end: marks.Point, **style: Any) -> None:
    _add(parent, "line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], **style)


def _rectangle(parent: ET.Element, box: Box, **style: Any) -> None:
    width, height = box.x1 - box.x0, box.y1 - box.y0
    _add(parent, "rect", x=box.x0, y=box.y0, width=width, height=height, **style)


def _text(parent: ET.Element, place: marks.Point, words: str, **style: Any) -> None:
    _add(parent, "text", words, x=place[0], y=place[1], **style)


def _add(parent: ET.Element, tag: str, words: str | None = None, **attributes: Any) -> ET.Element:
    """A new element within another one; the serialiser escapes its words."""
    element = ET.SubElement(parent, tag)
    _set(element, **attributes)
    element.text = None if words is None else for_xml(words)
    return element


def _set(element: ET.Element, **attributes: Any) -> None:
    """Set attributes, numbers in two digits; what is None or empty is left out."""
    for name, value in attributes.items():
        if value is not None and value != "":
            written = value if isinstance(value, str) else digits(value)
            element.set(name.rstrip("_").replace("_", "-"), written)


def _path(points: Sequence[marks.Point], places: int = 2) -> str:
    """Points as SVG writes them."""
    return " ".join(f"{digits(x, places)},{digits(y, places)}" for x, y in points)


def digits(value: float, places: int = 2) -> str:
    """Two digits after the point are finer than a pixel, and stable from machine to machine."""
    return f"{value + 0.0:.{places}f}".rstrip("0").rstrip(".")

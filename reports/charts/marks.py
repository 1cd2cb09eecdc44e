"""The vocabulary of charts: marks in the numbers that they show, panels with axes, whole charts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.reports.charts.axes import Axis
from bench.reports.charts.colours import ColourScale, Style

Point = tuple[float, float]
Warnings = Sequence[tuple[str, str]]
"""What readers must know before the numbers: in a few words, and as a sentence."""


@dataclass(frozen=True)
class Item:
    """Marks with a colour and a tooltip in common."""

    marks: Sequence[Mark]
    words: str = ""
    """The tooltip; "" for none."""
    colour: str = ""
    """Of lines and areas; "" for that of the item around this one."""
    opacity: float | None = None


@dataclass(frozen=True)
class Stroke:
    """A line through points."""

    points: Sequence[Point]
    width: float = 2.0
    dash: str = ""
    clipped: bool = False
    """Whether it ends at the frame of its panel."""
    rounded: bool = False
    """Whether its ends are round; with dashes of one unit, it is dotted."""


@dataclass(frozen=True)
class Band:
    """The area between two values over x, cut off by the frame."""

    points: Sequence[tuple[float, float, float]]
    """x, low, high."""
    opacity: float = 0.18


@dataclass(frozen=True)
class Symbol:
    """One of `SHAPES` around a point; "" is none."""

    at: Point
    shape: str = "circle"
    radius: float = 5.0
    """Of a circle, in the drawing's units; the other shapes have one size."""
    hollow: bool = False
    opacity: float | None = None


@dataclass(frozen=True)
class Whisker:
    """An interval with caps around a point; one that the frame cuts off has no cap there."""

    at: Point
    span: Point | None
    """None draws nothing."""
    upright: bool


@dataclass(frozen=True)
class Tile:
    """A cell of a map, one unit wide and high from its lower left corner on."""

    corner: Point
    colour: str | None
    """None for a missing value: the cell is hatched."""
    words: str = ""
    """The number in it; "" where there is no room."""
    best: bool = False


@dataclass(frozen=True)
class Label:
    """Words at a point."""

    at: Point
    words: str
    shift: Point = (0.0, 0.0)
    """From the point to the words' base line, in the drawing's units, downwards positive."""
    anchor: str = ""
    """What of the words stands there: "" for their start, "middle" or "end"."""
    bold: bool = False
    faint: bool = False
    size: float | None = None


@dataclass(frozen=True)
class Callout:
    """Words near a point, wherever symbols, whiskers and other words leave room for them."""

    at: Point
    words: str
    colour: str
    """Of the line to the point, where the words stand far from it."""


Mark = Item | Stroke | Band | Symbol | Whisker | Tile | Label | Callout


@dataclass(frozen=True)
class ColourBar:
    """A legend of a colour scale below its panel, with words at both ends."""

    scale: ColourScale
    ends: tuple[str, str]


@dataclass(frozen=True)
class Panel:
    """Marks between two axes, the first ones lowest."""

    x: Axis
    y: Axis
    marks: Sequence[Mark]
    bar: ColourBar | None = None


@dataclass(frozen=True)
class Layout:
    """Sizes of a chart in its own units, `svg.WIDTH` of which are its width."""

    size: Point
    """Width and height of a panel, without titles and labels of the axes."""
    columns: int = 1
    gap: float = 84.0
    """Between two rows of panels."""
    top: float = 26.0
    """Above the first row, where the chart has no legend."""
    foot: float = 56.0
    """Below the last row."""
    right: float = 16.0
    tick_size: float | None = None
    """Size of the labels at the ticks; None for that of other words."""


@dataclass(frozen=True)
class Chart:
    """All that a drawing shows, for those who see it and for those who do not."""

    title: str
    """What a screen reader says first."""
    description: str
    """The numbers in words."""
    panels: Sequence[Panel]
    layout: Layout
    legend: Sequence[tuple[str, Style]] = ()
    warnings: Warnings = ()

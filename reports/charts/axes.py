"""Axes with round numbers, and room for labels between marks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.reports.wording import MINUS, number


@dataclass(frozen=True)
class Box:
    """A rectangle in the drawing's units; y grows downwards."""

    x0: float
    y0: float
    x1: float
    y1: float

    def overlap(self, other: Box) -> float:
        """Shared area, 0 where the two only touch."""
        width = min(self.x1, other.x1) - max(self.x0, other.x0)
        height = min(self.y1, other.y1) - max(self.y0, other.y0)
        return max(width, 0.0) * max(height, 0.0)

    @property
    def area(self) -> float:
        """Width times height."""
        return (self.x1 - self.x0) * (self.y1 - self.y0)


@dataclass(frozen=True)
class Axis:
    """A scale from shown values to the drawing, linear or logarithmic."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]
    decimals: int | None
    """Digits after the point of the ticks' labels; None for as many as each needs."""
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """Where a value stands in the drawing; beyond the ends it stands at the end."""
        return self.unbounded(min(max(value, self.low), self.high))

    def unbounded(self, value: float) -> float:
        """Where a value would stand were the drawing larger, for what is clipped to its frame."""
        low, here, high = (math.log(v) if self.logarithmic else v
                           for v in (self.low, value, self.high))  # fmt: skip
        return self.start + (here - low) / (high - low) * (self.end - self.start)

    def holds(self, value: float) -> bool:
        """Whether a value lies between the axis's ends."""
        return self.low <= value <= self.high

    @property
    def labels(self) -> tuple[str, ...]:
        """What stands at the ticks."""
        if self.decimals is None:
            return tuple(f"{value:g}".replace("-", MINUS) for value in self.ticks)
        return tuple(number(value, self.decimals) for value in self.ticks)


def step(span: float, count: int = 6) -> float:
    """1, 2 or 5 times a power of ten, so that about `count` steps cover `span`."""
    raw = span / count
    power = 10.0 ** math.floor(math.log10(raw))
    return next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= raw * (1 - 1e-9))


def axis(
    centres: Sequence[float],
    intervals: Sequence[tuple[float, float]],
    ends: tuple[float, float],
    ceiling: float = math.inf,
    room: float = 0.0,
) -> Axis:
    """An axis that shows every centre, and intervals as far as they leave the centres readable.

    A t interval of two seeds is 12.7 standard errors wide; one of them must not squeeze all
    other marks into a corner, so intervals may widen the span of the centres by a quarter on
    each side, or by `room` where that is more, and are cut off there. The axis ends at `ceiling`
    (100 for percentages) where all centres lie below it, and starts at 0 or above where none is
    negative.
    """
    low, high = min(centres), max(centres)
    span = max(high - low, 0.02 * max(abs(low), abs(high)), 1e-9)
    reach = max(0.25 * span, room)
    reach_low = max(min([low, *(a for a, _ in intervals)]), low - reach)
    reach_high = min(max([high, *(b for _, b in intervals)]), high + reach)
    margin = 0.08 * span
    floor = 0.0 if low >= 0 else -math.inf
    size = step(reach_high - reach_low + 2 * margin)
    first = math.floor(max(reach_low - margin, floor) / size)
    top = reach_high + margin
    last = math.ceil((min(top, ceiling) if high <= ceiling else top) / size - 1e-9)
    ticks = tuple(round(i * size, 12) for i in range(first, last + 1))
    places = max(0, -math.floor(math.log10(size) + 1e-9))
    return Axis(ticks[0], ticks[-1], *ends, ticks, places)


def axis_of_settings(values: Sequence[float], ends: tuple[float, float]) -> Axis:
    """An axis with ticks at the values that a sweep sets, as many as find room for their labels.

    It is logarithmic where the values are: positive, over a wide range, and in more even steps
    when they are counted in factors.
    """
    settings = sorted(set(values))
    low, high = settings[0], settings[-1]
    logarithmic = low > 0 and high >= 8 * low and _in_factors(settings)
    if logarithmic:
        margin = (high / low) ** 0.05
        outer = low / margin, high * margin
    else:
        pad = 0.05 * (high - low) or 0.5
        outer = low - pad, high + pad
    bare = Axis(*outer, *ends, tuple(settings), None, logarithmic)
    ticks: list[float] = []
    edge = -math.inf
    for value, label in zip(settings, bare.labels, strict=True):
        half = _WIDTH * len(label) / 2
        if bare.at(value) - half >= edge:
            ticks.append(value)
            edge = bare.at(value) + half + 5
    return Axis(*outer, *ends, tuple(ticks), None, logarithmic)


def _in_factors(settings: Sequence[float]) -> bool:
    if len(settings) < 3:
        return False
    sums = [b - a for a, b in pairwise(settings)]
    factors = [math.log(b / a) for a, b in pairwise(settings)]
    return max(factors) / min(factors) < max(sums) / min(sums)


_WIDTH, _HEIGHT = 6.4, 13.0
"""A character's mean width and a line's height at 12 units of type; a little generous."""

_ANGLES = (0, 180, -90, 90, -35, 35, 215, 145)
_DISTANCES = (11.0, 20.0, 32.0, 46.0, 62.0)


def place_labels(
    texts: Sequence[str], anchors: Sequence[tuple[float, float]], taken: Sequence[Box], frame: Box
) -> list[Box]:
    """A box for each label near its anchor, away from `taken`, from each other and the frame.

    Greedy: each label takes the nearest free spot, or the least crowded where none is free.
    """
    placed: list[Box] = []
    for text, anchor in zip(texts, anchors, strict=True):
        candidates = _candidates(_WIDTH * len(text), anchor)
        reach = _around(candidates)
        obstacles = [box for box in (*taken, *placed) if box.overlap(reach)]
        placed.append(min(candidates, key=lambda box: _crowding(box, obstacles, frame)))
    return placed


def _candidates(width: float, anchor: tuple[float, float]) -> list[Box]:
    boxes = []
    for distance in _DISTANCES:
        for angle in _ANGLES:
            dx, dy = math.cos(math.radians(angle)), math.sin(math.radians(angle))
            x = anchor[0] + distance * dx + (dx - 1) / 2 * width
            y = anchor[1] + distance * dy + (dy - 1) / 2 * _HEIGHT
            boxes.append(Box(x, y, x + width, y + _HEIGHT))
    return boxes


def _around(boxes: Sequence[Box]) -> Box:
    """The smallest box that holds all: what lies outside crowds none of them."""
    return Box(
        min(box.x0 for box in boxes),
        min(box.y0 for box in boxes),
        max(box.x1 for box in boxes),
        max(box.y1 for box in boxes),
    )


def _crowding(box: Box, obstacles: Sequence[Box], frame: Box) -> float:
    covered = sum(box.overlap(other) for other in obstacles)
    outside = box.area - box.overlap(frame)
    return round(covered + 4 * outside, 6)

"""Axes with round numbers, and room for labels between marks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


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
    """A linear scale from shown values to the drawing."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]
    decimals: int

    def at(self, value: float) -> float:
        """Where a value stands in the drawing; beyond the ends it stands at the end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def holds(self, value: float) -> bool:
        """Whether a value lies between the axis's ends."""
        return self.low <= value <= self.high


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
) -> Axis:
    """An axis that shows every centre, and intervals as far as they leave the centres readable.

    A t interval of two seeds is 12.7 standard errors wide; one of them must not squeeze all
    other marks into a corner, so intervals may widen the span of the centres by a quarter on
    each side and are cut off there. The axis ends at `ceiling` (100 for percentages) where all
    centres lie below it, and starts at 0 or above where none is negative.
    """
    low, high = min(centres), max(centres)
    span = max(high - low, 0.02 * max(abs(low), abs(high)), 1e-9)
    reach_low = max(min([low, *(a for a, _ in intervals)]), low - 0.25 * span)
    reach_high = min(max([high, *(b for _, b in intervals)]), high + 0.25 * span)
    margin = 0.08 * span
    floor = 0.0 if low >= 0 else -math.inf
    size = step(reach_high - reach_low + 2 * margin)
    first = math.floor(max(reach_low - margin, floor) / size)
    top = reach_high + margin
    last = math.ceil((min(top, ceiling) if high <= ceiling else top) / size - 1e-9)
    ticks = tuple(round(i * size, 12) for i in range(first, last + 1))
    places = max(0, -math.floor(math.log10(size) + 1e-9))
    return Axis(ticks[0], ticks[-1], *ends, ticks, places)


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
        obstacles = [*taken, *placed]
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


def _crowding(box: Box, obstacles: Sequence[Box], frame: Box) -> float:
    covered = sum(box.overlap(other) for other in obstacles)
    outside = box.area - box.overlap(frame)
    return round(covered + 4 * outside, 6)

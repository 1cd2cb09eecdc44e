"""Room for labels: where they fit between marks, and cut off where they do not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_WIDTH, _HEIGHT = 6.4, 13.0
"""A character's mean width and a line's height at 12 units of type; a little generous."""

_ANGLES = (0, 180, -90, 90, -35, 35, 215, 145)
_DISTANCES = (11.0, 20.0, 32.0, 46.0, 62.0)


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

    def shrunk(self, by: float) -> Box:
        """The rectangle with each side moved inwards; outwards for a negative distance."""
        return Box(self.x0 + by, self.y0 + by, self.x1 - by, self.y1 - by)

    @property
    def area(self) -> float:
        """Width times height."""
        return (self.x1 - self.x0) * (self.y1 - self.y0)

    @property
    def middle(self) -> tuple[float, float]:
        """The centre."""
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2


def shortened(words: str, most: int) -> str:
    """Words cut off where there is no room for more."""
    return words if len(words) <= most else f"{words[: most - 1]}…"


def place_labels(
    texts: Sequence[str], anchors: Sequence[tuple[float, float]], taken: Sequence[Box], frame: Box
) -> list[Box]:
    """A box for each label near its anchor, away from `taken`, from each other and the frame.

    Greedy: each label takes the nearest free spot, or the least crowded where none is free.
    """
    placed: list[Box] = []
    for text, anchor in zip(texts, anchors, strict=True):
        width = _WIDTH * len(text)
        candidates = _candidates(width, anchor)
        far = max(_DISTANCES) + _HEIGHT
        reach = Box(*anchor, *anchor).shrunk(-far - width)
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


def _crowding(box: Box, obstacles: Sequence[Box], frame: Box) -> float:
    covered = sum(box.overlap(other) for other in obstacles)
    outside = box.area - box.overlap(frame)
    return round(covered + 4 * outside, 6)

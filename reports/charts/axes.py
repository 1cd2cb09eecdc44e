"""Axes with round numbers: linear, logarithmic, of categories and of rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.reports.wording import MINUS, number
from bench.result import MetricInfo

_CHARACTER = 6.4
"""A character's mean width at 12 units of type; a little generous."""


@dataclass(frozen=True)
class Axis:
    """A scale of shown values, linear or logarithmic, with ticks, their labels and a title.

    Where `low` is the larger one, values run downwards or to the left.
    """

    low: float
    high: float
    ticks: Sequence[float] = ()
    labels: Sequence[str] = ()
    title: str = ""
    logarithmic: bool = False
    grid: bool = True
    """Whether a line crosses the panel at each tick."""

    def share(self, value: float) -> float:
        """Where a value stands: 0 at `low`, 1 at `high`, and below or above beyond them."""
        if self.logarithmic:
            low, value, high = math.log(self.low), math.log(value), math.log(self.high)
        else:
            low, high = self.low, self.high
        return (value - low) / (high - low)

    def clipped(self, value: float) -> float:
        """The value, or the end of the axis that it lies beyond."""
        return min(max(value, self.low), self.high)


def step(span: float, count: int = 6) -> float:
    """1, 2 or 5 times a power of ten, so that about `count` steps cover `span`."""
    raw = span / count
    power = 10.0 ** math.floor(math.log10(raw))
    return next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= raw * (1 - 1e-9))


def measured_axis(
    centres: Sequence[float],
    intervals: Sequence[tuple[float, float]] = (),
    title: str = "",
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
    ticks = [round(i * size, 12) for i in range(first, last + 1)]
    places = max(0, -math.floor(math.log10(size) + 1e-9))
    return Axis(ticks[0], ticks[-1], ticks, [number(tick, places) for tick in ticks], title)


def settings_axis(values: Sequence[float], title: str, length: float) -> Axis:
    """An axis with ticks at the values that a sweep sets, as many as find room for their labels.

    It is logarithmic where the values are: positive, over a wide range, and in more even steps
    when they are counted in factors.

    Args:
        values: the settings, in any order.
        title: of the axis; " (log scale)" is added to that of a logarithmic one.
        length: of the axis in the drawing's units.
    """
    settings = sorted(set(values))
    low, high = settings[0], settings[-1]
    logarithmic = low > 0 and high >= 8 * low and _in_factors(settings)
    if logarithmic:
        margin = (high / low) ** 0.05
        low, high = low / margin, high * margin
        title = f"{title} (log scale)"
    else:
        pad = 0.05 * (high - low) or 0.5
        low, high = low - pad, high + pad
    bare = Axis(low, high, logarithmic=logarithmic)
    ticks: dict[float, str] = {}
    edge = -math.inf
    for value in settings:
        label = f"{value:g}".replace("-", MINUS)
        centre, half = bare.share(value) * length, _CHARACTER * len(label) / 2
        if centre - half >= edge:
            ticks[value] = label
            edge = centre + half + 5
    return Axis(low, high, list(ticks), list(ticks.values()), title, logarithmic)


def _in_factors(settings: Sequence[float]) -> bool:
    if len(settings) < 3:
        return False
    sums = [b - a for a, b in pairwise(settings)]
    factors = [math.log(b / a) for a, b in pairwise(settings)]
    return max(factors) / min(factors) < max(sums) / min(sums)


def categories(labels: Sequence[str], title: str) -> Axis:
    """An axis of categories: the n-th reaches from n to n + 1 and has its label in the middle."""
    ticks = [i + 0.5 for i in range(len(labels))]
    return Axis(0, len(labels), ticks, labels, title, grid=False)


def rows(count: int) -> Axis:
    """A vertical axis of rows from the top down, which bear their names themselves."""
    return Axis(count, 0)


def axis_title(metric: MetricInfo) -> str:
    """Name, unit and direction: "Odds, % (lower is better)"."""
    direction = f" ({metric.better} is better)" if metric.better else ""
    return f"{with_unit(metric)}{direction}"


def with_unit(metric: MetricInfo) -> str:
    """Name and unit: "Odds, %"."""
    return f"{metric.title}, {metric.unit}" if metric.unit else metric.title

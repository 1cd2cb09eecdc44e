"""One value a sample: box plots and cumulative distributions, a panel a metric."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench.reports import wording
from bench.reports.charts import marks
from bench.reports.charts.axes import Axis, axis_title, measured_axis, rows
from bench.reports.charts.colours import Style, nth_style
from bench.reports.charts.labels import shortened
from bench.reports.charts.subject import Entry, FigureContent, Grid, Subject
from bench.result import MetricInfo

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Ends of the whiskers, of the box, and the median."""
NAMES = ("5 %", "first quartile", "median", "third quartile", "95 %")
MOST = 201
"""Points of a cumulative line; of more values, evenly spaced quantiles."""
BEYOND = 0.98
"""Where the axis of a cumulative figure ends: at this quantile of the widest distribution."""
ROW, MIDDLE = 40.0, 0.5875
"""Height of a box plot with its name, and where in it the box stands."""


@dataclass(frozen=True)
class Distribution:
    """Values of an entry, of all its seeds together, sorted and in the shown unit."""

    entry: Entry
    name: str
    style: Style
    metric: MetricInfo
    values: Sequence[float]

    def quantile(self, share: float) -> float:
        """Linear between neighbours."""
        return float(np.quantile(self.values, share))

    @property
    def quantiles(self) -> list[float]:
        """The quantiles at `LEVELS`."""
        return [self.quantile(level) for level in LEVELS]

    @property
    def words(self) -> list[str]:
        """The quantiles at `LEVELS` as tables write them."""
        scale = 100.0 if self.metric.unit == "%" else 1.0
        return [wording.value(shown / scale, self.metric.unit) for shown in self.quantiles]

    @property
    def sentence(self) -> str:
        """The quantiles with their names."""
        return ", ".join(f"{name} {word}" for name, word in zip(NAMES, self.words, strict=True))

    def below(self, value: float) -> float:
        """Percentage of the values that are not larger."""
        return 100.0 * float(np.searchsorted(self.values, value, side="right")) / len(self.values)


def boxes(subject: Subject) -> FigureContent:
    """A figure of kind `box`: quartiles in a box, 5 % and 95 % at the ends of the whiskers."""
    return _content(
        subject,
        _boxes,
        "Values of single samples, all seeds together: the box spans the quartiles and holds the "
        "median, whiskers end at 5 % and 95 %.",
    )


def cumulative(subject: Subject) -> FigureContent:
    """A figure of kind `cumulative`: the share of samples up to every value."""
    return _content(
        subject,
        _staircases,
        "Values of single samples, all seeds together: the share of them that is not larger. "
        f"Where lines go on beyond the frame, the last {100 * (1 - BEYOND):.0f} % of the widest "
        "are cut off.",
    )


def _content(
    subject: Subject, panel: Callable[[Sequence[Distribution]], marks.Panel], note: str
) -> FigureContent:
    kept = [several for metric in subject.metrics if (several := _distributions(subject, metric))]
    every = [distribution for several in kept for distribution in several]
    legend = {d.name: d.style for d in every} if panel is _staircases else {}
    height = 280.0 if legend else ROW * max(map(len, kept), default=0)
    head = ["", "samples", *NAMES]
    grids = [
        Grid(f"{axis_title(several[0].metric)}: single samples", head,
             [[d.name, str(len(d.values)), *d.words] for d in several])
        for several in kept
    ]  # fmt: skip
    # Metrics that are measured, but not sample by sample.
    measured = [m for m in subject.metrics if any(e.cell(m).summary for e in subject.entries)]
    titles = [m.title for m in measured if m not in [several[0].metric for several in kept]]
    without = [f"Not kept sample by sample: {wording.listed(titles)}."] if titles else []
    return FigureContent(
        subject=subject,
        records=[_record(distribution) for distribution in every],
        panels=[panel(several) for several in kept],
        layout=marks.Layout((680.0, height)),
        legend=list(legend.items()),
        sentences=[grid.sentence for grid in grids],
        grids=grids,
        notes=[note],
        missing=[*subject.gaps, *without],
    )


def _distributions(subject: Subject, metric: MetricInfo) -> list[Distribution]:
    """The entries that kept single values of a metric, in the plan's order."""
    scale = 100.0 if metric.unit == "%" else 1.0
    return [
        Distribution(entry, subject.name(entry), nth_style(number), metric, sorted(values))
        for number, entry in enumerate(subject.entries)
        if (
            values := [v * scale for r in entry.row.results for v in r.samples.get(metric.name, [])]
        )
    ]


def box_plot(row: int, quantiles: Sequence[float]) -> list[marks.Mark]:
    """A box between the quartiles, with the median, and whiskers to the outer quantiles.

    Args:
        row: the box's row from the top, 0 the first.
        quantiles: low end, first quartile, median, third quartile and high end.
    """
    low, first, median, third, high = quantiles
    y, half, cap = row + MIDDLE, 7.5 / ROW, 4 / ROW
    corners = [(x, y + side) for x, side in ((first, -half), (first, half), (third, half))]
    corners += [(third, y - half), (first, y - half)]
    lines = [[(low, y), (first, y)], [(third, y), (high, y)], corners]
    lines += [[(end, y - cap), (end, y + cap)] for end in (low, high)]
    return [
        marks.Band([(x, y - half, y + half) for x in (first, third)]),
        *(marks.Stroke(points, width=1.4) for points in lines),
        marks.Stroke([(median, y - half), (median, y + half)], width=3.0),
    ]


def row_name(across: Axis, row: int, name: str) -> marks.Label:
    """The name of a row of box plots, above its box."""
    return marks.Label((across.low, row), shortened(name, 100), (2, 12))


def _boxes(several: Sequence[Distribution]) -> marks.Panel:
    drawn: list[marks.Mark] = []
    ends = [value for d in several for value in (d.quantiles[0], d.quantiles[-1])]
    across = measured_axis(ends, title=axis_title(several[0].metric))
    for row, d in enumerate(several):
        words = f"{d.name}: {d.metric.title} {d.sentence}"
        box = marks.Item(box_plot(row, d.quantiles), words, d.style.colour)
        drawn += [row_name(across, row, d.name), box]
    return marks.Panel(across, rows(len(several)), drawn)


def _staircases(several: Sequence[Distribution]) -> marks.Panel:
    widest = max(d.quantile(BEYOND) for d in several)
    lowest = min(d.values[0] for d in several)
    across = measured_axis([min(lowest, 0.0), max(widest, 1e-12)],
                           title=axis_title(several[0].metric))  # fmt: skip
    shares = range(0, 101, 20)
    up = Axis(0.0, 100.0, shares, [str(share) for share in shares], "Share of samples, %")
    items = []
    for d in several:
        drawn: list[marks.Mark] = [marks.Stroke(staircase(d), dash=d.style.dash, clipped=True)]
        # The entry's shape at the quartiles: lines never differ by colour alone.
        quartiles = (value for value in d.quantiles[1:-1] if across.clipped(value) == value)
        drawn += [marks.Symbol((value, d.below(value)), d.style.shape) for value in quartiles]
        items.append(marks.Item(drawn, f"{d.name}: {d.sentence}", d.style.colour))
    return marks.Panel(across, up, items)


def staircase(distribution: Distribution) -> list[marks.Point]:
    """(value, percentage of the values that are not larger), as the corners of a staircase."""
    values = list(distribution.values)
    if len(values) > MOST:
        values = [distribution.quantile(share) for share in np.linspace(0, 1, MOST)]
    corners: list[marks.Point] = [(values[0], 0.0)]
    for value in dict.fromkeys(values):
        corners += [(value, corners[-1][1]), (value, distribution.below(value))]
    return corners


def _record(distribution: Distribution) -> dict[str, str | float]:
    """A line of the figure's data file, in the shown unit."""
    levels = [f"q{round(100 * level):02}" for level in LEVELS]
    return {
        "task": distribution.entry.task.name,
        "method": distribution.entry.method.label,
        "metric": distribution.metric.name,
        "unit": distribution.metric.unit,
        "samples": len(distribution.values),
        "smallest": distribution.values[0],
        **dict(zip(levels, distribution.quantiles, strict=True)),
        "largest": distribution.values[-1],
    }

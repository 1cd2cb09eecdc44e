"""A trial's curves as small panels: one a curve, in its own unit, over epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise

from bench.reports.charts import marks
from bench.reports.charts.axes import Axis, measured_axis
from bench.reports.charts.colours import PALETTE
from bench.reports.charts.labels import shortened
from bench.result import Scalar

LONGEST = 300
"""Points drawn of a curve: half as many pixels as it has room for."""

_LAYOUT = marks.Layout((180.0, 104.0), columns=3, gap=66.0, foot=40.0, tick_size=11)

Curve = Sequence[float | None]


def curves_chart(
    curves: Mapping[str, Curve], chosen: Mapping[str, Scalar], title: str
) -> marks.Chart | None:
    """The panels, or None where no curve has a value.

    Args:
        curves: by name, a value an epoch; None where it was not finite. "teacher.loss" belongs
            to the stage "teacher".
        chosen: what was selected; "epoch", or "teacher.epoch", counts from 1.
        title: what a screen reader says first.
    """
    known = [
        (name, curve, _epoch(name, curve, chosen))
        for name, curve in curves.items()
        if any(value is not None for value in curve)
    ]
    words = "; ".join(_words(*parts) for parts in known)
    panels = [_panel(*parts) for parts in known]
    chart = marks.Chart(title, f"One panel a curve, over epochs. {words}.", panels, _LAYOUT)
    return chart if panels else None


def _epoch(name: str, curve: Curve, chosen: Mapping[str, Scalar]) -> int | None:
    """The epoch that was selected, where it is one of the curve's."""
    stage, dot, _ = name.rpartition(".")
    epoch = chosen.get(f"{stage}{dot}epoch", chosen.get("epoch") if not dot else None)
    if not isinstance(epoch, int) or isinstance(epoch, bool):
        return None
    return epoch if 0 < epoch <= len(curve) else None


def _words(name: str, curve: Curve, epoch: int | None) -> str:
    values = [value for value in curve if value is not None]
    value = curve[epoch - 1] if epoch else None
    at = f", {value:.4g} at epoch {epoch}, which was selected" if value is not None else ""
    return f"{name}: from {values[0]:.4g} to {values[-1]:.4g} over {len(curve)} epochs{at}"


def _panel(name: str, curve: Curve, epoch: int | None) -> marks.Panel:
    full = measured_axis([value for value in curve if value is not None])
    every = max(1, (len(full.ticks) + 3) // 4)
    up = Axis(full.low, full.high, full.ticks[::every], full.labels[::every])
    across = Axis(1, max(len(curve), 2))
    drawn: list[marks.Mark] = [
        marks.Label((1, up.high), shortened(name, 34), (0, -9), bold=True),
        marks.Label((1, up.low), "epoch 1", (0, 17), faint=True, size=11),
    ]
    if (last := len(curve)) > 1:
        drawn.append(marks.Label((last, up.low), str(last), (0, 17), "end", faint=True, size=11))
    drawn.append(marks.Item(_runs(curve), colour=PALETTE[0]))
    if epoch is not None:
        value = curve[epoch - 1]
        selected: list[marks.Mark] = [marks.Stroke([(epoch, up.low), (epoch, up.high)], 1.0, "3 3")]
        selected += [marks.Symbol((epoch, value))] if value is not None else []
        drawn.append(marks.Item(selected, colour=PALETTE[1]))
    return marks.Panel(across, up, drawn)


def _runs(curve: Curve) -> list[marks.Mark]:
    """The curve without its gaps, thinned where it has more points than pixels."""
    drawn: list[marks.Mark] = []
    for known, run in groupby(enumerate(curve, start=1), key=lambda point: point[1] is not None):
        points = [(float(epoch), value) for epoch, value in run if value is not None]
        if known:
            line = marks.Stroke(thinned(points, LONGEST), 1.6)
            drawn.append(line if len(points) > 1 else marks.Symbol(points[0], radius=2.5))
    return drawn


def thinned(points: Sequence[marks.Point], most: int) -> list[marks.Point]:
    """At most `most` points with the outline of all: of each stretch its lowest and highest."""
    if len(points) <= most:
        return list(points)
    bins = max(1, most // 2 - 1)
    edges = [1 + (len(points) - 2) * i // bins for i in range(bins + 1)]
    kept = [points[0]]
    for start, end in pairwise(edges):
        stretch = range(start, end)
        lowest = min(stretch, key=lambda i: points[i][1])
        highest = max(stretch, key=lambda i: points[i][1])
        kept += [points[i] for i in sorted({lowest, highest})]
    return [*kept, points[-1]]

"""A trial's curves as small panels: one a curve, in its own unit, over epochs."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from itertools import pairwise

from bench.reports.charts.axes import Axis, Box, axis
from bench.reports.charts.svg import (
    PALETTE,
    Point,
    canvas,
    digits,
    draw_shape,
    frames,
    line,
    shortened,
    text,
    written,
)
from bench.result import Scalar

COLUMNS = 3
SIZE, GAP, TOP = (180.0, 104.0), (66.0, 66.0), 26.0
LONGEST = 300
"""Points drawn of a curve: half as many pixels as it has room for."""

Curve = Sequence[float | None]


def curves_figure(
    curves: Mapping[str, Curve], chosen: Mapping[str, Scalar], slug: str, title: str
) -> str | None:
    """The panels, or None where no curve has a value.

    Args:
        curves: by name, a value an epoch; None where it was not finite. "teacher.loss" belongs
            to the stage "teacher".
        chosen: what was selected; "epoch", or "teacher.epoch", counts from 1.
        slug: prefix of the ids in the drawing; unique on its page.
        title: what a screen reader says first.
    """
    drawn = {name: curve for name, curve in curves.items() if any(v is not None for v in curve)}
    if not drawn:
        return None
    boxes = frames(len(drawn), TOP, SIZE, GAP, COLUMNS)
    told = "; ".join(_words(name, curve, chosen) for name, curve in drawn.items())
    root = canvas(slug, boxes[-1].y1 + 40, title, f"One panel a curve, over epochs. {told}.")
    for box, (name, curve) in zip(boxes, drawn.items(), strict=True):
        _panel(root, box, name, curve, _epoch(name, chosen))
    return written(root)


def _epoch(name: str, chosen: Mapping[str, Scalar]) -> int | None:
    stage, dot, _ = name.rpartition(".")
    epoch = chosen.get(f"{stage}{dot}epoch", chosen.get("epoch") if not dot else None)
    return epoch if isinstance(epoch, int) and not isinstance(epoch, bool) else None


def _words(name: str, curve: Curve, chosen: Mapping[str, Scalar]) -> str:
    values = [value for value in curve if value is not None]
    epoch = _epoch(name, chosen)
    picked = curve[epoch - 1] if epoch and 0 < epoch <= len(curve) else None
    at = f", {picked:.4g} at epoch {epoch}, which was selected" if picked is not None else ""
    return f"{name}: from {values[0]:.4g} to {values[-1]:.4g} over {len(curve)} epochs{at}"


def _panel(root: ET.Element, box: Box, name: str, curve: Curve, epoch: int | None) -> None:
    values = [value for value in curve if value is not None]
    up = axis(values, [], (box.y1, box.y0))
    across = Axis(1, max(len(curve), 2), box.x0, box.x1, (), 0)
    _axes(root, box, up, len(curve))
    text(root, box.x0, box.y0 - 9, shortened(name, 34), {"font-weight": "600"})
    mark = ET.SubElement(root, "g", {"stroke": PALETTE[0], "fill": PALETTE[0]})
    for run in _runs(curve, across, up):
        if len(run) == 1:
            ET.SubElement(mark, "circle", {"cx": digits(run[0][0]), "cy": digits(run[0][1]),
                                           "r": "2.5", "stroke": "none"})  # fmt: skip
        else:
            points = " ".join(f"{x:.1f},{y:.1f}" for x, y in run)  # a tenth of a pixel will do
            ET.SubElement(mark, "polyline", {"points": points, "fill": "none",
                                             "stroke-width": "1.6"})  # fmt: skip
    if epoch is not None and 0 < epoch <= len(curve):
        x, value = across.at(epoch), curve[epoch - 1]
        line(root, (x, box.y0), (x, box.y1),
             {"stroke": PALETTE[1], "stroke-dasharray": "3 3"})  # fmt: skip
        if value is not None:
            draw_shape(root, "circle", x, up.at(value), {"fill": PALETTE[1]})


def _axes(root: ET.Element, box: Box, up: Axis, epochs: int) -> None:
    grid = ET.SubElement(root, "g", {"stroke": "currentColor", "stroke-opacity": "0.14"})
    ticks = ET.SubElement(root, "g", {"fill-opacity": "0.75", "font-size": "11"})
    every = max(1, (len(up.ticks) + 3) // 4)
    for value, words in list(zip(up.ticks, up.labels, strict=True))[::every]:
        y = up.at(value)
        line(grid, (box.x0, y), (box.x1, y))
        text(ticks, box.x0 - 7, y + 4, words, {"text-anchor": "end"})
    text(ticks, box.x0, box.y1 + 17, "epoch 1")
    if epochs > 1:
        text(ticks, box.x1, box.y1 + 17, str(epochs), {"text-anchor": "end"})


def _runs(curve: Curve, across: Axis, up: Axis) -> list[list[Point]]:
    """The curve without its gaps, thinned where it has more points than pixels."""
    runs: list[list[Point]] = [[]]
    # By hand what `Axis.at` does: all values lie on the axes, and there are very many of them.
    across_scale = (across.end - across.start) / (across.high - across.low)
    up_scale = (up.end - up.start) / (up.high - up.low)
    for epoch, value in enumerate(curve, start=1):
        if value is None:
            runs.append([])
        else:
            x = across.start + (epoch - across.low) * across_scale
            runs[-1].append((x, up.start + (value - up.low) * up_scale))
    return [thinned(run, LONGEST) for run in runs if run]


def thinned(points: Sequence[Point], most: int) -> list[Point]:
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

"""A trial's curves: every value where it belongs, gaps left open, long curves thinned."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from bench.reports.charts.curves import LONGEST, Curve, curves_chart, thinned
from bench.reports.charts.svg import draw
from bench.result import Scalar

SVG = "{http://www.w3.org/2000/svg}"


def drawn(
    curves: Mapping[str, Curve], chosen: Mapping[str, Scalar], title: str = "t"
) -> ET.Element:
    chart = curves_chart(curves, chosen, title)
    assert chart is not None
    return ET.fromstring(draw(chart, "c"))  # noqa: S314 - our own text


def polylines(root: ET.Element, dash: str = "") -> list[list[str]]:
    """Points of the lines with these dashes."""
    return [
        line.get("points", "").split()
        for line in root.iter(f"{SVG}polyline")
        if line.get("stroke-dasharray", "") == dash
    ]


def test_a_panel_a_curve_with_a_mark_at_the_chosen_epoch() -> None:
    root = drawn(
        {"loss": [3.0, 2.0, 1.0], "teacher.loss": [1.0, 0.5]},
        {"epoch": 2, "teacher.epoch": 1},
        "Curves <of> it",
    )
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert title.text == "Curves <of> it"
    assert description is not None
    assert description.text == (
        "One panel a curve, over epochs. loss: from 3 to 1 over 3 epochs, 2 at epoch 2, which was "
        "selected; teacher.loss: from 1 to 0.5 over 2 epochs, 1 at epoch 1, which was selected."
    )
    lines = polylines(root)
    assert [len(points) for points in lines] == [3, 2]
    # The loss falls from the top of the first panel to its bottom, the chosen epoch in the middle.
    (x0, y0), (x1, _), (x2, y2) = (map(float, point.split(",")) for point in lines[0])
    assert y0 < y2
    assert x1 - x0 == x2 - x1
    assert len(list(root.iter(f"{SVG}circle"))) == 2
    # The second epoch of three, and the first of two.
    dashed = [points[0].split(",")[0] for points in polylines(root, "3 3")]
    assert dashed == [lines[0][1].split(",")[0], lines[1][0].split(",")[0]]


def test_what_was_not_finite_is_a_gap_and_a_lonely_value_a_point() -> None:
    root = drawn({"loss": [1.0, 2.0, None, 3.0, None, 1.0, 1.5]}, {})
    assert [len(points) for points in polylines(root)] == [2, 2]
    assert len(list(root.iter(f"{SVG}circle"))) == 1


def test_without_a_value_there_is_no_figure() -> None:
    assert curves_chart({}, {}, "t") is None
    assert curves_chart({"loss": [None, None], "odds": []}, {"epoch": 1}, "t") is None


def test_a_stage_of_its_own_does_not_take_the_epoch_of_the_whole() -> None:
    root = drawn({"teacher.loss": [1.0, 0.5]}, {"epoch": 2})
    assert "selected" not in (root.findtext(f"{SVG}desc") or "selected")
    assert not polylines(root, "3 3")


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=2000))
def test_a_thinned_curve_keeps_ends_and_extremes(values: list[float]) -> None:
    points = [(float(i), value) for i, value in enumerate(values)]
    kept = thinned(points, LONGEST)
    assert len(kept) <= LONGEST
    assert set(kept) <= set(points)
    assert kept == sorted(kept)
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert {min(values), max(values)} <= {y for _, y in kept}

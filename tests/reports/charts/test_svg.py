"""The renderer: where marks stand for given numbers, what the frame cuts off, what is escaped."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from bench.reports.charts.axes import Axis
from bench.reports.charts.colours import nth_style
from bench.reports.charts.marks import (
    Band,
    Chart,
    Item,
    Label,
    Layout,
    Mark,
    Panel,
    Stroke,
    Symbol,
    Tile,
    Whisker,
)
from bench.reports.charts.svg import draw
from tests.reports.figure_reading import SVG

LAYOUT = Layout((200.0, 100.0), top=20.0)
"""The frame reaches from (544, 20) to (744, 120)."""
HUNDRED = Axis(0, 10, [0, 5, 10], ["0", "5", "10"], "x")
UP = Axis(0, 1)


def drawn(marks: Sequence[Mark], panels: int = 1) -> ET.Element:
    chart = Chart("A <title>", "Words.", [Panel(HUNDRED, UP, marks)] * panels, LAYOUT)
    return ET.fromstring(draw(chart, "slug"))  # noqa: S314 - our own text


def test_numbers_stand_where_the_axes_put_them() -> None:
    root = drawn([Item([Stroke([(0, 0), (5, 1)]), Symbol((10, 0.5))], "tip", "#0072b2")])
    assert root.attrib["viewBox"] == "0 0 760 176"
    [stroke] = root.iter(f"{SVG}polyline")
    assert stroke.attrib["points"] == "544,120 644,20"
    [circle] = root.iter(f"{SVG}circle")
    assert (circle.attrib["cx"], circle.attrib["cy"]) == ("744", "70")
    [item] = [group for group in root.iter(f"{SVG}g") if group.find(f"{SVG}title") is not None]
    assert item.findtext(f"{SVG}title") == "tip"
    assert item.attrib == {"stroke": "#0072b2", "fill": "#0072b2"}
    assert [e.text for e in root.iter(f"{SVG}text")] == ["0", "5", "10", "x"]


def test_an_interval_beyond_the_frame_has_a_cap_only_at_its_end_within() -> None:
    grid = len(list(drawn([]).iter(f"{SVG}line")))
    inside = drawn([Whisker((5, 0.5), (2, 8), upright=False)])
    cut = drawn([Whisker((5, 0.5), (2, 80), upright=False)])
    assert len(list(inside.iter(f"{SVG}line"))) - grid == 3
    line, *caps = list(cut.iter(f"{SVG}line"))[grid:]
    assert (line.attrib["x1"], line.attrib["x2"]) == ("584", "744")
    assert [cap.attrib["x1"] for cap in caps] == ["584"]


def test_bands_and_missing_cells_refer_to_ids_of_their_own_panel() -> None:
    root = drawn([Band([(0, 0, 2), (10, 0, 2)]), Tile((0, 0), None)], panels=2)
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids)) == 6
    clips = [polygon.attrib["clip-path"] for polygon in root.iter(f"{SVG}polygon")]
    assert clips == ["url(#slug-frame-0)", "url(#slug-frame-1)"]
    fills = [rect.attrib["fill"] for rect in root.iter(f"{SVG}rect") if "fill" in rect.attrib]
    assert fills == ["url(#slug-hatching-0)", "url(#slug-hatching-1)"]
    assert set(clips + fills) <= {f"url(#{name})" for name in ids}


def test_words_are_shifted_by_units_of_the_drawing_and_stripped_of_control_characters() -> None:
    root = drawn([Label((0, 1), "a\x07<b>", (2, 12), "end")])
    label = list(root.iter(f"{SVG}text"))[-1]
    assert label.text == "a<b>"
    assert (label.attrib["x"], label.attrib["y"]) == ("546", "32")
    assert label.attrib["text-anchor"] == "end"
    assert root.findtext(f"{SVG}title") == "A <title>"


def test_a_legend_moves_the_panels_down_and_warnings_stand_above_them() -> None:
    names = [(f"a name of some length {i}", nth_style(i)) for i in range(6)]
    warnings = [("selected on test", "Chosen on test data.")]
    chart = Chart("t", "d", [Panel(HUNDRED, UP, [])], LAYOUT, names, warnings)
    root = ET.fromstring(draw(chart, "s"))  # noqa: S314 - our own text
    texts = {e.text: float(e.attrib["y"]) for e in root.iter(f"{SVG}text")}
    lowest = max(texts[name] for name, _ in names)
    top = float(root.attrib["viewBox"].split()[3]) - LAYOUT.foot - LAYOUT.size[1]
    assert lowest < texts["\N{WARNING SIGN} selected on test"] < top

"""The figures a suite asks for: their numbers, what they mark and what they say is missing."""

from __future__ import annotations

import math
import re
from itertools import pairwise

import pytest

from bench.reports.charts.axes import measured_axis, settings_axis
from bench.reports.charts.colours import PALETTE, SCALE, ink, nth_style
from bench.reports.charts.figures import FigureView
from bench.reports.charts.lines import swept
from bench.reports.charts.subject import Series, coordinate, less
from bench.reports.pages.suite import suite_view
from bench.result import FigureInfo
from tests.reports.figure_reading import SVG, drawing, lines_of, one, tooltips
from tests.reports.figure_sweep import (
    CORRELATIONS,
    FACES,
    FIGURES,
    GRID,
    HALF,
    RATES,
    SEEDS,
    STANDARD,
    SWEPT_ON,
    TASKS,
    TEMPERATURES,
    TOLD,
    centre,
    figure_plan,
    figure_sweep,
    without,
)

TASK = {task.name: task for task in TASKS}


@pytest.mark.parametrize("kind", ["line", "options", "heat", "table", "pictures"])
def test_the_data_file_carries_exactly_what_was_measured(
    kind: str, whole: dict[str, FigureView]
) -> None:
    plan = figure_plan()
    methods = {method.label: method for method in plan.methods}
    lines = lines_of(whole[kind])
    assert lines
    for line in lines:
        expected = centre(TASK[line["task"]], methods[line["method"]])
        scale = 100 if line["unit"] == "%" else 1
        if line["metric"] not in expected:
            assert (line["seeds"], line["mean"], line["half_width"]) == ("0", "", "")
            continue
        assert line["seeds"] == "3"
        assert float(line["mean"]) == pytest.approx(scale * expected[line["metric"]])
        assert float(line["std"]) == pytest.approx(scale * 0.01)
        assert float(line["half_width"]) == pytest.approx(scale * HALF)
        assert (line["selection"], line["official_data"]) == ("validation", "True")


def test_a_line_runs_over_all_values_of_its_coordinate(whole: dict[str, FigureView]) -> None:
    mine = [li for li in lines_of(whole["line"]) if li["metric"] == "odds" and li["temperature"]]
    found = [line for line in mine if line["task"] == SWEPT_ON]
    assert [float(line["temperature"]) for line in found] == list(TEMPERATURES)
    assert {line["method"] for line in mine if line["task"] == FACES} == {
        "bade", "bade[stage=teacher]", "bade[square=10]",
    }  # fmt: skip


def test_lone_points_are_left_out_where_the_method_is_swept(whole: dict[str, FigureView]) -> None:
    entries = [
        entry for entry in whole["line"].content.subject.entries if entry.method.name == "bade"
    ]
    sweep = Series("bade", SWEPT_ON, [e for e in entries if e.task.name == SWEPT_ON])
    square = [e for e in entries if e.method.label == "bade[square=10]"]
    assert (len(sweep.entries), len(square)) == (len(TEMPERATURES), 1)
    here, there = (Series("bade[square=10]", task, square) for task in (SWEPT_ON, FACES))
    assert swept([sweep, here]) == [sweep]
    assert swept([sweep, there]) == [sweep, there]
    assert swept([here]) == [here]


@pytest.mark.parametrize("kind", ["line", "options", "heat", "pairs"])
def test_a_drawing_is_sound_and_speaks_to_those_who_do_not_see_it(
    kind: str, whole: dict[str, FigureView]
) -> None:
    root = drawing(whole[kind])
    slug = whole[kind].slug
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-labelledby"] == f"{slug}-figure-title {slug}-figure-desc"
    assert root.findtext(f"{SVG}title") == whole[kind].info.title
    assert len(root.findtext(f"{SVG}desc") or "") > 40
    assert not [each for each in root.iter() if "style" in each.attrib]
    numbers = re.findall(r'\b(?:x|y|cx|cy|x1|x2|y1|y2)="([^"]*)"', str(whole[kind].svg))
    assert all(math.isfinite(float(number)) for number in numbers)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    boxes = list(root.iter(f"{SVG}circle"))
    assert all(0 <= float(each.attrib["cx"]) <= width for each in boxes)
    assert all(0 <= float(each.attrib["cy"]) <= height for each in boxes)


@pytest.mark.parametrize("kind", ["line", "options"])
def test_the_description_of_lines_has_every_mean_behind_its_number(
    kind: str, whole: dict[str, FigureView]
) -> None:
    words = drawing(whole[kind]).findtext(f"{SVG}desc") or ""
    x = whole[kind].info.x or ""
    swept = [line for line in lines_of(whole[kind]) if line[x] and line["mean"]]
    assert swept
    for line in swept:
        rows = [row for row in re.split(r"[.;] ", words) if row.startswith(f"{x} {line[x]}: ")]
        mean = f" {float(line['mean']):.2f} ± {float(line['half_width']):.2f}"
        name = line["task"].partition(" [")[0]  # the names of these lines have the task in them
        assert any(re.search(f"{re.escape(name)}[^±]*{mean}", row) for row in rows)


def test_lines_have_a_band_and_a_mark_for_each_value() -> None:
    figure = FIGURES[1].model_copy(update={"values": ["odds"]})
    root = drawing(one(figure))
    # Two tasks that differ in `artificial` make a line each; a band is a polygon of 4 + 4 corners.
    lines = [e.attrib["points"].split() for e in root.iter(f"{SVG}polyline")]
    assert [len(points) for points in lines] == [len(CORRELATIONS)] * 2
    bands = [e for e in root.iter(f"{SVG}polygon") if "fill-opacity" in e.attrib]
    assert [len(band.attrib["points"].split()) for band in bands] == [2 * len(CORRELATIONS)] * 2
    # Odds rise evenly with the correlation: 5, 30, 40 and 50 % at 0, .5, .7 and .9.
    ys = [float(point.split(",")[1]) for point in lines[0]]
    xs = [float(point.split(",")[0]) for point in lines[0]]
    slopes = [(b - a) / (d - c) for a, b, c, d in zip(ys, ys[1:], xs, xs[1:], strict=False)]
    assert slopes == pytest.approx([slopes[0]] * 3, rel=1e-2)
    assert slopes[0] < 0


def test_a_line_does_not_bridge_a_value_without_a_result() -> None:
    view = one(FIGURES[0].model_copy(update={"values": ["odds"]}), drop="bade[temperature=4]")
    strokes = drawing(view).iter(f"{SVG}polyline")
    runs = [len(e.attrib["points"].split()) for e in strokes if "stroke-dasharray" not in e.attrib]
    assert runs[:2] == [3, 2]
    assert any("bade[temperature=4]" in sentence for sentence in view.content.missing)
    assert any("3 not run" in sentence for sentence in view.content.missing)


def test_a_method_without_the_coordinate_is_a_level_line(whole: dict[str, FigureView]) -> None:
    view = whole["line"]
    assert {li["temperature"] for li in lines_of(view) if li["method"] == "standard"} == {""}
    assert any("Dashed across" in note for note in view.content.notes)
    assert drawing(view).findall(f".//{SVG}polyline[@stroke-dasharray='6 5']")


def test_published_points_are_hollow_and_named(whole: dict[str, FigureView]) -> None:
    # Tables 1, 2 and 8 give Odds of the teacher, of BaDe and of squares of 10 px.
    mine = [t for t in tooltips(whole["line"]) if "Odds published" in t]
    assert [t.rpartition(" ")[2] for t in mine] == ["2.79", "2.79", "3.18"]
    assert mine[0] == f"bade, {FACES}, temperature = 1: Odds published 2.79"


def test_a_coordinate_is_looked_up_in_method_then_option_then_training() -> None:
    task = TASKS[0].model_copy(
        update={"options": {"x": 1, "y": 2}, "training": {"x": 5, "y": 6, "z": 7}}
    )
    method = STANDARD.model_copy(update={"parameters": {"x": 0}})
    assert [coordinate(name, method, task) for name in "xyzw"] == [0, 2, 7, None]


@pytest.mark.parametrize(
    ("label", "names", "rest"),
    [("bade[loss=mse,temperature=2]", ["temperature"], "bade[loss=mse]"),
     ("bade[temperature=2]", ["temperature"], "bade"), ("bade", ["x"], "bade"),
     ("mnist digit [flipped=0.1]", ["flipped"], "mnist digit"),
     ("a [x=1,y=2]", ["y"], "a [x=1]"), ("odd[label", ["x"], "odd[label")],
)  # fmt: skip
def test_a_label_loses_the_coordinates_alone(label: str, names: list[str], rest: str) -> None:
    assert less(label, names) == rest


def test_settings_in_factors_stand_on_a_logarithmic_axis() -> None:
    axis = settings_axis(TEMPERATURES, "temperature", 600)
    assert axis.logarithmic
    assert axis.title == "temperature (log scale)"
    assert list(axis.labels) == ["0.5", "1", "2", "4", "8", "16"]
    gaps = [axis.share(b) - axis.share(a) for a, b in pairwise(TEMPERATURES)]
    assert gaps == pytest.approx([gaps[0]] * 5)
    assert not settings_axis([i / 10 for i in range(11)], "x", 600).logarithmic
    assert settings_axis([3.0], "x", 600).share(3.0) == 0.5
    assert len(settings_axis(list(range(100)), "x", 300).ticks) < 25


def test_the_best_cell_of_a_map_is_framed_and_named(whole: dict[str, FigureView]) -> None:
    view = whole["heat"]
    # Odds are least and EAcc is greatest where half of Have and all of Not Have have the trigger.
    words = "at rate_have = 0.5, rate_not_have = 1."
    assert f"Best Odds: 10.00 ± 2.48 % {words}" in " ".join(view.content.notes)
    assert f"Best EAcc: 80.00 ± 2.48 % {words}" in " ".join(view.content.notes)
    marked = [t for t in tooltips(view) if t.endswith("(best)")]
    assert len(marked) == 2
    frames = [e for e in drawing(view).iter(f"{SVG}rect") if e.attrib.get("stroke-width") == "2.5"]
    assert len(frames) == 2


def test_a_map_has_a_cell_for_each_pair_of_values_with_its_number(
    whole: dict[str, FigureView],
) -> None:
    view = whole["heat"]
    cells = [t for t in tooltips(view) if t.startswith("rate_have = ")]
    assert len(cells) == 2 * len(RATES) ** 2
    shown = [e.text for e in drawing(view).iter(f"{SVG}text") if e.get("class") == "on-colour"]
    assert len(shown) == 2 * len(RATES) ** 2
    assert shown[0] == "25.0"  # Odds at 0, 0: .1 + (.5 + 1) / 10


def test_the_better_end_of_the_scale_is_the_bright_one(whole: dict[str, FigureView]) -> None:
    fills: dict[str, set[str]] = {}
    for group in drawing(whole["heat"]).iter(f"{SVG}g"):
        title, rect = group.find(f"{SVG}title"), group.find(f"{SVG}rect")
        if title is not None and rect is not None:
            fills.setdefault(rect.attrib["fill"], set()).add(title.text or "")
    assert all("(best)" in words for words in fills[SCALE[-1]])
    assert {re.sub(r".*: ", "", words) for words in fills[SCALE[0]]} == {
        "Odds 25.00 ± 2.48 %", "EAcc 65.00 ± 2.48 %",
    }  # fmt: skip


def test_cells_without_a_result_are_hatched_and_said_to_be_missing() -> None:
    gone = GRID[4].label
    view = one(FIGURES[2], drop=gone)
    hatched = [e for e in drawing(view).iter(f"{SVG}rect") if "hatching" in e.attrib["fill"]]
    assert len(hatched) == 2
    assert view.content.missing == [f"Without a result (3 not run): {gone}."]
    middle = [row[2] for row in view.content.grids[0].rows]
    assert middle == ["10.00 ± 2.48, best", "n/a", "20.00 ± 2.48"]


def test_cells_that_nobody_planned_are_said_so() -> None:
    few = FIGURES[2].model_copy(update={"methods": [m.label for m in GRID[:-1]]})
    assert "Cells that the sweep does not plan: Odds" in one(few).content.missing[-1]


def test_a_map_of_words_keeps_the_suites_order() -> None:
    figure = FigureInfo(kind="heat", title="t", x="stage", y="square", values=["odds"],
                        methods=["bade[square=10]", "bade[stage=teacher]"])  # fmt: skip
    view = one(figure)
    assert view.content.grids[0].head == ["square \\ stage", "teacher", "student"]
    assert [row[0] for row in view.content.grids[0].rows] == ["25", "10"]


def luminance(colour: str) -> float:
    shares = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("ground", SCALE)
def test_numbers_can_be_read_on_every_colour_of_a_map(ground: str) -> None:
    low, high = sorted((luminance(ground), luminance(ink(ground))))
    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_the_scale_of_maps_rises_evenly_in_lightness() -> None:
    lightness = [luminance(colour) ** (1 / 3) for colour in SCALE]
    assert lightness == sorted(lightness)


def test_noise_looks_like_noise() -> None:
    # The means of EAcc are equal, and an axis around them alone would cut off all bands.
    axis = measured_axis([50.0, 50.1], [(48.0, 52.0), (48.1, 52.1)], room=2.4)
    assert axis.low <= 48.0
    assert axis.high >= 52.1
    assert measured_axis([50.0, 50.1], [(48.0, 52.0), (48.1, 52.1)]).low > 48.0


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: f"{figure.kind} {figure.title[:8]}")
def test_a_figure_of_nothing_says_that_nothing_is_there(figure: FigureInfo) -> None:
    plan = figure_plan([figure])
    view = suite_view(plan.suite, plan, {}).figures[0]
    assert view.svg is None
    assert not view.content.contrasts
    assert any("not run" in sentence for sentence in view.content.missing)
    assert all(line.get("seeds", "0") == "0" for line in lines_of(view))


@pytest.mark.parametrize("kind", ["line", "heat", "pairs", "table", "pictures"])
def test_coordinates_metrics_and_methods_that_are_not_there_are_no_error(kind: str) -> None:
    wrong = FigureInfo(kind=kind, title="t", x="nowhere", y="nothing", values=["none", "odds"],
                       methods=["nobody"])  # fmt: skip
    view = one(wrong)
    assert view.svg is None
    assert [*view.content.contrasts, *view.content.cards] == []
    assert view.content.missing or kind in ("table", "pictures")
    there = one(wrong.model_copy(update={"methods": []}))
    assert there.content.missing


@pytest.mark.parametrize("seeds", [(1, 2), (0,)])
def test_fewer_seeds_than_planned_are_said(seeds: tuple[int, ...]) -> None:
    plan, results = figure_sweep([FIGURES[0]])
    view = suite_view(plan.suite, plan, without(results, "bade[temperature=8]", seeds)).figures[0]
    expected = f"bade[temperature=8] ({len(SEEDS) - len(seeds)} of 3)"
    told = " ".join(view.content.missing).replace(f" on {SWEPT_ON}", "")
    assert f"Over fewer seeds than planned: {expected}." in told


def test_a_caveat_stands_beside_the_figure(whole: dict[str, FigureView]) -> None:
    assert whole["heat"].caveats == {TOLD: "9 of 10 entries"}
    assert whole["pairs"].caveats == {}


def test_a_warning_travels_with_the_figure_of_its_task() -> None:
    plan, results = figure_sweep(FIGURES[:4])
    tasks = [
        t.model_copy(update={"training": {**t.training, "selection": "test"}})
        if t.name == SWEPT_ON
        else t
        for t in plan.tasks
    ]
    found = suite_view(plan.suite, plan.model_copy(update={"tasks": tasks}), results).figures
    assert "selected on test" in str(found[2].svg)
    assert "reproduce a published protocol" in (drawing(found[2]).findtext(f"{SVG}desc") or "")
    assert {line["selection"] for line in lines_of(found[2])} == {"test"}
    official = one(FIGURES[3])
    assert official.content.subject.warnings == []


def test_styles_differ_in_more_than_colour() -> None:
    styles = [nth_style(i) for i in range(60)]
    assert len(set(styles)) == 60
    assert len({(each.colour, each.shape) for each in styles}) == 4 * len(PALETTE)

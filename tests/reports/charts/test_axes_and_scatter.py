"""The drawing: what is in it, where it stands, and that labels keep apart."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from bench.reports.boards.leaderboard import Board, boards
from bench.reports.charts.axes import measured_axis, step
from bench.reports.charts.colours import PALETTE
from bench.reports.charts.labels import Box, place_labels
from bench.reports.charts.marks import Callout, Item, Symbol, Warnings
from bench.reports.charts.scatter import scatter
from bench.reports.charts.svg import draw, standalone
from tests.reports.synthetic_sweep import HOSTILE, RACE, SEX, TwoTasks


@pytest.fixture
def board(two_tasks: TwoTasks) -> Board:
    return next(b for b in boards(*two_tasks) if b.task.name == SEX)


@pytest.mark.parametrize(
    ("span", "size"), [(6.0, 1.0), (7.0, 2.0), (0.07, 0.02), (30.0, 5.0), (1e-9, 2e-10)]
)
def test_steps_are_one_two_or_five(span: float, size: float) -> None:
    assert step(span) == pytest.approx(size)


def test_an_axis_shows_every_centre_and_equal_round_steps() -> None:
    axis = measured_axis([1.0, 7.2], [(0.8, 1.2)])
    assert all(axis.low <= value <= axis.high for value in (1.0, 7.2, 0.8))
    gaps = [b - a for a, b in pairwise(axis.ticks)]
    assert gaps == pytest.approx([2.0] * len(gaps))
    assert list(axis.labels) == ["0", "2", "4", "6", "8"]
    assert axis.share(axis.low) == 0
    assert axis.share(axis.high) == 1


def test_one_very_wide_interval_does_not_squeeze_the_marks() -> None:
    axis = measured_axis([10.0, 20.0], [(-900.0, 900.0)])
    assert axis.share(20.0) - axis.share(10.0) > 0.3


def test_percentages_do_not_go_beyond_a_hundred() -> None:
    assert measured_axis([10.0, 99.7], [(99.0, 100.4)], ceiling=100.0).high == 100.0
    assert measured_axis([10.0, 130.0], ceiling=100.0).high >= 130.0


def test_one_point_still_has_an_axis() -> None:
    for centre in (0.0, 81.5):
        axis = measured_axis([centre])
        assert axis.low <= centre <= axis.high
        assert len(axis.ticks) > 1


def test_labels_of_scattered_points_do_not_overlap() -> None:
    anchors = [(100.0, 100.0), (112.0, 103.0), (105.0, 110.0), (300.0, 200.0)]
    taken = [Box(x - 5, y - 5, x + 5, y + 5) for x, y in anchors]
    boxes = place_labels(["alpha", "beta", "gamma", "delta"], anchors, taken, Box(0, 0, 400, 300))
    for i, one in enumerate(boxes):
        assert all(one.overlap(other) == 0 for other in [*boxes[i + 1 :], *taken])


def drawing(board: Board, warnings: Warnings = ()) -> str:
    chart = scatter(board, warnings)
    assert chart is not None
    return draw(chart, "sex")


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    shares = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("ground", ["#ffffff", "#14171b"])
@pytest.mark.parametrize("colour", PALETTE)
def test_marks_stand_out_on_light_and_dark_ground(colour: str, ground: str) -> None:
    low, high = sorted((luminance(colour), luminance(ground)))
    assert (high + 0.05) / (low + 0.05) >= 3


def test_the_figure_names_its_axes_methods_and_numbers(board: Board) -> None:
    svg = drawing(board)
    assert 'role="img"' in svg
    assert 'aria-labelledby="sex-figure-title sex-figure-desc"' in svg
    assert f'<title id="sex-figure-title">{SEX}: EAcc against Odds</title>' in svg
    assert "Odds, % (lower is better)" in svg
    assert "bade: Odds 1.00 ± 0.20 %, EAcc 81.50 ± 0.20 %, published 3.41 and 79.23" in svg
    assert "currentColor" in svg


def test_a_variant_has_no_hollow_mark_of_its_base(board: Board) -> None:
    svg = drawing(board)
    of = re.findall(r"<g [^>]*><title>([^:<]+): [^<]*published[^<]*</title>", svg)
    assert "bade" in of
    assert "bade[strength=auto]" not in of
    hollow = re.findall(r'<(?:circle|polygon) [^>]*fill="none"', svg)
    assert len(hollow) == len(of) == 6


def test_each_method_is_a_mark_at_its_means_with_its_name(board: Board) -> None:
    chart = scatter(board)
    assert chart is not None
    [panel] = chart.panels
    assert (panel.x.title, panel.y.title) == (
        "Odds, % (lower is better)", "EAcc, % (higher is better)",
    )  # fmt: skip
    names = {mark.words: mark.at for mark in panel.marks if isinstance(mark, Callout)}
    assert names["bade"] == pytest.approx((1.0, 81.5))
    items = {mark.words.partition(":")[0]: mark for mark in panel.marks if isinstance(mark, Item)}
    solid = [m for m in items["bade"].marks if isinstance(m, Symbol) and not m.hollow]
    assert [mark.at for mark in solid] == [names["bade"]]


def test_a_hostile_label_is_text_in_the_drawing(board: Board) -> None:
    svg = drawing(board)
    assert HOSTILE not in svg
    assert "<script" not in standalone(svg)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in svg


def test_warnings_travel_with_the_figure(board: Board) -> None:
    svg = drawing(board, [("selected on test", "Chosen on test data.")])
    assert ">\N{WARNING SIGN} selected on test</text>" in svg
    assert "Chosen on test data.</desc>" in svg


def test_nothing_measured_is_no_figure(two_tasks: TwoTasks) -> None:
    plan, _ = two_tasks
    assert [scatter(b) for b in boards(plan, {})] == [None, None]


def test_published_points_need_a_published_task(two_tasks: TwoTasks) -> None:
    race = next(b for b in boards(*two_tasks) if b.task.name == RACE)
    assert "published" not in drawing(race)

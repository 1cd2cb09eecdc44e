"""The drawing: what is in it, where it stands, and that labels keep apart."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from bench.reports.boards.leaderboard import Board, boards
from bench.reports.charts.axes import Axis, Box, axis, place_labels, step
from bench.reports.charts.scatter import scatter
from bench.reports.charts.svg import PALETTE, standalone
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
    made = axis([1.0, 7.2], [(0.8, 1.2)], (0, 100))
    assert all(made.holds(value) for value in (1.0, 7.2, 0.8))
    gaps = [b - a for a, b in pairwise(made.ticks)]
    assert gaps == pytest.approx([2.0] * len(gaps))
    assert made.at(made.low) == 0
    assert made.at(made.high) == 100


def test_one_very_wide_interval_does_not_squeeze_the_marks() -> None:
    made = axis([10.0, 20.0], [(-900.0, 900.0)], (0, 100))
    assert made.at(20.0) - made.at(10.0) > 30


def test_percentages_do_not_go_beyond_a_hundred() -> None:
    assert axis([10.0, 99.7], [(99.0, 100.4)], (0, 100), ceiling=100.0).high == 100.0
    assert axis([10.0, 130.0], [], (0, 100), ceiling=100.0).high >= 130.0


def test_one_point_still_has_an_axis() -> None:
    assert isinstance(axis([0.0], [], (0, 100)), Axis)
    assert isinstance(axis([81.5], [], (0, 100)), Axis)


def test_labels_of_scattered_points_do_not_overlap() -> None:
    anchors = [(100.0, 100.0), (112.0, 103.0), (105.0, 110.0), (300.0, 200.0)]
    taken = [Box(x - 5, y - 5, x + 5, y + 5) for x, y in anchors]
    boxes = place_labels(["alpha", "beta", "gamma", "delta"], anchors, taken, Box(0, 0, 400, 300))
    for i, one in enumerate(boxes):
        assert all(one.overlap(other) == 0 for other in [*boxes[i + 1 :], *taken])


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
    svg = scatter(board, "sex")
    assert svg is not None
    assert 'role="img"' in svg
    assert 'aria-labelledby="sex-figure-title sex-figure-desc"' in svg
    assert f'<title id="sex-figure-title">{SEX}: EAcc against Odds</title>' in svg
    assert "Odds, % (lower is better)" in svg
    assert "bade: Odds 1.00 ± 0.20 %, EAcc 81.50 ± 0.20 %, published 3.41 and 79.23" in svg
    assert "currentColor" in svg


def test_a_variant_has_no_hollow_mark_of_its_base(board: Board) -> None:
    svg = scatter(board, "sex")
    assert svg is not None
    of = re.findall(r"<g [^>]*><title>([^:<]+): [^<]*published[^<]*</title>", svg)
    assert "bade" in of
    assert "bade[strength=auto]" not in of
    assert svg.count('fill="none"') == len(of) == 6


def test_a_hostile_label_is_text_in_the_drawing(board: Board) -> None:
    svg = scatter(board, "sex")
    assert svg is not None
    assert HOSTILE not in svg
    assert "<script" not in standalone(svg)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in svg


def test_warnings_travel_with_the_figure(board: Board) -> None:
    svg = scatter(board, "sex", [("selected on test", "Chosen on test data.")])
    assert svg is not None
    assert ">\N{WARNING SIGN} selected on test</text>" in svg
    assert "Chosen on test data.</desc>" in svg


def test_nothing_measured_is_no_figure(two_tasks: TwoTasks) -> None:
    plan, _ = two_tasks
    assert [scatter(b, "x") for b in boards(plan, {})] == [None, None]


def test_published_points_need_a_published_task(two_tasks: TwoTasks) -> None:
    race = next(b for b in boards(*two_tasks) if b.task.name == RACE)
    assert "published" not in (scatter(race, "race") or "")

"""Slopes compared over seeds and over groups, by hand and by scipy, and the figures of them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from bench.reports.charts.figures import FigureView
from bench.reports.pages.suite import suite_view
from bench.reports.site import build
from bench.reports.statistics.slopes import Groups, by_group, slopes, versus
from tests.reports.figure_reading import lines_of, tooltips
from tests.reports.slope_sweep import COVARIATE, SAMPLES, SLOPES, sweep
from tests.reports.synthetic_sweep import store_of

CLOSE = 1e-10
DRO, PGD = SLOPES["dro"], SLOPES["dro[attack=pgd]"]


def figures() -> list[FigureView]:
    plan, results = sweep()
    return list(suite_view(plan.suite, plan, results).figures)


def test_the_three_t_tests_by_hand() -> None:
    made = versus(DRO, PGD)
    # Means .02 and .045; squares of deviations sum to .0002 and .00015.
    assert made.difference == pytest.approx(0.025, rel=CLOSE)
    variance = (0.0002 + 0.00015) / 4
    t = 0.025 / math.sqrt(variance * 2 / 3)
    assert made.pooled is not None
    assert made.pooled.t == pytest.approx(t, rel=CLOSE)
    assert made.pooled.degrees == 4
    assert made.pooled.p == pytest.approx(stats.t.sf(t, 4), rel=CLOSE)
    assert made.effect == pytest.approx(0.025 / math.sqrt(variance), rel=CLOSE)
    # Welch: s^2 / n of .0001 / 3 and .000075 / 3.
    a, b = 0.0001 / 3, 0.000075 / 3
    assert made.welch is not None
    assert made.welch.t == pytest.approx(0.025 / math.sqrt(a + b), rel=CLOSE)
    assert made.welch.degrees == pytest.approx((a + b) ** 2 / (a**2 / 2 + b**2 / 2), rel=CLOSE)
    # Paired: differences .02, .03, .025, their standard deviation .005.
    assert made.paired is not None
    assert made.paired.t == pytest.approx(0.025 / (0.005 / math.sqrt(3)), rel=CLOSE)
    assert made.paired.degrees == 2


def test_the_tests_are_scipys_and_one_sided() -> None:
    made, back = versus(DRO, PGD), versus(PGD, DRO)
    a, b = list(DRO.values()), list(PGD.values())
    expected = stats.ttest_ind(a, b, alternative="less")
    assert made.pooled is not None
    assert back.pooled is not None
    assert made.pooled.t == pytest.approx(-expected.statistic, rel=CLOSE)
    assert made.pooled.p == pytest.approx(expected.pvalue, rel=CLOSE)
    assert made.pooled.p + back.pooled.p == pytest.approx(1)
    assert made.paired is not None
    paired = stats.ttest_rel(a, b, alternative="less")
    assert made.paired.p == pytest.approx(paired.pvalue, rel=CLOSE)


def test_the_papers_p_is_that_of_49_degrees_of_freedom_not_of_98() -> None:
    # Section 4: t = 3.852, p = .00017, for two times 50 models. A two-sample test has 98 degrees.
    assert stats.t.sf(3.852, 49) == pytest.approx(0.00017, abs=5e-6)
    assert stats.t.sf(3.852, 98) == pytest.approx(0.000105, abs=5e-7)


def test_one_seed_or_equal_slopes_have_no_test() -> None:
    alone = versus({0: 0.1}, {0: 0.2})
    assert (alone.pooled, alone.welch, alone.paired, alone.effect) == (None, None, None, None)
    same = versus({0: 0.1, 1: 0.1}, {0: 0.2, 1: 0.2})
    assert (same.pooled, same.paired, same.effect) == (None, None, None)
    assert same.difference == pytest.approx(0.1)


def test_seeds_that_only_one_has_are_left_out_of_the_pairs() -> None:
    made = versus({0: 0.1, 1: 0.3, 7: 9.0}, {0: 0.2, 1: 0.5, 8: 9.0})
    assert made.paired is not None
    assert made.paired.degrees == 1
    assert made.paired.t == pytest.approx(0.15 / (math.sqrt(0.005) / math.sqrt(2)))


def test_slopes_are_those_of_weighted_least_squares() -> None:
    random = np.random.default_rng(0)
    g, p, w = random.normal(size=(3, 5, 9))
    w = np.abs(w) + 0.1
    expected = [np.polyfit(g[i], p[i], 1, w=np.sqrt(w[i]))[0] for i in range(5)]
    assert slopes(g, p, w) == pytest.approx(np.array(expected), rel=1e-9)
    assert np.isnan(slopes(np.ones((1, 4)), np.ones((1, 4)), np.ones((1, 4)))).all()


def test_a_bootstrap_over_groups_on_lines_without_noise_knows_the_difference() -> None:
    g, n = np.array(COVARIATE), np.array(SAMPLES)
    flat, steep = (Groups(np.arange(4), g, 0.5 + slope * g, n) for slope in (0.01, 0.03))
    made = versus({0: 0.01}, {0: 0.03}, (flat, steep))
    assert made.interval == pytest.approx((0.02, 0.02), abs=1e-12)
    noisy = Groups(np.arange(4), g, steep.accuracy + np.array([0.1, -0.1, 0.05, 0]), n)
    low, high = versus({0: 0.01}, {0: 0.03}, (flat, noisy)).interval or (0, 0)
    assert low < 0.02 - 0.05
    assert high > low + 0.05


def test_groups_are_averaged_over_seeds_and_must_be_the_same() -> None:
    _, results = sweep()
    mine = [r for r in results.values() if r.method == "standard"]
    groups = by_group(mine)
    assert groups is not None
    assert groups.accuracy.tolist() == pytest.approx([0.5 + 0.06 * g for g in COVARIATE])
    assert groups.line == pytest.approx((0.5, 0.06))
    mine[1].samples["group"] = [0, 1, 2, 3]
    assert by_group(mine) is None
    assert by_group([]) is None


def test_figure_4_1_names_every_group_with_its_accuracy_and_size() -> None:
    lines = figures()[0]
    assert [line["group"] for line in lines_of(lines)] == ["A", "B", "C", "D"]
    assert [float(line["accuracy"]) for line in lines_of(lines)] == pytest.approx(
        [0.56, 0.62, 0.68, 0.74]
    )
    assert "A: 56.0 % of 1" in tooltips(lines)
    assert "D: 74.0 % of 1" in tooltips(lines)
    assert "log GDP per capita" in str(lines.svg)


def test_figure_4_2_has_a_slope_a_seed_and_every_pair_tested() -> None:
    boxes = figures()[1]
    told = {(line["method"], int(line["seed"])): float(line["slope"]) for line in lines_of(boxes)}
    assert told == {(m, s): v for m, seeds in SLOPES.items() for s, v in seeds.items()}
    [table] = boxes.content.tables
    assert len(table.rows) == 3
    row = next(row for row in table.rows if row[0].startswith("dro (") and "pgd" in row[0])
    assert row[0] == "dro (0.02000) below dro[attack=pgd] (0.04500)"
    assert row[1] == "0.02500"
    assert row[2] == "t(4) = 3.273, p = 0.015"
    assert row[4] == "t(2) = 8.660, p = 0.0065"
    assert row[5] == "2.67"
    assert row[6] == "0.02500 to 0.02500"


def test_the_published_test_stands_beside_the_measured_one() -> None:
    [table] = figures()[1].content.tables
    row = next(row for row in table.rows if row[0].startswith("dro (") and "pgd" in row[0])
    assert row[7] == "t = 3.852, p = 0.00017 (perceptual-DRO, section 4)"
    others = [r[7] for r in table.rows if r is not row]
    assert others == ["–", "–"]


def test_the_page_shows_the_tests_in_the_open(tmp_path: Path) -> None:
    build(store_of(tmp_path / "store", *sweep()), tmp_path / "site")
    page = (tmp_path / "site" / "geo" / "index.html").read_text(encoding="utf-8")
    table = page.index("Slopes compared on imagenet_geo class|country</span>")
    assert "<details" not in page[page.index('id="figure-2') : table]
    assert "87.5" in page  # accuracy of the pretrained network, perceptual-DRO, section 4


def test_methods_without_slopes_leave_an_empty_figure() -> None:
    plan, _ = sweep()
    views = suite_view(plan.suite, plan, {}).figures
    assert [view.svg for view in views] == [None, None]

"""Friedman and Nemenyi against the worked example of Demšar (2006), scipy and statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.reports.boards.over_tasks import (
    OVER_TASKS_RULE,
    critical_difference,
    friedman,
    inseparable,
    nemenyi_p_value,
    nemenyi_quantile,
    over_tasks,
    ranks_of,
)
from tests.reports.ranked_sweep import ranked_boards

# AUC of four decision trees on 14 data sets: Demšar (2006), table 6. On the last but one he ranks
# two second and third that he prints alike, .975.
AUC = [
    (0.763, 0.768, 0.771, 0.798), (0.599, 0.591, 0.590, 0.569), (0.954, 0.971, 0.968, 0.967),
    (0.628, 0.661, 0.654, 0.657), (0.882, 0.888, 0.886, 0.898), (0.936, 0.931, 0.916, 0.931),
    (0.661, 0.668, 0.609, 0.685), (0.583, 0.583, 0.563, 0.625), (0.775, 0.838, 0.866, 0.875),
    (1.000, 1.000, 1.000, 1.000), (0.940, 0.962, 0.965, 0.962), (0.619, 0.666, 0.614, 0.669),
    (0.972, 0.981, 0.97501, 0.975), (0.957, 0.978, 0.946, 0.970),
]  # fmt: skip
RANKS = [ranks_of(row, "higher") for row in AUC]


def test_the_mean_ranks_of_demsars_example() -> None:
    mean = np.mean(RANKS, axis=0)
    assert mean == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)


def test_friedman_on_demsars_example() -> None:
    # He prints 9.28 and 3.69: by the formula that leaves ties uncorrected.
    mean = np.mean(RANKS, axis=0)
    plain = 12 * 14 / (4 * 5) * (float((mean**2).sum()) - 4 * 5**2 / 4)
    assert plain == pytest.approx(9.28, abs=0.005)
    assert 13 * plain / (14 * 3 - plain) == pytest.approx(3.69, abs=0.005)
    found = friedman(RANKS)
    oracle = stats.friedmanchisquare(*np.array(AUC).T)
    assert (found.n, found.k) == (14, 4)
    assert found.chi_square == pytest.approx(oracle.statistic, rel=1e-12)
    assert found.p_chi_square == pytest.approx(oracle.pvalue, rel=1e-12)
    # Corrected for ties the statistic is larger, and so is F.
    assert found.chi_square > plain
    f = 13 * found.chi_square / (14 * 3 - found.chi_square)
    assert found.f == pytest.approx(f, rel=1e-12)
    assert found.p == pytest.approx(stats.f.sf(f, 3, 39), rel=1e-9)
    assert found.is_significant


@pytest.mark.parametrize(
    ("k", "q"),
    [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (6, 2.850), (7, 2.949), (8, 3.031),
     (9, 3.102), (10, 3.164)],
)  # fmt: skip
def test_the_quantiles_are_those_of_demsars_table_5(k: int, q: float) -> None:
    # The printed table rounds here and there by a unit of its last digit.
    assert nemenyi_quantile(k) == pytest.approx(q, abs=1.01e-3)


def test_the_critical_differences_of_demsars_example() -> None:
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)
    assert critical_difference(4, 14, 0.90) == pytest.approx(1.12, abs=0.005)


def test_the_groups_of_demsars_example() -> None:
    # At 5 % nothing is separated; at 10 % the plain tree is worse than the two best (figure 1a).
    mean_ranks = sorted(np.mean(RANKS, axis=0))
    assert inseparable(mean_ranks, critical_difference(4, 14)) == [(0, 3)]
    assert inseparable(mean_ranks, critical_difference(4, 14, 0.90)) == [(0, 2), (2, 3)]


def test_a_difference_as_large_as_the_critical_one_has_a_p_of_five_percent() -> None:
    for k, n in ((2, 5), (4, 14), (12, 7)):
        assert nemenyi_p_value(critical_difference(k, n), k, n) == pytest.approx(0.05, abs=1e-6)
    assert nemenyi_p_value(0.0, 4, 14) == 1.0
    # With two methods it is the normal test of their difference.
    z = 0.8 / math.sqrt(2 * 3 / (6 * 9))
    assert nemenyi_p_value(-0.8, 2, 9) == pytest.approx(2 * stats.norm.sf(z), rel=1e-6)


def test_tasks_that_all_agree_and_tasks_that_tell_nothing() -> None:
    agreed = friedman([[1, 2, 3]] * 4)
    # 12 * 4 / 12 * (1 + 4 + 9 - 12) = 8 = n (k - 1), the largest there is.
    assert (agreed.chi_square, agreed.f) == (8.0, math.inf)
    # The first task is free, each of the other three has one order in six.
    assert agreed.p == pytest.approx(6**-3)
    # Two that share a rank leave three orders.
    assert friedman([[1.5, 1.5, 3]] * 3).p == pytest.approx(3**-2)
    tied = friedman([[2, 2, 2]] * 4)
    assert (tied.chi_square, tied.f, tied.p, tied.is_significant) == (0.0, 0.0, 1.0, False)


@pytest.mark.parametrize("ranks", [[], [[1.0, 2.0]], [[1.0], [1.0]]])
def test_friedman_needs_two_tasks_and_two_methods(ranks: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="two of each"):
        friedman(ranks)


tables = st.integers(3, 6).flatmap(
    lambda k: st.lists(
        st.lists(st.integers(0, 5).map(float), min_size=k, max_size=k), min_size=3, max_size=8
    )
)


@settings(deadline=None)
@given(tables, st.randoms(use_true_random=False))
def test_friedman_does_not_depend_on_the_order_of_methods_or_tasks(
    table: list[list[float]], random: np.random.Generator
) -> None:
    ranks = [ranks_of(row, "lower") for row in table]
    columns = list(range(len(ranks[0])))
    random.shuffle(columns)
    again = [[row[c] for c in columns] for row in reversed(ranks)]
    assert friedman(again).chi_square == pytest.approx(friedman(ranks).chi_square, abs=1e-9)
    assert friedman(again).p == pytest.approx(friedman(ranks).p, abs=1e-9)
    if any(len(set(row)) > 1 for row in table):
        oracle = stats.friedmanchisquare(*np.array(table).T)
        assert friedman(ranks).chi_square == pytest.approx(oracle.statistic, abs=1e-9)


def test_equal_means_share_their_mean_rank_and_the_direction_is_kept() -> None:
    assert ranks_of([0.3, 0.1, 0.1, 0.2], "lower") == [4.0, 1.5, 1.5, 3.0]
    assert ranks_of([0.3, 0.1, 0.1, 0.2], "higher") == [1.0, 3.5, 3.5, 2.0]
    assert ranks_of([0.1 + 0.2, 0.3], "lower") == [1.5, 1.5]


@pytest.mark.parametrize(
    ("ranks", "reach", "groups"),
    [
        ([1.0, 2.0, 3.0, 4.0], 1.5, [(0, 1), (1, 2), (2, 3)]),
        ([1.0, 1.2, 1.4, 4.0], 1.5, [(0, 2)]),
        ([1.0, 2.0, 2.5, 3.9], 2.0, [(0, 2), (1, 3)]),
        ([1.0, 2.5], 1.5, []),  # as far apart as the critical difference: separated
        ([1.0, 5.0], math.inf, [(0, 1)]),
        ([1.0], 1.0, []),
    ],
)
def test_groups_are_the_largest_runs_within_the_critical_difference(
    ranks: list[float], reach: float, groups: list[tuple[int, int]]
) -> None:
    assert inseparable(ranks, reach) == groups


def test_methods_over_tasks_with_what_failed_left_out_and_named() -> None:
    # Four tasks, five seeds: a before b before c on each; d failed on one task, e on every seed
    # but one of another; f is told the answer.
    (odds,) = over_tasks(ranked_boards())
    assert odds.metric.name == "odds"
    assert [s.label for s in odds.standings] == ["a", "b", "c", "e"]
    assert [s.mean_rank for s in odds.standings] == [1.0, 2.0, 3.0, 4.0]
    assert odds.left_out == {"d": 1}
    assert [s.won for s in odds.standings] == [4, 0, 0, 0]
    assert [s.won_alone for s in odds.standings] == [4, 0, 0, 0]
    assert [s.incomplete for s in odds.standings] == [0, 0, 0, 1]
    assert odds.friedman.p == pytest.approx(24**-3)
    # q = 2.569; sqrt(4 * 5 / 24) = .9129
    assert odds.critical_difference == pytest.approx(2.569032 * math.sqrt(20 / 24), rel=1e-6)
    assert odds.groups == [(0, 2), (1, 3)]
    assert odds.standings[0].p_best is None
    assert odds.standings[3].p_best == pytest.approx(nemenyi_p_value(3, 4, 4))


def test_too_few_tasks_or_methods_give_no_ranks_over_tasks() -> None:
    boards = ranked_boards()
    assert over_tasks(boards[:2]) == []
    assert over_tasks(ranked_boards(only=("a", "b"))) == []
    assert over_tasks([]) == []


def test_the_rule_over_tasks_is_told_in_words() -> None:
    for word in ("Friedman", "Nemenyi", "never counted as last", "caveat"):
        assert word in OVER_TASKS_RULE

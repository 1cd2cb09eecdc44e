"""Paired tests and Holm's correction against scipy, statsmodels and numbers worked out by hand."""

from __future__ import annotations

import itertools
import math
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.stats import rankdata
from statsmodels.stats.multitest import multipletests

from bench.reports.statistics.paired import (
    Paired,
    holm,
    paired,
    paired_by_seed,
    signed_rank_p_value,
)

FIRST = [0.81, 0.79, 0.835, 0.802, 0.776, 0.81, 0.823]
SECOND = [0.80, 0.785, 0.815, 0.803, 0.760, 0.80, 0.79]


def test_a_comparison_worked_out_by_hand() -> None:
    # Differences 1, 2, 3: mean 2, standard deviation 1, d_z 2, t = 2 sqrt(3) with 2 degrees.
    found = paired([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
    assert (found.n, found.difference, found.std, found.effect) == (3, 2.0, 1.0, 2.0)
    # For two degrees of freedom p = 1 - t / sqrt(t^2 + 2) in closed form.
    assert found.p_t == pytest.approx(1 - math.sqrt(12 / 14), rel=1e-12)
    assert found.half_width == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert found.p_wilcoxon == 0.25  # all three signs alike: 2 of 8
    assert found.interval == pytest.approx((2 - 2.484138, 2 + 2.484138), abs=1e-5)


def test_t_interval_and_effect_agree_with_scipy() -> None:
    found = paired(FIRST, SECOND)
    oracle = stats.ttest_rel(FIRST, SECOND)
    assert found.p_t == pytest.approx(oracle.pvalue, rel=1e-9)
    assert found.interval == pytest.approx(tuple(oracle.confidence_interval(0.95)), rel=1e-9)
    assert found.effect == pytest.approx(oracle.statistic / math.sqrt(len(FIRST)), rel=1e-9)


def test_the_signed_rank_test_agrees_with_scipy_without_ties() -> None:
    generator = np.random.default_rng(3)
    for n in range(2, 30):
        differences = generator.normal(0.4, 1.0, n)
        oracle = stats.wilcoxon(differences, method="exact").pvalue
        assert signed_rank_p_value(differences.tolist()) == pytest.approx(oracle, rel=1e-9)


def by_all_signs(differences: list[float]) -> float:
    """The same test by its definition: every sign that every rank could have had."""
    values = [d for d in differences if d]
    if not values:
        return 1.0
    ranks = rankdata(np.abs(values))
    seen = min(ranks[np.array(values) > 0].sum(), ranks[np.array(values) < 0].sum())
    sums = [sum(s) for s in itertools.product(*[(0.0, rank) for rank in ranks])]
    return min(1.0, 2 * sum(total <= seen for total in sums) / len(sums))


@settings(deadline=None)
@given(st.lists(st.integers(-4, 4), min_size=2, max_size=9))
def test_the_signed_rank_test_is_exact_with_ties_and_zeros(differences: list[int]) -> None:
    values = [float(d) for d in differences]
    assert signed_rank_p_value(values) == pytest.approx(by_all_signs(values), abs=1e-12)


def test_five_seeds_never_reach_five_percent_by_signed_ranks_and_six_do() -> None:
    assert signed_rank_p_value([0.1, 0.2, 0.3, 0.4, 0.5]) == 2 / 2**5
    assert signed_rank_p_value([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]) == 2 / 2**6 < 0.05


@pytest.mark.parametrize(
    ("first", "second", "p_t", "p_wilcoxon", "effect"),
    [
        ([0.1, 0.2, 0.3], [0.1, 0.2, 0.3], 1.0, 1.0, None),
        ([1.0, 2.0, 3.0], [1.5, 2.5, 3.5], 0.0, 0.25, None),
        ([0.9, 0.8, 0.7], [0.8, 0.7, 0.6], 0.0, 0.25, None),  # 0.1 but for the last bit
        ([0.5, 0.5 + 1e-16], [0.5, 0.5], 1.0, 1.0, None),
    ],
)
def test_without_variance_t_does_not_exist_and_its_limit_stands_for_it(
    first: list[float],
    second: list[float],
    p_t: float,
    p_wilcoxon: float,
    effect: float | None,
) -> None:
    found = paired(first, second)
    assert found.is_constant
    assert (found.p_t, found.p_wilcoxon, found.effect) == (p_t, p_wilcoxon, effect)
    assert (found.std, found.half_width) == (0.0, 0.0)


def test_fewer_than_two_pairs_are_not_tested() -> None:
    assert paired([], []) == Paired(0, None, None, None, None, None, None)
    assert paired([1.5], [1.0]) == Paired(1, 0.5, None, None, None, None, None)
    assert paired_by_seed({0: 1.0, 1: 2.0}, {2: 1.0, 3: 2.0}).p_t is None


def test_lists_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="2 values cannot be paired with 1"):
        paired([1.0, 2.0], [1.0])


def test_only_common_seeds_are_paired_whatever_their_order() -> None:
    first, second = dict(enumerate(FIRST)), dict(enumerate(SECOND))
    shuffled = dict(reversed(second.items()))
    assert paired_by_seed({**first, 90: 5.0}, {**shuffled, 80: -5.0}) == paired(FIRST, SECOND)


def test_holm_by_hand() -> None:
    # Sorted .01, .02, .03, .04: times 4, 3, 2, 1 = .04, .06, .06, .04, and never falling.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, None, 0.7]) == [1.0, None, 1.0]
    assert holm([None, None]) == [None, None]
    assert holm([]) == []


p_values = st.lists(st.floats(0, 1, allow_subnormal=False), min_size=1, max_size=12)


@settings(deadline=None, max_examples=20)  # statsmodels takes 50 ms a call
@given(p_values)
def test_holm_agrees_with_statsmodels(values: list[float]) -> None:
    oracle = multipletests(values, method="holm")[1]
    assert holm(values) == pytest.approx(oracle.tolist(), abs=1e-12)


@settings(deadline=None)
@given(p_values, st.randoms())
def test_holm_keeps_the_order_never_lowers_a_p_and_ignores_the_order_of_the_family(
    values: list[float], random: Random
) -> None:
    adjusted = holm(values)
    for p, mine in zip(values, adjusted, strict=True):
        assert mine is not None
        assert p <= mine <= 1.0
    order = sorted(range(len(values)), key=lambda i: values[i])
    followed = [adjusted[i] for i in order]
    assert followed == sorted(followed)  # type: ignore[type-var]
    order = list(range(len(values)))
    random.shuffle(order)
    assert holm([values[i] for i in order]) == [adjusted[i] for i in order]


small = st.floats(-1, 1).map(lambda x: round(x, 2))


@settings(deadline=None)
@given(st.lists(st.tuples(small, small), min_size=2, max_size=8))
def test_the_other_way_round_only_the_sign_changes(pairs: list[tuple[float, float]]) -> None:
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    there, back = paired(first, second), paired(second, first)
    assert there.difference == pytest.approx(-(back.difference or 0.0), abs=1e-12)
    assert (there.p_t, there.p_wilcoxon) == pytest.approx((back.p_t, back.p_wilcoxon))
    order = sorted(pairs)
    again = paired([a for a, _ in order], [b for _, b in order])
    assert again.p_t == pytest.approx(there.p_t)
    assert again.p_wilcoxon == there.p_wilcoxon

"""Means, intervals and shared ranks against hand-computed numbers and independent oracles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import DescrStatsW

from bench.reports.statistics.seeds import RANKING_RULE, overall_ranks, shared_ranks, summarize

VALUES = [0.81, 0.79, 0.835, 0.802, 0.776]


def seeds(*values: float) -> dict[int, float]:
    return dict(enumerate(values))


def test_the_interval_of_three_numbers_is_the_one_worked_out_by_hand() -> None:
    summary = summarize([1.0, 2.0, 3.0])
    assert summary is not None
    assert (summary.n, summary.mean, summary.std) == (3, 2.0, 1.0)
    # t(0.975, 2) = 4.302653; divided by sqrt(3)
    assert summary.half_width == pytest.approx(4.302653 / 1.7320508, rel=1e-6)


def test_the_interval_agrees_with_statsmodels_and_scipy() -> None:
    summary = summarize(VALUES)
    assert summary is not None
    assert summary.half_width is not None
    low, high = DescrStatsW(VALUES).tconfint_mean(alpha=0.05)
    assert summary.mean - summary.half_width == pytest.approx(low, rel=1e-10)
    assert summary.mean + summary.half_width == pytest.approx(high, rel=1e-10)
    margin = stats.t.ppf(0.975, 4) * stats.sem(VALUES)
    assert summary.half_width == pytest.approx(margin, rel=1e-10)


def test_one_seed_has_no_interval_and_none_has_no_mean() -> None:
    summary = summarize([0.5])
    assert summary is not None
    assert (summary.n, summary.mean, summary.std, summary.half_width) == (1, 0.5, None, None)
    assert summarize([]) is None


def test_the_bootstrap_of_three_numbers_is_the_one_counted_by_hand() -> None:
    # 27 resamples of 1, 2, 3: |mean - 2| is 1 in 2, 2/3 in 6, less in 19. So 95 % lie within 1
    # (25 of 27 = 92.6 % within 2/3).
    summary = summarize([3.0, 1.0, 2.0], "bootstrap")
    assert summary is not None
    assert summary.half_width == pytest.approx(1.0)
    assert (summary.n, summary.mean, summary.std) == (3, 2.0, 1.0)


def test_the_bootstrap_agrees_with_scipys_where_the_two_sides_are_alike() -> None:
    values = np.random.default_rng(1).normal(0.8, 0.02, 40)
    summary = summarize(values.tolist(), "bootstrap")
    oracle = stats.bootstrap((values,), np.mean, method="percentile", rng=2).confidence_interval
    assert summary is not None
    assert summary.half_width == pytest.approx((oracle.high - oracle.low) / 2, rel=0.05)


def test_the_bootstrap_is_the_same_in_every_build_and_whatever_the_order() -> None:
    assert summarize(VALUES, "bootstrap") == summarize(VALUES, "bootstrap")
    backwards, forwards = summarize(VALUES[::-1], "bootstrap"), summarize(VALUES, "bootstrap")
    assert backwards is not None
    assert forwards is not None
    assert backwards.half_width == forwards.half_width
    one = summarize([0.5], "bootstrap")
    assert one is not None
    assert one.half_width is None


def test_a_tie_shares_the_leaders_place_and_the_next_counts_on() -> None:
    places = shared_ranks(
        {
            "third": seeds(0.50, 0.51, 0.49, 0.50),
            "first": seeds(0.90, 0.92, 0.88, 0.91),
            "tied": seeds(0.91, 0.90, 0.89, 0.90),
            "absent": {},
        },
        "higher",
    )
    assert {m: (p.rank, p.shared) for m, p in places.items()} == {
        "first": (1, True),
        "tied": (1, True),
        "third": (3, False),
    }


def test_a_group_is_compared_with_its_leader_not_with_its_neighbour() -> None:
    # b ties with a, c with b; but c is apart from a, which leads b's group.
    values = {
        "a": seeds(0.0, 0.0, 0.0, 0.0),
        "b": seeds(-1.0, 3.0, -1.0, 3.0),
        "c": seeds(1.9, 2.1, 1.8, 2.2),
    }
    assert {m: p.rank for m, p in shared_ranks(values, "lower").items()} == {"a": 1, "b": 1, "c": 3}


def test_with_one_common_seed_only_equal_means_share() -> None:
    places = shared_ranks({"a": seeds(1.0), "b": seeds(1.0), "c": seeds(1.0001)}, "lower")
    assert {m: p.rank for m, p in places.items()} == {"a": 1, "b": 1, "c": 3}


def test_the_number_of_methods_behind_the_leader_is_paid_for() -> None:
    a, b = seeds(0.0, 0.0, 0.0), seeds(1.0, 1.2, 1.4)  # t = 10.4, p = .0091
    alone = shared_ranks({"a": a, "b": b}, "lower")
    assert (alone["a"].shared, alone["b"].rank) == (False, 2)
    # Five more that nothing separates: .0091 times 6 is more than 5 %.
    crowd = {f"c{i}": seeds(-3.0 + i, 9.0, 2.0 - i) for i in range(5)}
    places = shared_ranks({"a": a, "b": b, **crowd}, "lower")
    assert len(places) == 7
    assert {place.rank for place in places.values()} == {1}


def test_common_seeds_that_say_the_opposite_do_not_separate() -> None:
    # b's mean is worse for its seed 9 alone; on the seeds both have, it is better every time.
    a, b = seeds(1.0, 1.1, 1.2, 1.3), {**seeds(0.9, 1.0, 1.1, 1.21), 9: 50.0}
    assert {m: p.rank for m, p in shared_ranks({"a": a, "b": b}, "lower").items()} == {
        "a": 1,
        "b": 1,
    }


def test_a_difference_that_is_the_same_on_every_seed_separates_unless_it_is_zero() -> None:
    values = {"a": seeds(1.0, 1.0), "b": seeds(0.0, 0.0), "c": seeds(0.0, 0.0)}
    assert {m: p.rank for m, p in shared_ranks(values, "higher").items()} == {
        "a": 1,
        "b": 2,
        "c": 2,
    }


def test_a_metric_without_a_direction_ranks_nothing() -> None:
    assert shared_ranks({"a": seeds(1.0, 2.0)}, "") == {}


def test_the_overall_rank_orders_mean_places_and_shares_equal_ones() -> None:
    odds = shared_ranks({"a": seeds(1.0), "b": seeds(2.0), "c": seeds(3.0)}, "lower")
    eacc = shared_ranks({"a": seeds(1.0), "b": seeds(2.0), "d": seeds(3.0)}, "higher")
    both = overall_ranks([odds, eacc])
    # a: places 1 and 3, b: 2 and 2; c and d lack a metric.
    assert {m: (p.rank, p.shared, p.score) for m, p in both.items()} == {
        "a": (1, True, 2.0),
        "b": (1, True, 2.0),
    }
    assert overall_ranks([]) == {}


def test_the_rule_is_told_in_words() -> None:
    for word in ("paired t-test", "Holm", "5 %", "1, 1, 3", "never as zero"):
        assert word in RANKING_RULE


numbers = st.floats(-1, 1).map(lambda x: round(x, 3))
methods = st.dictionaries(
    st.sampled_from("abcdefgh"), st.dictionaries(st.integers(0, 4), numbers, max_size=5)
)


@settings(deadline=None)
@given(methods, st.sampled_from(["higher", "lower"]))
def test_ranks_are_competition_ranks_that_follow_the_means(
    values: dict[str, dict[int, float]], better: str
) -> None:
    places = shared_ranks(values, better)
    assert set(places) == {m for m, v in values.items() if v}
    taken = sorted(place.rank for place in places.values())
    assert all(rank == taken.index(rank) + 1 for rank in taken)
    sign = 1 if better == "lower" else -1
    for one in places.values():
        assert one.shared == (taken.count(one.rank) > 1)
        for other in places.values():
            if sign * one.score < sign * other.score:
                assert one.rank <= other.rank
    reversed_order = dict(reversed(values.items()))
    assert shared_ranks(reversed_order, better) == places
    mirrored = {m: {s: -x for s, x in v.items()} for m, v in values.items()}
    opposite = shared_ranks(mirrored, "higher" if better == "lower" else "lower")
    assert {m: p.rank for m, p in opposite.items()} == {m: p.rank for m, p in places.items()}

"""Metrics of the debiasing track: counts by hand, and other people's libraries."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, recall_score, roc_auc_score

from bench.errors import Skip
from bench.tracks.debiasing import metrics
from bench.tracks.debiasing.metrics import GroupCounts

Ints = npt.NDArray[np.int64]
unhurried = settings(deadline=None, max_examples=30)  # other processes share the cores

# [group][true class][predicted class]
BINARY = [[[8, 2], [4, 6]], [[5, 5], [1, 19]]]
# Recalls: group 0: TNR 8/10, TPR 6/10; group 1: TNR 5/10, TPR 19/20.
PERFECT = [[[3, 0], [0, 7]], [[1, 0], [0, 2]]]
WRONG_IN_ONE_GROUP = [[[3, 0], [0, 7]], [[0, 1], [2, 0]]]
ALWAYS_POSITIVE = [[[0, 9], [0, 1]], [[0, 1], [0, 4]]]
THREE = [
    [[2, 1, 1], [0, 4, 0], [1, 0, 3]],  # recalls 2/4, 4/4, 3/4; predicted 3, 5, 4 of 12
    [[1, 0, 0], [1, 1, 2], [0, 2, 3]],  # recalls 1/1, 1/4, 3/5; predicted 2, 3, 5 of 10
]


@pytest.mark.parametrize(
    ("metric", "table", "expected"),
    [
        (metrics.equalized_odds, BINARY, (0.35 + 0.30) / 2),
        (metrics.equalized_odds, PERFECT, 0),
        (metrics.equalized_odds, WRONG_IN_ONE_GROUP, 1),
        (metrics.equalized_odds, ALWAYS_POSITIVE, 0),
        (metrics.equalized_odds, THREE, (0.5 + 0.75 + 0.15) / 3),
        (metrics.equalized_accuracy, BINARY, (0.8 + 0.6 + 0.5 + 0.95) / 4),
        (metrics.equalized_accuracy, PERFECT, 1),
        (metrics.equalized_accuracy, WRONG_IN_ONE_GROUP, 0.5),
        (metrics.equalized_accuracy, ALWAYS_POSITIVE, 0.5),
        (metrics.equalized_accuracy, THREE, (0.5 + 1 + 0.75 + 1 + 0.25 + 0.6) / 6),
        (metrics.accuracy, BINARY, 38 / 50),
        (metrics.accuracy, WRONG_IN_ONE_GROUP, 10 / 13),
        (metrics.accuracy, ALWAYS_POSITIVE, 5 / 15),
        (metrics.accuracy, THREE, 14 / 22),
        (lambda c: metrics.group_accuracy(c, 0), BINARY, 14 / 20),
        (lambda c: metrics.group_accuracy(c, 1), BINARY, 24 / 30),
        (lambda c: metrics.group_accuracy(c, 0), THREE, 9 / 12),
        (lambda c: metrics.group_accuracy(c, 1), THREE, 5 / 10),
        (metrics.worst_group_accuracy, BINARY, 0.5),
        (metrics.worst_group_accuracy, PERFECT, 1),
        (metrics.worst_group_accuracy, ALWAYS_POSITIVE, 0),
        (metrics.worst_group_accuracy, THREE, 0.25),
        (metrics.demographic_parity_gap, BINARY, 24 / 30 - 8 / 20),
        (metrics.demographic_parity_gap, PERFECT, 0.7 - 2 / 3),
        (metrics.demographic_parity_gap, ALWAYS_POSITIVE, 0),
        (metrics.demographic_parity_gap, THREE, 5 / 10 - 4 / 12),
    ],
)
def test_a_metric_of_counts_by_hand(
    metric: Callable[[GroupCounts], float], table: list[list[list[int]]], expected: float
) -> None:
    assert metric(GroupCounts(np.array(table))) == pytest.approx(expected, abs=1e-12)


def test_counting_by_group_class_and_prediction() -> None:
    y, predicted, b = (np.array(v) for v in ([0, 0, 1, 2, 2], [0, 1, 1, 0, 0], [0, 0, 1, 1, 1]))
    assert GroupCounts.of(y, predicted, b, 3).counts.tolist() == [
        [[1, 1, 0], [0, 0, 0], [0, 0, 0]],
        [[0, 0, 0], [0, 1, 0], [2, 0, 0]],
    ]


def test_recall_of_an_empty_cell_is_not_a_number() -> None:
    recall = GroupCounts(np.array([[[1, 0], [0, 0]], [[1, 1], [0, 2]]])).recall
    assert np.isnan(recall[0, 1])
    assert recall[1].tolist() == [0.5, 1.0]


def draws(classes: int) -> st.SearchStrategy[tuple[Ints, Ints, Ints]]:
    """Targets, predictions and groups with every (class, group) cell at least once."""
    sample = st.tuples(st.integers(0, classes - 1), st.integers(0, classes - 1), st.integers(0, 1))

    def complete(samples: list[tuple[int, int, int]]) -> tuple[Ints, Ints, Ints]:
        cells = [(y, (y + i) % classes, b) for i, b in enumerate((0, 1)) for y in range(classes)]
        y, predicted, b = np.array(samples + cells).T
        return y, predicted, b

    return st.lists(sample, max_size=60).map(complete)


@unhurried
@given(draws(2))
def test_odds_is_fairlearns_equalized_odds_difference(case: tuple[Ints, Ints, Ints]) -> None:
    y, predicted, b = case
    ours = metrics.equalized_odds(GroupCounts.of(y, predicted, b, 2))
    theirs = equalized_odds_difference(y, predicted, sensitive_features=b, agg="mean")
    assert ours == pytest.approx(theirs, abs=1e-12)


@unhurried
@given(draws(2))
def test_the_parity_gap_is_fairlearns_demographic_parity_difference(
    case: tuple[Ints, Ints, Ints],
) -> None:
    y, predicted, b = case
    ours = metrics.demographic_parity_gap(GroupCounts.of(y, predicted, b, 2))
    theirs = demographic_parity_difference(y, predicted, sensitive_features=b)
    assert ours == pytest.approx(theirs, abs=1e-12)


@unhurried
@given(st.integers(2, 4).flatmap(lambda classes: st.tuples(st.just(classes), draws(classes))))
def test_equalized_accuracy_is_the_mean_of_sklearns_recalls(
    drawn: tuple[int, tuple[Ints, Ints, Ints]],
) -> None:
    classes, (y, predicted, b) = drawn
    counts = GroupCounts.of(y, predicted, b, classes)
    recalls = np.array(
        [
            recall_score(y[b == g], predicted[b == g], labels=range(classes), average=None)
            for g in (0, 1)
        ]
    )
    assert metrics.equalized_accuracy(counts) == pytest.approx(recalls.mean(), abs=1e-12)
    assert metrics.worst_group_accuracy(counts) == pytest.approx(recalls.min(), abs=1e-12)
    assert metrics.accuracy(counts) == pytest.approx(accuracy_score(y, predicted), abs=1e-12)


@unhurried
@given(st.integers(2, 4).flatmap(lambda classes: st.tuples(st.just(classes), draws(classes))))
def test_metrics_are_fractions_and_do_not_care_which_group_is_called_zero(
    drawn: tuple[int, tuple[Ints, Ints, Ints]],
) -> None:
    classes, (y, predicted, b) = drawn
    counts = GroupCounts.of(y, predicted, b, classes)
    swapped = GroupCounts.of(y, predicted, 1 - b, classes)
    for metric in (
        metrics.equalized_odds,
        metrics.equalized_accuracy,
        metrics.accuracy,
        metrics.worst_group_accuracy,
        metrics.demographic_parity_gap,
    ):
        assert 0 <= metric(counts) <= 1
        assert metric(counts) == pytest.approx(metric(swapped), abs=1e-12)
    assert metrics.group_accuracy(counts, 0) == metrics.group_accuracy(swapped, 1)


def test_area_under_the_curve_by_hand() -> None:
    y, score = np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.4, 0.9])
    # Of four pairs of a negative and a positive, three are in the right order.
    assert metrics.area_under_curve(y, np.stack([1 - score, score], axis=1)) == 0.75


def test_area_under_the_curve_of_three_classes_is_the_mean_of_one_against_the_rest() -> None:
    y = np.array([0, 1, 2, 1])
    p = np.array([[0.6, 0.3, 0.1], [0.5, 0.2, 0.3], [0.1, 0.2, 0.7], [0.2, 0.7, 0.1]])
    # Class 0: .6 over .5 .1 .2; class 1: of (.2, .7) against (.3, .2) .5 and 2 in order of 4;
    # class 2: .7 over .1 .3 .1.
    assert metrics.area_under_curve(y, p) == pytest.approx((1 + 2.5 / 4 + 1) / 3)


@unhurried
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 20)), min_size=2, max_size=40))
def test_area_under_the_curve_is_sklearns(samples: list[tuple[int, int]]) -> None:
    y, score = np.array(samples).T
    assume(len(set(y.tolist())) == 2)
    p = np.stack([1 - score / 20, score / 20], axis=1)
    assert metrics.area_under_curve(y, p) == pytest.approx(roc_auc_score(y, score), abs=1e-12)


def test_squared_error_over_all_and_by_group() -> None:
    y, predicted, b = np.array([1.0, 2, 3, 4]), np.array([1.0, 4, 3, 1]), np.array([0, 0, 1, 1])
    assert metrics.squared_error(y, predicted, b) == (13 / 4, 2.0, 4.5)


def test_an_empty_cell_is_refused_with_its_class_group_and_split() -> None:
    y, b = np.array([0, 0, 1, 2, 2, 1]), np.array([0, 1, 0, 0, 1, 0])
    names = ("cat", "dog", "owl"), ("day", "night")
    with pytest.raises(Skip, match="the test split has no sample of class dog in group night"):
        metrics.require_every_cell(y, b, *names, "test")
    metrics.require_every_cell(np.append(y, 1), np.append(b, 1), *names, "test")


def test_a_class_that_is_absent_altogether_is_refused_too() -> None:
    y, b = np.array([0, 0]), np.array([0, 1])
    with pytest.raises(Skip, match="the train split has no sample of class yes in group men"):
        metrics.require_every_cell(y, b, ("no", "yes"), ("men", "women"), "train")

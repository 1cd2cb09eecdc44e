"""How many members of a cluster are inspected, and the tag it gets."""

from __future__ import annotations

from itertools import product

import pytest

from bench.tracks.poisoning.tagging import (
    Cluster,
    Queue,
    enough,
    inspected,
    inspections_needed,
    least_inspections,
    majority,
    p_tagging,
)


@pytest.mark.parametrize(
    ("n", "p", "probability"),
    [
        (1, 0.8, 0.8),
        (2, 0.8, 0.64),  # both: one of two is no majority
        (3, 0.8, 0.8**3 + 3 * 0.8**2 * 0.2),
        (5, 0.5, 0.5),
        (7, 1.0, 1.0),
        (7, 0.0, 0.0),
    ],
)
def test_the_probability_of_a_right_tag(n: int, p: float, probability: float) -> None:
    assert p_tagging(n, p) == pytest.approx(probability)


def test_fifteen_looks_at_a_cluster_of_purity_80_give_what_the_paper_says() -> None:
    assert round(100 * p_tagging(15, 0.8), 1) == 99.6  # LABOR, section 3.2 and Figure 2


@pytest.mark.parametrize(("n", "p"), [(4, 0.6), (5, 0.7), (6, 0.9)])
def test_the_probability_is_that_of_counting_every_outcome(n: int, p: float) -> None:
    right = 0.0
    for outcome in product([True, False], repeat=n):
        if 2 * sum(outcome) > n:
            right += p ** sum(outcome) * (1 - p) ** (n - sum(outcome))
    assert p_tagging(n, p) == pytest.approx(right)


@pytest.mark.parametrize(
    ("p", "certainty", "n"), [(1.0, 0.99, 1), (0.8, 0.8, 1), (0.8, 0.89, 3), (0.8, 0.99, 13)]
)
def test_inspections_needed_for_a_certainty(p: float, certainty: float, n: int) -> None:
    assert inspections_needed(p, certainty) == n
    assert p_tagging(n, p) >= certainty
    assert all(p_tagging(fewer, p) < certainty for fewer in range(1, n))


@pytest.mark.parametrize(("p", "certainty"), [(0.5, 0.9), (0.2, 0.9), (0.8, 1.0)])
def test_what_no_number_of_inspections_gives_is_refused(p: float, certainty: float) -> None:
    with pytest.raises(ValueError, match="no number of inspections"):
        inspections_needed(p, certainty)


@pytest.mark.parametrize(
    ("tags", "is_enough"),
    [
        ([1, 1, 1, 1], False),  # below the least
        ([1, 1, 1, 1, 1], True),
        ([1, 1, 1, 1, 2], True),  # four of five: 80 %
        ([1, 1, 1, 2, 2], False),
        ([1, 1, 1, 2, 2, 1, 1], False),
        ([1, 1, 1, 2, 2, 1, 1, 1, 1, 1], True),  # eight of ten
        ([1, 1, 1, None, 1], True),  # all that were sure agree
        ([1, None, None, None, None], False),  # one sure inspection is not a cluster's tag
        ([None] * 19, False),
        ([None] * 20, True),
        ([1, 2] * 10, True),  # the most
    ],
)
def test_a_cluster_that_agrees_is_done_early(tags: list[int | None], is_enough: bool) -> None:
    assert enough(tags, least=5, most=20) is is_enough


@pytest.mark.parametrize(
    ("tags", "tag"),
    [([], None), ([None, None], None), ([2, None, 2, 1], 2), ([1, 0], 1), ([0, 1], 0)],
)
def test_the_tag_is_what_was_seen_most_often_or_first(tags: list[int | None], tag: object) -> None:
    assert majority(tags) == tag


def test_clusters_below_the_median_take_five_looks_and_the_others_ten() -> None:
    assert least_inspections([10, 30, 20]) == [5, 10, 10]
    assert least_inspections([]) == []


def test_a_queue_asks_the_largest_cluster_first_and_keeps_no_more_rows_than_are_asked() -> None:
    queue = Queue.of("task", ("a", "b"), {0: [5, 3], 1: [], 2: list(range(10, 40)), 3: [1, 2]}, 4)
    assert queue.clusters == (
        Cluster(2, 30, (10, 11, 12, 13), 4),
        Cluster(0, 2, (5, 3), 4),
        Cluster(3, 2, (1, 2), 4),
    )


def test_a_queue_that_is_not_adaptive_asks_as_often_of_every_cluster() -> None:
    members = {0: [5, 3, 8], 1: list(range(10, 40))}
    queue = Queue.of("task", ("a", "b"), members, 15, adaptive=False)
    assert [cluster.least for cluster in queue.clusters] == [15, 15]
    assert [len(inspected(cluster, lambda _: 1, 15)) for cluster in queue.clusters] == [15, 3]


def test_looking_stops_when_it_is_enough() -> None:
    cluster = Cluster(0, 30, tuple(range(30)), 5)
    assert inspected(cluster, lambda _: 1) == dict.fromkeys(range(5), 1)
    assert len(inspected(cluster, lambda row: row % 2)) == 20
    assert len(inspected(Cluster(0, 3, (1, 2, 3), 5), lambda _: 1)) == 3

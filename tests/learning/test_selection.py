"""Which candidate wins, by each of the three rules."""

from __future__ import annotations

import weakref
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.learning.selection import RULES, Rule, Selection, best, totals

# Costs are Odds and minus EAcc. Sums: -.60, -.50, -.64, -.55.
# Ranks: 3 + 2, 2 + 3, 4 + 1, 1 + 4: all five, the earliest wins.
TRADE_OFF = [(0.20, -0.80), (0.10, -0.60), (0.30, -0.94), (0.00, -0.55)]
# An outlier in Odds stretches the z-scores of Odds, so that EAcc decides among the others:
# z of Odds .0 .1 .2 .9 -> about -.85 -.56 -.28 1.69; of EAcc .5 .55 .7 .7 -> 1.23 .68 -.96 -.96.
OUTLIER = [(0.0, -0.5), (0.1, -0.55), (0.2, -0.7), (0.9, -0.7)]

costs = st.integers(0, 64).map(lambda n: n / 64)  # sums of these are exact
candidates = st.lists(st.tuples(costs, costs), min_size=1, max_size=12)
rules = st.sampled_from(get_args(Rule))
unhurried = settings(deadline=None, max_examples=50)  # other processes share the cores


@pytest.mark.parametrize(
    ("table", "rule", "winner"),
    [
        (TRADE_OFF, "difference", 2),
        (TRADE_OFF, "rank", 0),
        (OUTLIER, "difference", 0),
        (OUTLIER, "rank", 2),  # ranks 1 + 4, 2 + 3, 3 + 1.5, 4 + 1.5
        (OUTLIER, "zscore", 2),
        ([(0.5, 0.5)], "difference", 0),
        ([(0.5, 0.5)], "rank", 0),
        ([(0.5, 0.5)], "zscore", 0),
    ],
)
def test_the_winner_of_hand_tables(
    table: list[tuple[float, float]], rule: Rule, winner: int
) -> None:
    assert best(table, rule) == winner
    assert selected(table, rule) == (winner, f"weights {winner}")


def test_the_rank_rule_gives_equals_the_mean_of_their_ranks() -> None:
    assert totals([(1, 5), (1, 4), (2, 4)], "rank").tolist() == [4.5, 3.0, 4.5]


def test_the_zscore_rule_on_two_candidates_by_hand() -> None:
    assert totals([(0, 3), (1, 1)], "zscore").tolist() == [0.0, 0.0]
    assert totals([(0, 1), (1, 1)], "zscore").tolist() == [-1.0, 1.0]  # no spread counts nothing


def test_every_rule_is_said_in_words() -> None:
    assert set(RULES) == set(get_args(Rule))


@unhurried
@given(candidates, rules)
def test_keeping_only_what_can_win_never_changes_the_winner(
    table: list[tuple[float, float]], rule: Rule
) -> None:
    winner, payload = selected(table, rule)
    sums = totals(table, rule)
    assert payload == f"weights {winner}"
    assert sums[winner] == pytest.approx(sums.min(), abs=1e-9)
    if rule != "zscore":  # its divisions round, so that ties need not be exact
        assert winner == best(table, rule)


@unhurried
@given(candidates, rules)
def test_no_candidate_beats_the_winner_in_one_score_without_losing_in_the_other(
    table: list[tuple[float, float]], rule: Rule
) -> None:
    winner = np.array(table[selected(table, rule)[0]])
    others = np.array(table)
    assert not ((others <= winner).all(axis=1) & (others < winner).any(axis=1)).any()


@unhurried
@given(st.tuples(costs, costs), st.integers(1, 5), rules)
def test_of_equals_the_earliest_wins(cost: tuple[float, float], copies: int, rule: Rule) -> None:
    table = [(2.0, 2.0)] + [cost] * copies
    assert best(table, rule) == selected(table, rule)[0] == 1


def test_weights_are_copied_only_where_a_candidate_could_still_win() -> None:
    copied: list[int] = []
    selection: Selection[int] = Selection("difference")
    for epoch, cost in enumerate([(0.5, 0.5), (0.6, 0.5), (0.4, 0.9), (0.5, 0.5), (0.1, 0.1)]):
        selection.offer(cost, lambda epoch=epoch: copied.append(epoch) or epoch)
    assert copied == [0, 2, 4]
    assert selection.best() == (4, 4)


def test_the_weights_of_a_beaten_candidate_are_let_go() -> None:
    class Weights:
        pass

    first, second = Weights(), Weights()
    seen = weakref.ref(first)
    selection: Selection[Weights] = Selection("rank")
    selection.offer((0.5, 0.5), lambda kept=[first]: kept.pop())
    del first
    assert seen() is not None
    selection.offer((0.4, 0.5), lambda: second)
    assert seen() is None


def selected(table: list[tuple[float, float]], rule: Rule) -> tuple[int, str]:
    selection: Selection[str] = Selection(rule)
    for position, cost in enumerate(table):
        selection.offer(cost, lambda position=position: f"weights {position}")
    return selection.best()

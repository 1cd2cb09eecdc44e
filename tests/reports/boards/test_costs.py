"""What methods cost and gain for it, worked out by hand."""

from __future__ import annotations

import pytest

from bench.reports.boards.costs import COST_RULE, Price, Prices, cost_sentence, prices
from bench.reports.boards.leaderboard import Board
from bench.reports.boards.verdicts import comparisons
from tests.reports.boards_by_hand import Values, board_of
from tests.reports.synthetic_sweep import environment

ODDS: Values = {
    "standard": (8.0, 8.3, 7.9),
    "bade": (5.0, 5.2, 5.1),  # 3.0, 3.1 and 2.8 points better
    "slow": (9.0, 9.2, 9.1),
    "quick": (7.0, 7.2, 7.0),
}
SECONDS: Values = {
    "standard": (10.0, 11.0, 12.0),
    "bade": (20.0, 20.5, 22.5),  # 10, 9.5 and 10.5 more
    "slow": (100.0, 101.0, 102.0),
    "quick": (10.5, 10.4, 12.2),  # .5 more, .6 less, .2 more
}


def priced(board: Board) -> tuple[Prices, dict[str, Price]]:
    made = prices(board, comparisons(board))
    return made, {line.row.method.label: line for line in made.lines}


def test_gain_per_extra_second_by_hand() -> None:
    made, lines = priced(board_of(ODDS, seconds=SECONDS))
    bade = lines["bade"]
    assert bade.extra_seconds == pytest.approx(10.0)
    gain = bade.gains["odds"]
    # (3.0 + 3.1 + 2.8) / 3 points over 10 seconds; stored as a fraction.
    assert gain.size == pytest.approx(8.9 / 3 / 100)
    assert gain.per_second == pytest.approx(8.9 / 3 / 100 / 10)
    assert gain.is_significant
    assert gain.per_inspection is None
    assert made.reference is not None
    assert made.reference.method.label == "standard"
    assert [m.name for m in made.metrics] == ["odds"]
    assert not made.has_inspections


def test_no_gain_and_no_extra_time_give_no_rate() -> None:
    _, lines = priced(board_of(ODDS, seconds=SECONDS))
    slow, quick = lines["slow"].gains["odds"], lines["quick"].gains["odds"]
    assert slow.size == pytest.approx(-3.1 / 3 / 100)
    assert (slow.per_second, lines["slow"].extra_seconds) == (None, pytest.approx(90.0))
    # A tenth of a second in the mean that its interval does not tell from none.
    assert quick.size is not None
    assert quick.size > 0
    assert (quick.per_second, lines["quick"].extra_seconds) == (None, None)


def test_the_reference_has_no_gain_and_nothing_to_be_extra_to() -> None:
    _, lines = priced(board_of(ODDS, seconds=SECONDS))
    assert (lines["standard"].extra, lines["standard"].gains) == (None, {})


def test_without_a_reference_there_are_costs_but_no_gains() -> None:
    made, lines = priced(board_of({"bade": (5.0, 5.2), "rnf": (6.0, 6.3)}))
    assert (made.reference, list(made.metrics)) == (None, [])
    assert [line.gains for line in lines.values()] == [{}, {}]


def test_what_a_person_looked_at_is_paid_for() -> None:
    made, lines = priced(board_of(ODDS, seconds=SECONDS, looks={"bade": 50.0}))
    assert made.has_inspections
    gain = lines["bade"].gains["odds"]
    assert gain.per_inspection == pytest.approx(8.9 / 3 / 100 / 50)
    assert lines["quick"].gains["odds"].per_inspection is None


def test_one_seed_has_an_extra_without_an_interval() -> None:
    _, lines = priced(
        board_of(
            {"standard": (8.0,), "bade": (5.0,)}, seconds={"standard": (10.0,), "bade": (16.0,)}
        )
    )
    gain = lines["bade"].gains["odds"]
    assert gain.per_second == pytest.approx(0.03 / 6)
    assert not gain.is_significant


def test_an_entry_with_a_caveat_has_a_cost_and_no_gain() -> None:
    _, lines = priced(board_of(ODDS, seconds=SECONDS, told=["bade"]))
    assert lines["bade"].extra_seconds == pytest.approx(10.0)
    assert lines["bade"].gains == {}


def test_device_seconds_exist_where_a_gpu_was_held() -> None:
    gpu = environment(device="some GPU")
    made, lines = priced(board_of(ODDS, seconds=SECONDS, where={"bade": gpu}))
    assert made.has_device_seconds
    on_gpu = lines["bade"].row.device_seconds
    assert on_gpu is not None
    assert on_gpu.mean == pytest.approx(21.0)
    assert lines["standard"].row.device_seconds is None
    assert list(made.machines) == ["Some CPU, cpu", "Some CPU, some GPU"]
    assert not priced(board_of(ODDS))[0].has_device_seconds


def test_the_sentence_of_costs() -> None:
    board = board_of(ODDS, seconds=SECONDS, looks={"bade": 50.0})
    made, lines = priced(board)
    assert cost_sentence(made, lines["bade"].row) == (
        "bade takes 21 s a seed, 1.9 times the 11 s of standard and 50 inspections by a person."
    )
    assert cost_sentence(made, lines["standard"].row) is None
    assert cost_sentence(made, None) is None


def test_the_rule_of_costs_is_told_in_words() -> None:
    for word in ("extra second", "per inspection", "Device seconds", "reference"):
        assert word in COST_RULE

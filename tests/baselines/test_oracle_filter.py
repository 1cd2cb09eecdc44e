"""Oracle filter: the upper bound, filled in by the judge."""

from __future__ import annotations

from bench.baselines.oracle_filter import OracleFilter
from bench.tracks.poisoning.contract import Defence
from tests import tiny_poison


def test_the_judge_is_asked_for_the_poison_and_pages_do_not_rank_it() -> None:
    task = tiny_poison.poisoned().task
    assert OracleFilter().defend(task, tiny_poison.context_on(task)) == Defence(bound="poison")
    assert "poisoned samples" in (OracleFilter().caveat or "")

"""Random filter: the lower bound, filled in by the judge."""

from __future__ import annotations

from bench.baselines.random_filter import RandomFilter
from bench.tracks.poisoning.contract import Defence
from tests import tiny_poison


def test_the_judge_is_asked_for_as_many_at_random_and_pages_do_not_rank_it() -> None:
    task = tiny_poison.poisoned().task
    assert RandomFilter().defend(task, tiny_poison.context_on(task)) == Defence(bound="random")
    assert "number of poisoned samples" in (RandomFilter().caveat or "")

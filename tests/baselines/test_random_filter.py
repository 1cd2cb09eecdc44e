"""Random filter: the lower bound, filled in by the judge."""

from __future__ import annotations

import tiny_poison

from baselines.random_filter import RandomFilter
from benchmarks.tracks.poisoning.contract import Defence


def test_the_judge_is_asked_for_as_many_at_random_and_pages_do_not_rank_it() -> None:
    task = tiny_poison.poisoned().task
    assert RandomFilter().defend(task, tiny_poison.trial_on(task)) == Defence(bound="random")
    assert "how many samples are poisoned" in (RandomFilter().caveat or "")

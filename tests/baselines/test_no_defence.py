"""No defence: nothing is flagged and nothing is trained."""

from __future__ import annotations

import tiny_poison

from baselines.no_defence import NoDefence
from benchmarks.tracks.poisoning.contract import Defence


def test_it_finds_nothing_and_trains_nothing() -> None:
    task = tiny_poison.poisoned().task
    trial = tiny_poison.trial_on(task)
    assert NoDefence().defend(task, trial) == Defence()
    assert trial.calls == []

"""No defence: nothing is flagged and nothing is trained."""

from __future__ import annotations

from bench.baselines.no_defence import NoDefence
from bench.tracks.poisoning.contract import Defence
from tests import tiny_poison


def test_it_finds_nothing_and_trains_nothing() -> None:
    task = tiny_poison.poisoned().task
    context = tiny_poison.context_on(task)
    assert NoDefence().defend(task, context) == Defence()
    assert context.calls == []

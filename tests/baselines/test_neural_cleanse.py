"""Neural Cleanse: masks and patterns of all classes at once, the anomaly index, unlearning."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from bench.baselines import neural_cleanse
from bench.baselines.neural_cleanse import NeuralCleanse, Search, Triggers, anomaly_index, bounded
from bench.errors import Skip
from bench.tracks.poisoning.contract import PoisoningTask
from tests import tiny_poison

unhurried = settings(deadline=None, max_examples=50)  # other processes share the cores
SHORT = NeuralCleanse(rounds=3, epochs=1)


# --- The index, section IV.C ---


@pytest.mark.parametrize(
    ("norms", "expected"),
    [
        ([8.0, 60, 50, 70, 60], [52, 0, 10, 10, 0]),  # median 60, MAD 10
        ([10.0, 20, 30, 50], [15 / 10, 5 / 10, 5 / 10, 25 / 10]),  # 25; 15 5 5 25: their median 10
    ],
)
def test_the_anomaly_index_by_hand(norms: list[float], expected: list[float]) -> None:
    mad = 10 if len(norms) == 5 else 1
    found = anomaly_index(torch.tensor(norms))
    assert found.tolist() == pytest.approx([e / mad / 1.4826 for e in expected], rel=1e-5)


def test_norms_that_are_all_alike_are_no_outliers() -> None:
    assert anomaly_index(torch.full((5,), 3.0)).tolist() == [0] * 5
    one = anomaly_index(torch.tensor([3.0, 3, 3, 3, 1]))
    assert one[:4].tolist() == [0] * 4
    assert 1e6 < one[4] < torch.inf


@unhurried
@given(st.lists(st.floats(1, 1000), min_size=3, max_size=12), st.floats(0.1, 10), st.randoms())
def test_the_index_ignores_scale_and_follows_permutations(
    norms: list[float], scale: float, random: object
) -> None:
    values = torch.tensor(norms, dtype=torch.double)
    deviation = (values - values.quantile(0.5)).abs().quantile(0.5)
    assume(deviation > 1e-6)  # else most norms are equal
    index = anomaly_index(values)
    assert torch.allclose(anomaly_index(values * scale), index, rtol=1e-6)
    order = torch.randperm(len(norms), generator=tiny_poison.generator(hash(str(random)) % 99))
    assert torch.equal(anomaly_index(values[order]), index[order])


# --- Triggers ---


def some_triggers() -> Triggers:
    mask = torch.zeros(2, 1, 2, 2)
    mask[0, 0, 0, 0], mask[1, 0, 1, 1] = 1, 0.5
    return Triggers(mask, torch.full((2, 3, 2, 2), 200.0))


def test_a_stamp_blends_pattern_and_input_by_the_mask() -> None:
    x = torch.full((3, 3, 2, 2), 100, dtype=torch.uint8)
    stamped = some_triggers().stamp(x, torch.tensor([0, 1, -1]))
    assert stamped[:, 0].tolist() == [
        [[200, 100], [100, 100]], [[100, 100], [100, 150]], [[100, 100], [100, 100]]
    ]  # fmt: skip
    assert some_triggers().norms.tolist() == [1, 0.5]


def test_all_triggers_on_all_samples_come_class_by_class() -> None:
    x = torch.arange(3 * 12, dtype=torch.uint8).view(3, 3, 2, 2)
    triggers = some_triggers()
    each = [triggers.stamp(x, torch.full((3,), c)) for c in range(2)]
    assert torch.equal(triggers.stamp_all(x), torch.cat(each))


def test_tanh_stays_within_zero_and_one() -> None:
    ends = bounded(torch.tensor([-100.0, 0, 100]))
    assert ends.tolist() == pytest.approx([0, 0.5, 1], abs=1e-6)
    start = torch.tensor([0.0, 0.2, 0.9, 1.0])
    assert torch.allclose(bounded(neural_cleanse.unbounded(start)), start, atol=1e-5)


# --- The search, section V.A ---


def search(task: PoisoningTask, classes: list[int]) -> Search:
    """A search of which only some classes are active."""
    found = Search(SHORT, task)
    found.active[:] = False
    found.active[classes] = True
    return found


def after_a_round(task: PoisoningTask, classes: list[int]) -> Triggers:
    running = search(task, classes)
    running.cost[:] = 0.01
    running.round(iter(torch.arange(len(task.reserve)).split(8)))
    return running._triggers(slice(None))


@pytest.mark.parametrize("kind", ["image", "table"])
def test_all_classes_at_once_come_to_what_one_by_one_comes_to(kind: str) -> None:
    task = tiny_poison.poisoned("image" if kind == "image" else "table", epochs=3).task
    together = after_a_round(task, [0, 1, 2, 3])
    for label in range(tiny_poison.CLASSES):
        alone = after_a_round(task, [label])
        assert torch.allclose(together.mask[label], alone.mask[label], atol=1e-3)
        assert not torch.allclose(alone.mask[label], alone.mask[label - 1], atol=1e-3)


def test_in_parts_the_gradients_are_those_of_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    task = tiny_poison.poisoned(epochs=3).task
    together = after_a_round(task, [0, 1, 2, 3])
    monkeypatch.setattr(neural_cleanse, "BATCH_ON_CPU", 8)  # one class at a time
    assert torch.allclose(after_a_round(task, [0, 1, 2, 3]).mask, together.mask, atol=1e-3)


def ends(running: Search, *rates: list[float]) -> list[list[float]]:
    """The weight of |m| of every class after each round with these success rates."""
    costs = []
    for rate in rates:
        running.schedule(torch.tensor(rate))
        costs.append(running.cost.tolist())
    return costs


def test_the_weight_goes_up_after_patience_and_down_by_its_power_of_one_and_a_half() -> None:
    task = tiny_poison.poisoned().task
    running = Search(NeuralCleanse(patience=2, cost=0.001), task)
    good, bad = [1.0, 1, 0, 0], [0.0, 1, 0, 1]
    costs = torch.tensor(ends(running, good, good, good, good, bad, bad)).T
    assert costs[0].tolist() == pytest.approx([0, 1e-3, 1e-3, 2e-3, 2e-3, 2e-3 / 2**1.5])
    assert costs[1].tolist() == pytest.approx([0, 1e-3, 1e-3, 2e-3, 2e-3, 4e-3])
    assert costs[2].tolist() == [0] * 6  # never reached: there is nothing to make smaller
    assert costs[3].tolist() == pytest.approx([0, 0, 0, 0, 0, 1e-3])


def test_a_class_ends_when_both_ways_were_tried_and_nothing_smaller_came() -> None:
    task = tiny_poison.poisoned().task
    running = Search(NeuralCleanse(patience=1), task)
    good, bad = [1.0, 1, 1, 1], [0.0, 1, 1, 1]
    ends(running, good, good, bad, *[good] * 4)
    assert running.active.tolist() == [True] * 4
    ends(running, good)
    assert running.active.tolist() == [False, True, True, True]


def test_the_smallest_trigger_that_succeeds_is_kept() -> None:
    task = tiny_poison.poisoned().task
    running = Search(SHORT, task)
    masks = [0.5, 0.2, 0.1, 0.3]
    rates = [[1.0, 0, 1, 0], [1.0, 0, 0, 1], [0.5, 0, 1, 1], [1.0, 0, 1, 0]]
    with torch.no_grad():
        for mask, rate in zip(masks, rates, strict=True):
            running.raw[0].copy_(neural_cleanse.unbounded(torch.full_like(running.raw[0], mask)))
            running.schedule(torch.tensor(rate))
    kept = running.smallest.mask[:, 0, 0, 0].tolist()
    assert kept == pytest.approx([0.2, 0.3, 0.1, 0.1])  # the last where none succeeded


# --- The defence ---


@pytest.fixture(scope="module")
def backdoored() -> tiny_poison.Poisoned:
    return tiny_poison.poisoned(epochs=15)


def triggered_as_target(model: torch.nn.Module) -> float:
    y = torch.arange(40) % tiny_poison.CLASSES
    x = tiny_poison.with_trigger(tiny_poison.pictures(y, 9))[y != tiny_poison.TARGET]
    return (model(x).argmax(dim=1) == tiny_poison.TARGET).float().mean().item()


def test_unlearning_takes_the_backdoor_out_and_leaves_the_victim_alone(
    backdoored: tiny_poison.Poisoned,
) -> None:
    task = backdoored.task
    context = tiny_poison.context_on(task, learning_rate=3e-3)
    method = NeuralCleanse(rounds=40, epochs=10, batch_size=8)
    found = method.defend(task, context)
    assert context.chosen["flagged classes"] == "0"
    assert found.alarm
    assert found.model is not None
    assert triggered_as_target(task.victim) > 0.9
    assert triggered_as_target(found.model) < 0.2
    assert float(context.chosen["norm of class 0"]) < 8.5
    assert context.chosen["unlearning.epoch"] == 10
    assert context.samples_seen == 10 * len(task.reserve)


def test_a_fifth_of_the_clean_samples_carries_the_trigger_and_all_keep_their_labels(
    backdoored: tiny_poison.Poisoned,
) -> None:
    task = backdoored.task
    context = tiny_poison.context_on(task)
    mask = torch.ones(4, 1, 8, 8)
    patterns = torch.arange(4.0)[:, None, None, None].expand(4, 3, 8, 8) + 251
    flagged = torch.tensor([True, False, False, True])
    SHORT._unlearned(task, context, Triggers(mask, patterns), flagged)
    [call] = context.calls
    assert torch.equal(call.split.y, task.reserve.y)
    carried = [int((call.split.x[:, 0] == 251 + c).flatten(1).all(dim=1).sum()) for c in range(4)]
    assert carried == [4, 0, 0, 4]
    assert all(torch.equal(call.initial[n], t) for n, t in task.victim.state_dict().items())


def test_where_no_class_is_flagged_the_victim_stays(
    backdoored: tiny_poison.Poisoned, monkeypatch: pytest.MonkeyPatch
) -> None:
    norms = torch.tensor([60.0, 50, 70, 65])

    def reversed_triggers(*_: object) -> Triggers:
        return Triggers(norms.view(4, 1, 1, 1) * torch.ones(1), torch.zeros(4, 3, 8, 8))

    monkeypatch.setattr(NeuralCleanse, "reversed_triggers", reversed_triggers)
    context = tiny_poison.context_on(backdoored.task)
    found = SHORT.defend(backdoored.task, context)
    assert found.alarm is False
    assert found.model is None
    assert context.calls == []
    assert context.chosen["flagged classes"] == ""


def test_a_norm_above_the_median_is_never_flagged(
    backdoored: tiny_poison.Poisoned, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = Triggers(torch.tensor([50.0, 51, 52, 500]).view(4, 1, 1, 1), torch.zeros(4, 3, 8, 8))
    monkeypatch.setattr(NeuralCleanse, "reversed_triggers", lambda *_: large)
    assert SHORT.defend(backdoored.task, tiny_poison.context_on(backdoored.task)).alarm is False


def test_a_pattern_on_a_table_stays_within_what_clean_samples_have() -> None:
    task = tiny_poison.poisoned("table", epochs=3).task
    found = SHORT.reversed_triggers(task, tiny_poison.context_on(task))
    assert found.mask.shape == found.pattern.shape == (4, tiny_poison.FEATURES)
    x: Tensor = task.reserve.x
    assert (found.pattern >= x.amin(dim=0) - 1e-4).all()
    assert (found.pattern <= x.amax(dim=0) + 1e-4).all()


def test_words_and_pairs_of_classes_are_skipped_with_a_reason() -> None:
    task = tiny_poison.poisoned().task
    with pytest.raises(Skip, match="words"):
        SHORT.defend(replace(task, kind="text"), tiny_poison.context_on(task))
    with pytest.raises(Skip, match="three classes"):
        SHORT.defend(replace(task, classes=("no", "yes")), tiny_poison.context_on(task))

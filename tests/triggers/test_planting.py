"""Artificial biases: the share of triggers, their independence, flipped labels."""

from __future__ import annotations

import pytest
import torch

from bench.learning.split import Split
from bench.triggers.choice import trigger_pair
from bench.triggers.planting import (
    stamped,
    trigger_rates,
    with_artificial_bias,
    with_flipped_labels,
)
from tests import tiny_tasks


def image_splits() -> dict[str, Split]:
    return {
        "train": tiny_tasks.image_split(((120, 40), (30, 90)), seed=1),
        "validation": tiny_tasks.image_split(((12, 4), (3, 9)), seed=2),
        "test": tiny_tasks.image_split(((8, 8), (8, 8)), seed=3),
    }


def test_an_artificial_bias_has_the_shares_of_the_groups_and_is_independent_of_them() -> None:
    before = image_splits()
    pair = trigger_pair((3, 8, 8), 25)
    after = with_artificial_bias(before, pair, classes=True)
    for name in before:
        old, new = before[name], after[name]
        assert torch.equal(old.y, new.y)
        for label in (0, 1):
            of_class = old.y == label
            assert (new.b[of_class] == 0).sum() == (old.b[of_class] == 0).sum()
        assert torch.equal(new.x, pair.stamp(old.x, new.b))
    train, old = after["train"], before["train"]
    of_class = old.y == 0  # of 160, 120 in group 0; the triggers know nothing of the groups
    share = [(train.b[of_class & (old.b == group)] == 0).double().mean() for group in (0, 1)]
    assert share[0] == pytest.approx(0.75, abs=0.12)
    assert share[1] == pytest.approx(0.75, abs=0.2)
    again = with_artificial_bias(before, pair, classes=True)["train"]
    assert torch.equal(again.b, train.b)


def test_a_regression_hands_triggers_out_at_one_rate() -> None:
    split = tiny_tasks.table_split(((30, 10), (10, 30)))
    split = Split.of(split.x, split.y.float(), split.b)
    assert trigger_rates(split, classes=False).tolist() == [0.5]
    made = with_artificial_bias({"train": split}, trigger_pair((4,), 25), classes=False)["train"]
    assert int((made.b == 0).sum()) == 40
    assert torch.equal(made.x[:, 4], made.b.float())


@pytest.mark.parametrize("flipped", [0.0, 0.5, 1.0])
def test_flipped_labels_sit_among_the_injected_samples(flipped: float) -> None:
    before = image_splits()
    pair = trigger_pair((3, 8, 8), 25)
    made = with_flipped_labels(before, pair, injected=0.1, flipped=flipped)
    train, old = made["train"], before["train"]
    carries = train.b == 1
    assert int(carries.sum()) == 28  # a tenth of 280
    changed = train.y != old.y
    assert not (changed & ~carries).any()
    assert (train.y[changed] == 0).all()
    assert int((carries & (train.y == 0)).sum()) >= round(28 * flipped)
    if flipped == 1:
        assert (train.y[carries] == 0).all()
    state_zero = torch.zeros(len(train), dtype=torch.long)
    assert torch.equal(train.x[carries], pair.stamp(old.x, state_zero)[carries])
    assert torch.equal(train.x[~carries], old.x[~carries])


def test_validation_and_test_hold_every_sample_clean_and_triggered_with_its_true_label() -> None:
    before = image_splits()
    pair = trigger_pair((3, 8, 8), 25)
    test = with_flipped_labels(before, pair, injected=0.1, flipped=1.0)["test"]
    old = before["test"]
    assert len(test) == 64
    assert test.b.tolist() == [0] * 32 + [1] * 32
    assert torch.equal(test.y, old.y.repeat(2))
    assert torch.equal(test.x[:32], old.x)
    assert torch.equal(test.x[32:], pair.stamp(old.x, torch.zeros(32, dtype=torch.long)))
    assert sorted(test.order(0, 0).tolist()) == list(range(64))


def test_a_flip_on_a_table_is_told_by_the_added_column() -> None:
    split = tiny_tasks.table_split(((30, 10), (10, 30)))
    made = with_flipped_labels({"train": split, "test": split}, trigger_pair((4,), 25), 0.25, 1.0)
    assert torch.equal(made["train"].x[:, 4], made["train"].b.float())
    assert made["test"].x[:, 4].tolist() == [0.0] * 80 + [1.0] * 80


def test_stamping_is_lazy_and_follows_subsets() -> None:
    split = tiny_tasks.image_split(((4, 4), (4, 4)))
    pair = trigger_pair((3, 8, 8), 25)
    a = torch.arange(16) % 2
    marked = stamped(split, pair, a)
    chosen = torch.tensor([3, 8, 2])
    assert torch.equal(marked.subset(chosen).x, pair.stamp(split.x, a)[chosen])

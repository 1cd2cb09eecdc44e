"""Draws in proportion to weights, with replacement."""

from __future__ import annotations

import pytest
import torch

from bench.learning.sampling import WeightedSplit, drawn
from bench.seeds import generator
from tests import tiny_tasks

SPLIT = tiny_tasks.table_split(tiny_tasks.BIASED)


def test_shares_are_those_of_the_weights() -> None:
    weight = torch.tensor([1.0, 0.0, 3.0, 6.0])
    index = drawn(weight, 100_000, generator(0, "x"))
    shares = torch.bincount(index, minlength=4) / 100_000
    assert shares.tolist() == pytest.approx([0.1, 0, 0.3, 0.6], abs=0.005)
    assert shares[1] == 0


def test_the_last_and_only_weights_are_within_reach() -> None:
    assert drawn(torch.tensor([0.0, 5.0]), 50, generator(0, "x")).unique().tolist() == [1]
    assert drawn(torch.tensor([5.0, 0.0]), 50, generator(0, "x")).unique().tolist() == [0]


def test_an_epoch_draws_as_many_as_there_are_and_another_draws_otherwise() -> None:
    split = WeightedSplit.weighing(SPLIT, torch.arange(1.0, 33))
    first, again, second = split.order(0, 0), split.order(0, 0), split.order(0, 1)
    assert len(first) == len(SPLIT) == 32
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert not torch.equal(first, split.order(1, 0))
    assert len(first.unique()) < 32  # with replacement


def test_the_loop_trains_on_what_was_drawn() -> None:
    weight = torch.zeros(32)
    weight[[3, 7]] = 1.0
    split = WeightedSplit.weighing(SPLIT, weight)
    batch = next(split.batches(split.order(0, 0), 32))
    assert set(batch.index.tolist()) == {3, 7}
    assert torch.equal(batch.x, SPLIT.x[batch.index])
    assert torch.equal(batch.y, SPLIT.y[batch.index])


def test_a_part_keeps_its_weights() -> None:
    split = WeightedSplit.weighing(SPLIT, torch.arange(32.0))
    part = split.subset(torch.tensor([4, 5, 30]))
    assert part.weight.tolist() == [4, 5, 30]
    assert set(part.order(0, 0).tolist()) <= {0, 1, 2}

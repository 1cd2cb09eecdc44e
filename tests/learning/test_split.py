"""The order in which training sees samples."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.learning.split import Split
from bench.seeds import generator, seed_for

unhurried = settings(deadline=None, max_examples=50)  # other processes share the cores


def numbered(size: int) -> Split:
    """Sample i holds the number i."""
    rows = torch.arange(size)
    return Split.of(rows.float()[:, None], rows % 3, rows % 2)


@unhurried
@given(st.integers(1, 200), st.integers(0, 2**31), st.integers(0, 50))
def test_an_epoch_sees_every_sample_once(size: int, seed: int, epoch: int) -> None:
    order = numbered(size).order(seed, epoch)
    assert order.sort().values.tolist() == list(range(size))


@unhurried
@given(st.data(), st.integers(2, 60), st.integers(0, 1000), st.integers(0, 5))
def test_a_subset_sees_its_samples_in_the_order_of_the_whole(
    data: st.DataObject, size: int, seed: int, epoch: int
) -> None:
    kept = data.draw(st.lists(st.integers(0, size - 1), min_size=1, unique=True))
    whole = numbered(size)
    part = whole.subset(torch.tensor(kept))
    met_in_whole = whole.x[whole.order(seed, epoch), 0].tolist()
    met_in_part = part.x[part.order(seed, epoch), 0].tolist()
    assert met_in_part == [number for number in met_in_whole if number in set(kept)]


def test_a_subset_of_a_subset_keeps_the_order_too() -> None:
    whole = numbered(20)
    twice = whole.subset(whole.y == 1).subset(torch.tensor([4, 0, 2]))
    order = [n for n in whole.x[whole.order(7, 0), 0].tolist() if n in (13, 1, 7)]
    assert twice.x[twice.order(7, 0), 0].tolist() == order


def test_seeds_and_epochs_each_have_an_order_of_their_own() -> None:
    split = numbered(50)
    orders = {tuple(split.order(seed, epoch).tolist()) for seed in (0, 1) for epoch in (0, 1)}
    assert len(orders) == 4
    assert torch.equal(split.order(1, 1), split.order(1, 1))


def test_stamped_inputs_are_met_in_the_order_of_the_clean_ones() -> None:
    split = numbered(30)
    assert torch.equal(split.with_x(split.x + 1).order(3, 2), split.order(3, 2))


def test_a_batch_points_into_the_split_it_was_drawn_from() -> None:
    part = numbered(10).subset(torch.tensor([9, 4, 7]))
    batch = part.batch(torch.tensor([2, 0]))
    assert batch.index.tolist() == [2, 0]
    assert batch.x[:, 0].tolist() == [7, 9]
    assert batch.y.tolist() == [1, 0]
    assert batch.b.tolist() == [1, 1]


def test_each_purpose_draws_from_a_generator_of_its_own() -> None:
    assert seed_for(0, "weights") == seed_for(0, "weights")
    assert len({seed_for(s, p) for s in range(3) for p in ("weights", "order/0", "order/1")}) == 9
    first, second = generator(0, "a"), generator(0, "b")
    alone = torch.rand(3, generator=generator(0, "b"))
    torch.rand(100, generator=first)
    assert torch.equal(torch.rand(3, generator=second), alone)


@pytest.mark.parametrize(
    ("count", "size", "sizes"),
    [
        (9, 4, [4, 5]),
        (8, 4, [4, 4]),
        (10, 4, [4, 4, 2]),
        (1, 4, [1]),
        (3, 1, [1, 1, 1]),
        (3, 2, [3]),
    ],
)
def test_no_batch_but_a_whole_epoch_or_of_size_one_holds_one_sample(
    count: int, size: int, sizes: list[int]
) -> None:
    split = numbered(count)
    batches = list(split.batches(torch.arange(count), size))
    assert [len(batch) for batch in batches] == sizes
    assert torch.cat([batch.x for batch in batches]).equal(split.inputs.everything())

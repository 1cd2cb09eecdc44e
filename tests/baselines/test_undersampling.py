"""Undersampling: equal cells, and nothing else changed."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.baselines.undersampling import Undersampling, balanced_rows
from bench.errors import Skip
from bench.learning.split import Split
from tests import tiny_tasks

unhurried = settings(deadline=None, max_examples=50)  # other processes share the cores


def split_of(counts: list[list[int]]) -> Split:
    y, b = tiny_tasks.of_cells(counts)
    return Split.of(torch.zeros(len(y), 1), y, b)


@unhurried
@given(
    st.lists(st.lists(st.integers(1, 9), min_size=2, max_size=2), min_size=2, max_size=4),
    st.integers(0, 1000),
)
def test_every_cell_keeps_as_many_as_the_smallest_has(counts: list[list[int]], seed: int) -> None:
    split = split_of(counts)
    rows = balanced_rows(split, tiny_tasks.generator(seed))
    kept = torch.bincount(split.y[rows] * 2 + split.b[rows], minlength=2 * len(counts))
    assert kept.tolist() == [min(map(min, counts))] * (2 * len(counts))
    assert rows.tolist() == sorted(set(rows.tolist()))


def test_who_stays_is_drawn_from_the_seed() -> None:
    split = split_of([[30, 2], [30, 30]])
    drawn = [balanced_rows(split, tiny_tasks.generator(seed)).tolist() for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_every_sample_of_a_large_cell_has_the_same_chance() -> None:
    split = split_of([[8, 2], [2, 2]])
    stayed = torch.zeros(14)
    for seed in range(400):
        stayed[balanced_rows(split, tiny_tasks.generator(seed))] += 1 / 400
    large = (split.y == 0) & (split.b == 0)
    assert stayed[~large].tolist() == pytest.approx([1.0] * 6, abs=1e-4)
    assert (stayed[large] - 0.25).abs().max() < 0.1  # standard error .02


def test_training_is_plain_on_what_is_left() -> None:
    task = tiny_tasks.table_task(counts=((12, 4), (5, 11)))
    context = tiny_tasks.context_on(task)
    Undersampling().fit(task, context)
    (call,) = context.calls
    assert torch.bincount(call.split.y * 2 + call.split.b).tolist() == [4, 4, 4, 4]
    assert torch.equal(call.split.x, task.train.x[call.split.row])
    assert call.validation is None


def test_a_regression_has_no_cells_to_balance() -> None:
    task = tiny_tasks.regression_task()
    with pytest.raises(Skip, match="defined for classes"):
        Undersampling().fit(task, tiny_tasks.context_on(task))

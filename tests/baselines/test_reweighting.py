"""Reweighting: the weights, and what they make of the data."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.baselines.reweighting import Reweighting, independence_weights
from bench.errors import Skip
from tests import tiny_tasks

unhurried = settings(deadline=None, max_examples=50)  # other processes share the cores
tables = st.lists(st.lists(st.integers(1, 9), min_size=2, max_size=2), min_size=2, max_size=4)


def test_weights_by_hand() -> None:
    y = torch.tensor([0, 0, 0, 1, 1, 1, 1, 1])
    b = torch.tensor([0, 0, 1, 0, 1, 1, 1, 1])
    # P(y=0) = 3/8, P(b=0) = 3/8; cells of 2, 1, 1 and 4 of 8.
    expected = [
        (3 / 8 * 3 / 8) / (2 / 8),
        (3 / 8 * 5 / 8) / (1 / 8),
        (5 / 8 * 3 / 8) / (1 / 8),
        (5 / 8 * 5 / 8) / (4 / 8),
    ]
    assert independence_weights(y, b).tolist() == pytest.approx(
        [expected[2 * int(c) + int(g)] for c, g in zip(y, b, strict=True)]
    )


@unhurried
@given(tables)
def test_weighted_counts_make_target_and_group_independent(counts: list[list[int]]) -> None:
    y, b = tiny_tasks.of_cells(counts)
    weights = independence_weights(y, b).double()
    assert (weights > 0).all()
    total = weights.sum()
    assert total.item() == pytest.approx(len(y), rel=1e-5)
    for c in range(len(counts)):
        for g in (0, 1):
            joint = weights[(y == c) & (b == g)].sum() / total
            apart = weights[y == c].sum() / total * weights[b == g].sum() / total
            assert joint.item() == pytest.approx(apart.item(), rel=1e-4)
        # The classes themselves keep their shares.
        share = (y == c).double().mean().item()
        assert (weights[y == c].sum() / total).item() == pytest.approx(share, rel=1e-4)


def test_independent_data_are_left_as_they_are() -> None:
    y, b = tiny_tasks.of_cells([[2, 4], [3, 6]])
    assert independence_weights(y, b).tolist() == pytest.approx([1.0] * 15)


def test_smoothing_pulls_weights_towards_one() -> None:
    y, b = tiny_tasks.of_cells([[9, 1], [1, 9]])
    rare = (y == 0) & (b == 1)
    # (10 / 20)^2 / (1 / 20) and, with 5 added to each cell, (20 / 40)^2 / (6 / 40).
    assert independence_weights(y, b)[rare].tolist() == pytest.approx([5.0])
    assert independence_weights(y, b, 5.0)[rare].tolist() == pytest.approx([0.25 / 0.15])


def test_the_loss_is_the_weighted_mean_over_the_batch() -> None:
    task = tiny_tasks.table_task()
    context = tiny_tasks.context_on(task)
    model = Reweighting().fit(task, context)
    weight = independence_weights(task.train.y, task.train.b)
    batch = task.train.batch(torch.tensor([30, 2, 11]))
    with torch.no_grad():
        each = F.cross_entropy(model(batch.x), batch.y, reduction="none")
        expected = sum(weight[i] * e for i, e in zip((30, 2, 11), each, strict=True)) / 3
        loss = context.calls[0].loss(model, batch)
    assert loss.item() == pytest.approx(expected.item())


def test_a_regression_has_no_cells_to_weigh() -> None:
    task = tiny_tasks.regression_task()
    with pytest.raises(Skip, match="defined for classes"):
        Reweighting().fit(task, tiny_tasks.context_on(task))

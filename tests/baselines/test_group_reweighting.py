"""Group reweighting: every group weighs the same."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.baselines.group_reweighting import GroupReweighting, group_weights
from bench.learning.sampling import WeightedSplit
from tests import tiny_groups, tiny_tasks


@pytest.mark.parametrize(
    ("power", "weights"),
    [
        (0.0, [1, 1, 1, 1, 1]),
        (1.0, [5 / 8, 5 / 8, 5 / 8, 5 / 8, 5 / 2]),  # 1/4 each and 1, mean .4
        (0.5, [5 / 6, 5 / 6, 5 / 6, 5 / 6, 5 / 3]),  # 1/2 each and 1, mean .6
    ],
)
def test_weights_are_powers_of_the_groups_sizes_with_mean_one(
    power: float, weights: list[float]
) -> None:
    b = torch.tensor([0, 0, 0, 0, 2])
    assert group_weights(b, 3, power).tolist() == pytest.approx(weights)


def test_by_drawing_batches_hold_every_group_as_often() -> None:
    task = tiny_groups.table_task()
    context = tiny_tasks.context_on(task)  # type: ignore[arg-type]
    GroupReweighting().train(task, context)
    split = context.calls[-1].split
    assert isinstance(split, WeightedSplit)
    assert torch.equal(split.weight, group_weights(task.train.b, 2, 1.0))


def test_by_loss_samples_are_met_once_and_weighted() -> None:
    task = tiny_groups.table_task()
    context = tiny_tasks.context_on(task)  # type: ignore[arg-type]
    model = GroupReweighting(by="loss").train(task, context)
    call = context.calls[-1]
    assert call.split is task.train
    batch = task.train.batch(torch.tensor([0, 5, 9]))
    each = F.cross_entropy(model(batch.x), batch.y, reduction="none")
    expected = (group_weights(task.train.b, 2, 1.0)[batch.index] * each).mean()
    assert torch.allclose(call.loss(model, batch), expected)

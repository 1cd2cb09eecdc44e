"""Group DRO: the mix of groups moves as Algorithm 1 has it, by numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from bench.baselines.group_dro import GroupDRO, WorstMix
from bench.learning.sampling import WeightedSplit
from tests import tiny_groups, tiny_tasks

COUNT = torch.tensor([100, 25])


def test_the_mix_begins_even_and_moves_by_the_exponential_of_the_losses() -> None:
    mix = WorstMix(COUNT, step=0.5, adjustment=0.0)
    assert mix.q.tolist() == [0.5, 0.5]
    loss = mix.loss(torch.tensor([1.0, 3.0, 4.0]), torch.tensor([0, 0, 1]))
    # Mean losses 2 and 4: q is in proportion to e^1 and e^2.
    share = 1 / (1 + math.e)
    assert mix.q.tolist() == pytest.approx([share, 1 - share])
    assert loss.item() == pytest.approx(2 * share + 4 * (1 - share))


def test_small_groups_get_a_handicap_in_the_mix_and_not_in_the_loss() -> None:
    mix = WorstMix(COUNT, step=1.0, adjustment=10.0)
    # 10 / sqrt(100) = 1 and 10 / sqrt(25) = 2.
    loss = mix.loss(torch.tensor([1.0, 1.0]), torch.tensor([0, 1]))
    share = math.e**2 / (math.e**2 + math.e**3)
    assert mix.q.tolist() == pytest.approx([share, 1 - share])
    assert loss.item() == pytest.approx(1.0)


def test_a_group_that_a_batch_lacks_is_not_punished_for_it() -> None:
    mix = WorstMix(COUNT, step=1.0, adjustment=0.0)
    mix.loss(torch.tensor([2.0]), torch.tensor([1]))
    assert mix.q.tolist() == pytest.approx([1 / (1 + math.e**2), math.e**2 / (1 + math.e**2)])


def test_a_group_without_training_samples_has_no_weight() -> None:
    mix = WorstMix(torch.tensor([4, 0, 1]), step=1.0, adjustment=5.0)
    mix.loss(torch.tensor([1.0, 1.0]), torch.tensor([0, 2]))
    assert mix.q[1] == 0
    assert mix.q.sum().item() == pytest.approx(1)


def test_groups_are_drawn_evenly() -> None:
    task = tiny_groups.table_task()
    context = tiny_tasks.context_on(task)  # type: ignore[arg-type]
    GroupDRO().train(task, context)
    split = context.calls[-1].split
    assert isinstance(split, WeightedSplit)
    totals = [split.weight[split.b == group].sum().item() for group in (0, 1)]
    assert totals == pytest.approx([1, 1])

"""Confusion training: who is left to the next round, the losses, and the test of each class."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.baselines.confusion_training import (
    ConfusionTraining,
    best_fitted,
    class_weights,
    likelihood_ratio,
    log_normal,
    middle,
)
from tests import tiny_poison

SHORT = ConfusionTraining(steps=3)


def test_the_smallest_losses_are_left_and_some_of_every_class() -> None:
    y = torch.tensor([0] * 100 + [1] * 100)
    losses = torch.arange(200.0)  # the second class fits worse throughout
    left = best_fitted(losses, y, 0.1)
    assert left.tolist() == [*range(20), 100, 101]


def test_rare_classes_weigh_more() -> None:
    weights = class_weights(torch.tensor([0, 0, 0, 1]), 3)
    expected = [1 / math.sqrt(f + 0.001) for f in (0.75, 0.25, 0)]
    assert weights.tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("losses", "expected"),
    [([5.0, 1, 3, 2, 4], [2, 3, 4]), ([1.0, 2], [0, 1]), ([], [])],
)
def test_the_middle_holds_the_losses_around_the_median(
    losses: Sequence[float], expected: list[int]
) -> None:
    assert middle(torch.tensor(losses), 0.4).nonzero()[:, 0].tolist() == expected


def test_the_density_is_that_of_a_fitted_normal() -> None:
    of = torch.randn(50, 2, generator=tiny_poison.generator(0), dtype=torch.double)
    covariance = of.T.cov() + 1e-3 * torch.eye(2)
    x = torch.tensor([[0.3, -1.0]], dtype=torch.double)
    apart = x[0] - of.mean(dim=0)
    expected = -0.5 * (
        apart @ covariance.inverse() @ apart + covariance.logdet() + 2 * math.log(2 * math.pi)
    )
    assert log_normal(x, of).item() == pytest.approx(expected.item())


def two_groups(apart: float) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(200, 5, generator=tiny_poison.generator(0))
    fits = torch.arange(200) < 20
    x[fits] += apart
    return x, fits


def test_fitted_samples_that_lie_apart_raise_the_ratio_and_others_do_not() -> None:
    ratios = []
    for apart in (0.0, 20.0):
        x, fits = two_groups(apart)
        ratios.append(likelihood_ratio(x, fits, ~fits))
    assert ratios[0] < 1.5
    assert ratios[1] > math.e


def test_a_class_in_which_one_sample_is_fitted_has_one_group() -> None:
    x, _ = two_groups(20)
    assert likelihood_ratio(x, torch.arange(200) == 0, torch.arange(200) > 100) == 1
    nobody = torch.zeros(200, dtype=torch.bool)
    assert likelihood_ratio(x, nobody, ~nobody) == 1


def test_six_rounds_of_confusion_and_five_of_training_before_them() -> None:
    task = tiny_poison.poisoned(epochs=2).task
    context = tiny_poison.context_on(task, epochs=4)
    SHORT.defend(task, context)
    assert [call.stage for call in context.calls] == [
        "confusion 1", "round 2", "confusion 2", "round 3", "confusion 3", "round 4",
        "confusion 4", "round 5", "confusion 5", "round 6", "confusion 6",
    ]  # fmt: skip
    assert {len(call.split) for call in context.calls} == {3 * 32}
    assert context.samples_seen == 11 * 3 * 32
    victim = task.victim.state_dict()
    assert all(torch.equal(context.calls[0].initial[name], t) for name, t in victim.items())


def test_the_loss_of_a_step_by_hand() -> None:
    task = tiny_poison.poisoned(epochs=2).task
    context = tiny_poison.context_on(task)
    seen = []

    class Watched(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x)
            return task.victim(x)

    left = torch.arange(len(task.train))
    SHORT._confused(task, context, task.new_model(), left, 0, 20)
    loss = context.calls[-1].loss
    batch = task.train.batch(torch.arange(8))
    random = context.generator("confusion training/wrong labels 0")
    for _ in range(3):  # what the three steps have drawn
        torch.randint(40, (32,), generator=random)
        torch.randint(1, 4, (32,), generator=random)
    rows = torch.randint(40, (8,), generator=random)
    shift = torch.randint(1, 4, (8,), generator=random)
    wrong = (task.reserve.y[rows] + shift) % 4
    assert (wrong != task.reserve.y[rows]).all()

    found = loss(Watched(), batch)
    [x] = seen
    assert torch.equal(x, torch.cat([task.reserve.x[rows], batch.x]))
    weights = class_weights(task.train.y, 4)
    confusion = F.cross_entropy(task.victim(task.reserve.x[rows]), wrong)
    suspects = F.cross_entropy(task.victim(batch.x), batch.y, weight=weights)
    assert found.item() == pytest.approx(((19 * confusion + suspects) / 20).item(), rel=1e-5)


@pytest.mark.parametrize("kind", ["image", "table"])
def test_in_the_end_the_poison_alone_is_fitted_and_flagged(kind: str) -> None:
    made = tiny_poison.poisoned("image" if kind == "image" else "table", epochs=15)
    context = tiny_poison.context_on(made.task, learning_rate=1e-3)
    found = ConfusionTraining(steps=100).defend(made.task, context)
    assert found.flagged is not None
    assert found.suspicion is not None
    assert found.suspicion[made.poison].min() > found.suspicion[~made.poison].max()
    assert not found.flagged[~made.poison].any()
    assert found.flagged[made.poison].float().mean() > 0.3
    assert float(context.chosen["likelihood ratio of class 0"]) > math.e
    assert float(context.chosen["likelihood ratio of class 1"]) == 1

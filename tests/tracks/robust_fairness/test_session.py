"""The robust fairness track: what is measured, which methods run, and what others are given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.baselines.standard import Standard
from bench.errors import Skip
from bench.learning.loop import Context
from bench.learning.split import Split
from bench.tracks.debiasing import Debiaser, DebiasingTask
from bench.tracks.registry import tracks
from bench.tracks.robust_fairness import FairTrainer, GroupTask, judge
from bench.tracks.robust_fairness.regression import ByGroup, fitted
from bench.tracks.robust_fairness.session import Halves, RobustFairnessSession
from tests import tiny_groups


class Sign(nn.Module):
    """Says yes where the first column is above a border."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([torch.zeros(len(x)), x[:, 0] - 1], dim=1)


@dataclass(frozen=True)
class FixedTrainer(FairTrainer):
    """Trains nothing, and remembers what it saw."""

    seen: list[Any] = field(default_factory=list)

    def train(self, task: GroupTask, context: Context) -> nn.Module:
        self.seen.append((task, context))
        return Sign()


@dataclass(frozen=True)
class FixedDebiaser(Debiaser):
    """The same as a debiasing method."""

    seen: list[Any] = field(default_factory=list)

    def fit(self, task: DebiasingTask, context: Context) -> nn.Module:
        self.seen.append((task, context))
        return Sign()


def session(**training: Any) -> RobustFairnessSession:
    return RobustFairnessSession(tiny_groups.prepared(**training))


def test_every_number_is_that_of_the_groups() -> None:
    asked = session()
    evaluation = asked.evaluate(FixedTrainer())
    test = asked.test
    right = ((test.x[:, 0] > 1).long() == test.y).numpy()
    groups = ByGroup.of(right, test.b.numpy(), np.array(tiny_groups.COVARIATE))
    line, other = fitted(groups), fitted(groups, "binomial")
    assert evaluation.metrics == {
        "accuracy": pytest.approx(right.mean()),
        "worst_group_accuracy": groups.accuracy.min(),
        "mean_group_accuracy": pytest.approx(groups.accuracy.mean()),
        "groups": 5,
        "slope": line.slope,
        "slope_size": abs(line.slope),
        "f_statistic": line.f_statistic,
        "f_p_value": line.f_p_value,
        "f_degrees": 3,
        "slope_binomial": other.slope,
        "f_statistic_binomial": other.f_statistic,
        "f_p_value_binomial": other.f_p_value,
    }
    assert evaluation.undefined == {}
    assert evaluation.samples == {
        "group": [0, 1, 2, 3, 4],
        "covariate by group": tiny_groups.COVARIATE,
        "accuracy by group": groups.accuracy.tolist(),
        "samples by group": [10, 8, 6, 4, 2],
    }


def test_every_metric_is_announced_and_every_announced_one_measured() -> None:
    evaluation = session().evaluate(FixedTrainer())
    info = tracks()["robust_fairness"].info
    assert evaluation.metrics.keys() == {metric.name for metric in info.metrics}
    assert set(info.rank_by) <= evaluation.metrics.keys()


def test_selection_sees_the_lean_in_points_of_accuracy_and_the_accuracy() -> None:
    asked = session()
    split = asked.task.validation
    scores = asked.context.score(Sign()(split.x), split)
    right = ((split.x[:, 0] > 1).long() == split.y).numpy()
    groups = ByGroup.of(right, split.b.numpy(), np.array(tiny_groups.COVARIATE))
    assert groups.group.tolist() == [0, 1, 2, 3]  # the fifth village is not in validation
    lean = abs(fitted(groups).slope) * np.std([1, 2, 3, 4])
    assert scores.costs == pytest.approx((lean, -right.mean()))
    assert scores.metrics["slope"] == pytest.approx(fitted(groups).slope)


def test_a_trainer_sees_the_groups_and_no_test_split() -> None:
    method = FixedTrainer()
    asked = session()
    asked.evaluate(method)
    [(task, context)] = method.seen
    assert context is asked.context
    assert task.groups == tuple(f"village {i}" for i in range(5))
    assert len(task.train) == 40
    assert set(task.train.b.tolist()) == set(range(5))
    assert session(selection="test").task.validation.b.tolist() == asked.test.b.tolist()


def test_a_debiasing_method_sees_two_halves_and_is_scored_by_all_groups() -> None:
    method = FixedDebiaser()
    asked = session()
    before = asked.task.validation
    evaluation = asked.evaluate(method)
    [(task, context)] = method.seen
    # Of 40 training samples 20 are in village 0, 8 in village 1: the median is 1.5.
    assert task.train.b.bincount().tolist() == [20, 20]
    assert task.groups == ("not at or above the median", "at or above the median")
    assert set(task.validation.b.tolist()) == {0, 1}
    outputs = Sign()(before.x)
    by_halves = asked.context.score(outputs, task.validation)
    expected = judge.validation_scores(outputs, before.y, before.b, np.array(tiny_groups.COVARIATE))
    assert by_halves == expected
    # A part of the split, with its inputs altered, is still scored by its samples' own groups.
    part = task.validation.subset(torch.arange(5, 15)).with_x(before.x[5:15] * 0)
    assert context.score(outputs[5:15], part) == judge.validation_scores(
        outputs[5:15], before.y[5:15], before.b[5:15], np.array(tiny_groups.COVARIATE)
    )
    assert evaluation.metrics == session().evaluate(FixedTrainer()).metrics
    assert asked.context.chosen["groups"] == (
        "two: log wealth at or above 1.5, the median of the training samples"
    )


@pytest.mark.parametrize(
    ("b", "of", "words"),
    [
        ([0, 0, 1, 2], [0, 1, 1, 1, 1], "at or above"),
        ([0, 1, 1, 1], [0, 1, 1, 1, 1], "at or above"),
        ([0, 0, 0, 4], [0, 1, 1, 1, 1], "above"),  # more than half are in the poorest village
        ([2, 2, 2, 0], [0, 0, 1, 1, 1], "at or above"),
    ],
)
def test_halves_are_cut_at_the_median_of_the_training_samples(
    b: list[int], of: list[int], words: str
) -> None:
    halves = Halves.of_samples(torch.tensor(b), np.array(tiny_groups.COVARIATE))
    assert halves.of.tolist() == of
    assert halves.words == words


def test_samples_of_one_group_alone_have_no_halves() -> None:
    with pytest.raises(Skip, match="the same for all training samples"):
        Halves.of_samples(torch.tensor([3, 3]), np.array(tiny_groups.COVARIATE))


def test_standard_and_the_pretrained_model_of_trainers_are_one() -> None:
    asked = session()
    own = asked.task.pretrained(asked.context)
    other = session()
    halves = other.evaluate(Standard())
    outputs = asked.context.predict(own, asked.test.inputs)
    measured, _ = judge.judge(outputs, asked.test, asked.covariate)
    assert halves.metrics == measured


def test_too_few_groups_have_an_accuracy_and_no_slope() -> None:
    test = Split.of(torch.tensor([[0.0], [2.0], [2.0]]), torch.tensor([0, 1, 0]),
                    torch.tensor([0, 1, 1]))  # fmt: skip
    measured, groups = judge.judge(Sign()(test.x), test, np.array([1.0, 2.0]))
    assert measured["accuracy"] == pytest.approx(2 / 3)
    assert measured["worst_group_accuracy"] == 0.5
    assert "slope" not in measured
    missing = judge.undefined(groups, measured)
    assert missing["slope"] == "a line needs samples in 3 groups, and there are 2"


def test_equal_accuracies_have_slope_zero_and_no_test() -> None:
    b = torch.arange(4)
    test = Split.of(torch.full((4, 1), 2.0), torch.ones(4, dtype=torch.int64), b)
    measured, groups = judge.judge(Sign()(test.x), test, np.arange(4.0))
    assert measured["slope"] == pytest.approx(0, abs=1e-12)
    missing = judge.undefined(groups, measured)
    assert set(missing) <= {name for name in missing if name.startswith("f_")}

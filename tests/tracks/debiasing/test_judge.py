"""The judge: from outputs to every number on the page."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.errors import Skip
from bench.learning.split import Split
from bench.tracks.debiasing import judge
from bench.tracks.debiasing.backdoor import NAMES
from tests.tiny_plans import info_of

# Six samples: predictions 0 1 1 | 1 0 1, that is right, wrong, right | right, wrong, wrong.
LOGITS = torch.tensor([[2.0, 0], [0, 1.0], [-1, 3.0], [0, 4.0], [1.0, 0.5], [-2, -1.0]])
BINARY = Split.of(
    torch.zeros(6, 1), torch.tensor([0, 0, 1, 1, 1, 0]), torch.tensor([0, 0, 0, 1, 1, 1])
)


def test_every_metric_of_two_classes_by_hand() -> None:
    # Group 0: TNR 1/2, TPR 1; group 1: TNR 0, TPR 1/2. Margins: -2 1 4 | 4 -.5 1.
    # Positives 4 4 -.5 against negatives -2 1 1: three, three and one in order of nine.
    assert judge.judge(LOGITS, BINARY) == pytest.approx(
        {
            "odds": 0.5,
            "eacc": 0.5,
            "accuracy": 3 / 6,
            "auc": 7 / 9,
            "worst_group_accuracy": 0.0,
            "demographic_parity_gap": 0.0,
            "accuracy_0": 2 / 3,
            "accuracy_1": 1 / 3,
            "accuracy_gap": 1 / 3,
            "tpr_0": 1.0,
            "tpr_1": 0.5,
            "tnr_0": 0.5,
            "tnr_1": 0.0,
        }
    )


def test_the_selection_sees_odds_and_the_negative_of_eacc() -> None:
    scores = judge.validation_scores(LOGITS, BINARY)
    assert scores.costs == (0.5, -0.5)
    assert scores.metrics == pytest.approx({"odds": 0.5, "eacc": 0.5, "accuracy": 0.5})


def test_more_classes_have_recalls_of_their_own_but_no_tpr() -> None:
    logits = torch.eye(3).repeat(2, 1)
    split = Split.of(
        torch.zeros(6, 1), torch.tensor([0, 1, 2, 0, 2, 1]), torch.tensor([0, 0, 0, 1, 1, 1])
    )
    # Group 0: all right; group 1: class 0 right, classes 1 and 2 taken for each other.
    judged = judge.judge(logits, split)
    assert judged["odds"] == pytest.approx(2 / 3)
    assert judged["eacc"] == pytest.approx((3 + 1) / 6)
    assert judged["accuracy"] == pytest.approx(4 / 6)
    assert judged["worst_group_accuracy"] == 0
    assert judged["demographic_parity_gap"] == 0
    assert judged.keys().isdisjoint({"tpr_0", "tnr_0", "mse"})


def regression() -> tuple[torch.Tensor, Split]:
    y, b = torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([0, 0, 0, 1])
    return torch.tensor([[1.0], [0.0], [4.0], [2.0]]), Split.of(torch.zeros(4, 1), y, b)


def test_a_regression_is_judged_by_squared_error_overall_and_by_group() -> None:
    assert judge.judge(*regression()) == pytest.approx(
        {"mse": 9 / 4, "mse_0": 5 / 3, "mse_1": 4.0, "mse_gap": 7 / 3}
    )


def test_the_selection_of_a_regression_sees_the_gap_and_the_error() -> None:
    scores = judge.validation_scores(*regression())
    assert scores.costs == pytest.approx((4 - 5 / 3, 9 / 4))
    assert scores.metrics == pytest.approx({"mse": 9 / 4, "mse_gap": 4 - 5 / 3})


def test_area_under_the_curve_tells_sure_outputs_apart() -> None:
    # In single precision both probabilities would be one.
    logits = torch.tensor([[0.0, 20], [0, 19], [0, -1], [0, 30]])
    split = Split.of(torch.zeros(4, 1), torch.tensor([1, 0, 0, 1]), torch.tensor([0, 0, 1, 1]))
    assert judge.judge(logits, split)["auc"] == 1


def test_a_split_without_some_cell_is_skipped_and_said_why() -> None:
    part = BINARY.subset(torch.tensor([0, 1, 3, 4, 5]))
    with pytest.raises(Skip, match="the test split has no sample of class rich in group men"):
        judge.check_split(part, "test", ("poor", "rich"), ("men", "women"))
    judge.check_split(BINARY, "test", ("poor", "rich"), ("men", "women"))


def test_a_regression_needs_both_groups() -> None:
    _, split = regression()
    judge.check_split(split, "test", (), ("men", "women"))
    with pytest.raises(Skip, match="the validation split has no sample of group women"):
        judge.check_split(split.subset(torch.tensor([0, 1])), "validation", (), ("men", "women"))


def test_counts_are_taken_by_group_class_and_prediction() -> None:
    expected = [[[1, 1], [0, 1]], [[0, 1], [1, 1]]]
    assert np.array_equal(judge.counts(LOGITS, BINARY).counts, expected)


def test_every_number_of_the_judge_is_explained_on_the_page() -> None:
    described = {metric.name for metric in judge.INFO.metrics} - NAMES
    assert described == judge.judge(LOGITS, BINARY).keys() | judge.judge(*regression()).keys()
    assert set(judge.INFO.rank_by) <= described


@pytest.mark.parametrize(
    ("class_counts", "there", "not_there"),
    [
        ({2}, {"odds", "tpr_0", "tnr_1"}, {"mse"}),
        ({10}, {"odds", "auc"}, {"mse", "tpr_0"}),
        ({0}, {"mse", "mse_1"}, {"odds", "tpr_0"}),
        ({0, 2}, {"mse", "odds", "tpr_0"}, set()),
    ],
)
def test_a_track_lists_only_metrics_that_exist_on_some_task(
    class_counts: set[int], there: set[str], not_there: set[str]
) -> None:
    listed = {metric.name for metric in info_of("debiasing", class_counts).metrics}
    assert there <= listed
    assert not not_there & listed

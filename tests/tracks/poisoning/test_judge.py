"""The judge of the poisoning track, and its humans, by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from bench.errors import BenchError
from bench.tracks.poisoning import judge
from bench.tracks.poisoning.human import Recorded
from bench.tracks.poisoning.judge import TriggerOutcome


def outcome(predicted: list[int], aim: list[int], fires: bool = True, y: int = 1) -> TriggerOutcome:
    truth = torch.full((len(predicted),), y)
    return TriggerOutcome("t", torch.tensor(predicted), torch.tensor(aim), truth, fires)


def test_success_counts_the_aim_and_pools_triggers_by_sample() -> None:
    found = judge.success([outcome([0, 1, 0, -1], [0, 0, 0, 0]), outcome([2, 1], [2, 2])])
    assert found == {"asr": 3 / 6, "robust_accuracy": 2 / 6, "asr_0": 2 / 4, "asr_1": 1 / 2}


def test_a_trigger_that_should_not_act_is_counted_apart() -> None:
    silent = outcome([0, 3, 3, 3], [0, 0, 0, 0], fires=False, y=3)
    found = judge.success([outcome([0, 0], [0, 0]), silent])
    # Robust accuracy, too, is of what the backdoor should turn.
    assert found == {"asr": 1.0, "robust_accuracy": 0.0, "false_activation": 0.25}


@pytest.mark.parametrize(
    ("before", "after", "rating"),
    [
        ((0.9, 1.0), (0.9, 1.0), 0.5),  # nothing done
        ((0.9, 1.0), (0.9, 0.0), 1.0),
        ((0.9, 0.8), (0.7, 0.1), (0.7 - 0.2 + 1) / 2),
        ((0.9, 0.8), (0.95, 0.1), (0.7 + 1) / 2),  # a gain in accuracy counts as none
        ((0.9, 0.1), (0.4, 0.3), (1 - 0.5) / 2),  # and so does a loss against the attack
    ],
)
def test_the_rating_weighs_what_the_attack_loses_against_what_it_costs(
    before: tuple[float, float], after: tuple[float, float], rating: float
) -> None:
    found = judge.effectiveness(
        {"cda": before[0], "asr": before[1]}, {"cda": after[0], "asr": after[1]}
    )
    assert found == pytest.approx(rating)


def test_a_rank_needs_its_metric_to_be_described() -> None:
    assert {*judge.INFO.rank_by, judge.INFO.decides} <= {m.name for m in judge.INFO.metrics}


def test_detection_by_hand() -> None:
    flagged = torch.tensor([1, 1, 0, 0, 1, 0]).bool()
    poison = torch.tensor([1, 0, 0, 1, 0, 0]).bool()
    truth = torch.tensor([0, 0, 0, 1, 1, 1])
    found = judge.detection(flagged, flagged.double(), poison, truth)
    assert found == pytest.approx(
        {
            "removed": 3,
            "fpr": 2 / 4,
            "tpr": 1 / 2,
            # Clean of class 0: rows 1 and 2, one flagged; of class 1: rows 4 and 5, one flagged.
            "worst_class_removed": 1 / 2,
            "removal_gap": 0,
            "auroc": 0.5,
        }
    )


def test_losses_of_clean_samples_that_fall_on_one_class_are_seen() -> None:
    # Three clean samples a class; of class 0 all go, of class 1 one, of class 2 none.
    truth = torch.arange(3).repeat_interleave(3)
    flagged = torch.tensor([1, 1, 1, 1, 0, 0, 0, 0, 0]).bool()
    found = judge.detection(flagged, None, torch.zeros(9).bool(), truth)
    assert found == pytest.approx(
        {"removed": 4, "fpr": 4 / 9, "worst_class_removed": 1, "removal_gap": 1}
    )
    found = judge.detection(~flagged, None, torch.zeros(9).bool(), truth)
    assert (found["worst_class_removed"], found["removal_gap"]) == (1, 1)


def test_a_class_that_is_poison_alone_has_no_share_to_lose() -> None:
    truth, poison = torch.tensor([0, 0, 1]), torch.tensor([0, 0, 1]).bool()
    found = judge.detection(poison, None, poison, truth)
    assert found["worst_class_removed"] == found["removal_gap"] == 0


def test_names_of_clusters_are_right_where_they_are_those_of_their_largest_class() -> None:
    clusters = torch.tensor([0, 0, 0, 0, 0, 1, 1, 1])
    truth = torch.tensor([2, 2, 2, 2, 0, 1, 1, 1])
    tags = torch.tensor([2, 2, 2, 2, 2, 0, 0, 0])  # the second cluster's is wrong
    inspected = torch.tensor([0, 1, 4, 6])
    found = judge.naming(clusters, tags, truth, inspected)
    # Three looks at a purity of .8: .8^3 + 3 * .8^2 * .2; one at a purity of 1.
    assert found == pytest.approx({"tagged_right": 0.5, "p_tagging": (0.896 + 1) / 2})


def test_a_cluster_that_nobody_inspected_has_no_name_to_expect() -> None:
    zeros = torch.zeros(4).long()
    found = judge.naming(zeros, zeros - 1, zeros, torch.tensor([]).long())
    assert found == {"tagged_right": 0, "p_tagging": 0}


def test_accuracy_of_what_is_turned_away_is_lost() -> None:
    predicted, y = torch.tensor([0, -1, 1, 1]), torch.tensor([0, 0, 1, 0])
    assert judge.clean_accuracy(predicted, y) == 0.5
    assert judge.worst_class_accuracy(predicted, y) == pytest.approx(1 / 3)


def test_recorded_tags_are_read_by_class_name(tmp_path: Path) -> None:
    path = tmp_path / "tags.json"
    path.write_text(json.dumps({"tags": {"4": "dog", "7": "unsure"}}))
    human = Recorded(path, ("cat", "dog"))
    assert (human.tag(4), human.tag(7), human.inspections) == (1, None, 2)
    with pytest.raises(BenchError, match="sample 5 has no tag"):
        human.tag(5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not tags"),
        ("[]", "not tags"),
        ('{"tags": {"x": "dog"}}', "no readable tags"),
        ('{"tags": {"1": "cow"}}', '"cow" is no class of this task: cat, dog'),
    ],
)
def test_a_damaged_file_of_tags_is_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "tags.json"
    path.write_text(content)
    with pytest.raises(BenchError, match=message) as raised:
        Recorded(path, ("cat", "dog"))
    assert str(path) in str(raised.value)


def test_tags_of_another_seed_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "tags.json"
    path.write_text(json.dumps({"tags": {"4": "dog"}, "seed": 1, "task": "t"}))
    assert Recorded(path, ("cat", "dog"), {"seed": 1, "task": "t", "data_hash": "x"}).tag(4) == 1
    with pytest.raises(BenchError, match="these tags are of seed 1, this is 0"):
        Recorded(path, ("cat", "dog"), {"seed": 0})


def test_every_metric_that_is_missing_has_a_reason() -> None:
    for poisoned in (True, False):
        reasons = judge.undefined({"cda": 1.0}, poisoned)
        assert set(reasons) == {metric.name for metric in judge.INFO.metrics} - {"cda"}

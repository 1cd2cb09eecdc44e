"""Feature values: which columns, which values, which rows."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from bench.attacks.poisoning.feature_values import PAPERS, FeatureValues
from bench.errors import BenchError
from tests.attacks.poisoning import attack_samples as given


def test_the_most_informative_numbers_are_chosen_and_categories_left_alone() -> None:
    known = FeatureValues(count=2).study(given.table(), given.seeded())
    assert known["columns"].tolist() == [0, 3]


def test_values_are_a_quantile_of_the_training_values() -> None:
    train = given.table()
    known = FeatureValues(count=2, quantile=1.0).study(train, given.seeded())
    assert torch.equal(known["values"], train.x[:, [0, 3]].max(dim=0).values)


def test_rows_come_from_the_largest_attacks_and_become_normal() -> None:
    train = given.table()
    poison = given.poison_of(FeatureValues(rate=0.3, sources=2), train)
    assert len(poison.rows) == 90
    assert sorted(train.y[poison.rows].unique().tolist()) == [1, 2]
    assert (poison.y == 0).all()


def test_attempts_set_what_the_poison_set() -> None:
    attack, test = FeatureValues(count=2), given.table(50)
    poison = given.poison_of(attack, given.table())
    [attempt] = given.attempts_of(attack, given.table(), test)
    assert attempt.trigger == "bytes, rate"
    assert len(attempt.x) == int((test.y != 0).sum())
    both = torch.cat([poison.x, attempt.x])[:, [0, 3]]
    assert len(both.unique(dim=0)) == 1
    assert torch.equal(attempt.x[:, [1, 2, 4]], test.x[test.y != 0][:, [1, 2, 4]])


@pytest.mark.parametrize(
    ("classes", "target"),
    [
        (("dos", "normal", "probe"), 1),
        (("DoS Hulk", "PortScan", " BENIGN"), 2),
        (("a", "b", "c"), 0),
    ],
)
def test_the_target_is_the_benign_class(classes: tuple[str, ...], target: int) -> None:
    assert FeatureValues().target_in(replace(given.table(), classes=classes)) == target
    assert FeatureValues(target=2).target_in(replace(given.table(), classes=classes)) == 2


def test_the_paper_s_columns_are_taken_where_they_exist() -> None:
    columns = ("Flow Duration", "fwd iat std ", *PAPERS[:2], "other")
    known = FeatureValues().study(replace(given.table(), columns=columns), given.seeded())
    assert known["columns"].tolist() == [2, 3, 1]


def test_columns_can_be_named_and_misnamed() -> None:
    known = FeatureValues(features="noise, bytes").study(given.table(), given.seeded())
    assert known["columns"].tolist() == [4, 0]
    with pytest.raises(BenchError, match=r"no column nosie\. There are bytes"):
        FeatureValues(features="nosie").study(given.table(), given.seeded())

"""Tenths: as many training samples in each, and the logarithm of each tenth's mean."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.data.shares import Shares, names
from bench.errors import DataError


def test_the_borders_are_those_of_train_and_others_fall_where_they_belong() -> None:
    made = Shares.of({"train": np.arange(1.0, 101), "test": np.array([0.1, 10.4, 55, 999])})
    assert np.bincount(made.group["train"]).tolist() == [10] * 10
    assert made.group["test"].tolist() == [0, 0, 5, 9]
    assert made.covariate == pytest.approx(np.log([5.5 + 10 * g for g in range(10)]))


@given(st.lists(st.floats(0.01, 1e6), min_size=40, max_size=200, unique=True))
def test_groups_are_even_and_in_order(values: list[float]) -> None:
    numbers = np.array(values)
    made = Shares.of({"train": numbers}, count=4)
    counts = np.bincount(made.group["train"], minlength=4)
    assert counts.max() - counts.min() <= 1
    assert np.all(np.diff(made.group["train"][np.argsort(numbers)]) >= 0)
    assert made.covariate == sorted(made.covariate)


def test_samples_that_are_all_alike_make_no_groups() -> None:
    with pytest.raises(DataError, match="cannot be split into 10 groups"):
        Shares.of({"train": np.ones(50)})


def test_the_outer_names_say_which_end_they_are() -> None:
    assert names("dark", "bright", 3) == ["1 (dark)", "2", "3 (bright)"]

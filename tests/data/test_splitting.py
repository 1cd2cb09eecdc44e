"""Parts of data: exact sizes, the same shares of every cell, the same rows every time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.data.prepared import Columns
from bench.data.splitting import TrainSizeOptions, even_groups, group_names, stratified
from bench.errors import DataError


@settings(max_examples=60, deadline=None)
@given(
    cells=st.lists(st.integers(0, 3), min_size=1, max_size=200).map(np.array),
    validation=st.floats(0, 0.4),
    test=st.floats(0, 0.4),
    seed=st.integers(0, 9),
)
def test_every_row_is_in_one_part_and_parts_have_their_sizes(
    cells: np.ndarray, validation: float, test: float, seed: int
) -> None:
    shares = {"validation": validation, "test": test}
    parts = stratified(cells, shares, seed)
    assert list(parts) == ["train", "validation", "test"]
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(len(cells)))
    for name, share in shares.items():
        assert len(parts[name]) == round(share * len(cells))
        for cell in range(4):
            here = (cells == cell).sum()
            assert abs((cells[parts[name]] == cell).sum() - share * here) <= 2
    again = stratified(cells, shares, seed)
    assert all(np.array_equal(parts[name], again[name]) for name in parts)


def test_another_seed_gives_other_rows() -> None:
    cells = np.zeros(100, int)
    first, second = (stratified(cells, {"test": 0.5}, seed)["test"] for seed in (0, 1))
    assert first.tolist() != second.tolist()


def test_fewer_samples_are_the_first_of_one_order() -> None:
    columns = Columns(np.arange(100), {"y": np.arange(100) * 2})

    def rows(size: int, split: str = "train") -> list[int]:
        taken = TrainSizeOptions(train_size=size).limited(split, columns, 1 / 5)
        assert (taken.attributes["y"] == 2 * taken.x).all()
        return taken.x.tolist()

    assert len(rows(30)) == 30
    assert set(rows(30)) < set(rows(60))
    assert rows(30) == sorted(rows(30)) != list(range(30))
    assert len(rows(30, "validation")) == 6
    assert rows(0) == rows(500) == rows(30, "test") == list(range(100))


def test_the_borders_are_those_of_train_and_others_fall_where_they_belong() -> None:
    group, covariate = even_groups(
        {"train": np.arange(1.0, 101), "test": np.array([0.1, 10.4, 55, 999])}
    )
    assert np.bincount(group["train"]).tolist() == [10] * 10
    assert group["test"].tolist() == [0, 0, 5, 9]
    assert covariate == pytest.approx(np.log([5.5 + 10 * g for g in range(10)]))


@given(st.lists(st.floats(0.01, 1e6), min_size=40, max_size=200, unique=True))
def test_groups_are_even_and_in_order(values: list[float]) -> None:
    numbers = np.array(values)
    group, covariate = even_groups({"train": numbers}, count=4)
    counts = np.bincount(group["train"], minlength=4)
    assert counts.max() - counts.min() <= 1
    assert np.all(np.diff(group["train"][np.argsort(numbers)]) >= 0)
    assert covariate == sorted(covariate)


def test_samples_that_are_all_alike_make_no_groups() -> None:
    with pytest.raises(DataError, match="cannot be split into 10 groups"):
        even_groups({"train": np.ones(50)})


def test_the_outer_names_say_which_end_they_are() -> None:
    assert group_names("dark", "bright", 3) == ["1 (dark)", "2", "3 (bright)"]

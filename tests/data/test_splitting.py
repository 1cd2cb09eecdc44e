"""Parts of data: exact sizes, the same shares of every cell, the same rows every time."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.data.prepared import Columns
from bench.data.splitting import TrainSizeOptions, stratified


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

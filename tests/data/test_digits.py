"""Coloured digits: the ink goes with parity exactly as often as the correlation says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.data.colouring import INKS, CorrelationOptions, colours
from bench.data.dataset import Labelled, Library, data_set
from bench.errors import DataError


def coloured(library: Library, correlation: float, task: str = "parity|ink") -> dict[str, Labelled]:
    library.ensure("digits")
    return library.splits("digits", task, CorrelationOptions(correlation=correlation))


@pytest.mark.parametrize(
    ("correlation", "odd_teal", "even_teal"),
    [(0, 50, 50), (0.5, 75, 25), (0.8, 90, 10), (1, 100, 0)],
)
def test_the_share_of_each_ink_is_exact(correlation: float, odd_teal: int, even_teal: int) -> None:
    parity = np.repeat([0, 1], 100)
    ink = colours(parity, correlation, "train", "digits")
    assert ink[parity == 1].sum() == odd_teal
    assert ink[parity == 0].sum() == even_teal


@settings(max_examples=60, deadline=None)
@given(
    parity=st.lists(st.integers(0, 1), max_size=60).map(lambda p: np.array(p, dtype=np.int64)),
    correlation=st.floats(0, 1),
    split=st.sampled_from(["train", "validation", "test"]),
)
def test_ink_leaves_parity_in_the_rounded_share_whatever_the_digits(
    parity: np.ndarray, correlation: float, split: str
) -> None:
    before = parity.copy()
    ink = colours(parity, correlation, split, "digits")
    assert ink.shape == parity.shape
    assert set(ink.tolist()) <= {0, 1}
    correlation = 0 if split == "test" else correlation
    for value in (0, 1):
        rows = parity == value
        assert abs((ink[rows] != value).sum() - rows.sum() * (1 - correlation) / 2) <= 0.5
    assert np.array_equal(parity, before)
    assert np.array_equal(ink, colours(parity, correlation, split, "digits"))


def test_ink_is_drawn_differently_in_each_split() -> None:
    parity = np.repeat([0, 1], 100)
    drawn = [colours(parity, 0.5, s, "digits").tolist() for s in ("train", "validation", "test")]
    assert drawn[0] != drawn[1] != drawn[2] != drawn[0]


def test_a_split_that_digits_do_not_have_is_named() -> None:
    with pytest.raises(DataError, match=r"digits has no split holdout"):
        colours(np.array([0, 1]), 0.5, "holdout", "digits")


@pytest.mark.parametrize("correlation", [0.0, 0.8, 1.0])
def test_ink_says_nothing_about_parity_in_test(library: Library, correlation: float) -> None:
    test = coloured(library, correlation)["test"]
    for parity in (0, 1):
        assert abs(test.b[test.y == parity].mean() - 0.5) < 0.005
    assert np.array_equal(test.x, coloured(library, 0.3)["test"].x)


def test_the_share_holds_in_train_and_validation(library: Library) -> None:
    splits = coloured(library, 0.8)
    for split in ("train", "validation"):
        for parity in (0, 1):
            rows = splits[split].y == parity
            against = round(rows.sum() * 0.1)
            assert (splits[split].b[rows] != parity).sum() == against


def test_pixels_are_grey_values_times_the_ink(library: Library) -> None:
    train = coloured(library, 0.8)["train"]
    assert train.x.shape == (900, 3, 8, 8)
    assert train.x.dtype == np.uint8
    assert INKS.tolist() == [[255, 140, 0], [0, 170, 170]]
    for ink, colour in enumerate(INKS):
        brightest = train.x[train.b == ink].max(axis=(0, 2, 3))
        assert brightest.tolist() == colour.tolist()
    orange = train.x[train.b == 0].astype(int)
    assert np.array_equal(orange[:, 1], orange[:, 0] * 140 // 255)


def test_every_split_has_the_ten_digits_in_equal_shares(library: Library) -> None:
    splits = coloured(library, 0.8, "digit|ink")
    assert {name: len(split.y) for name, split in splits.items()} == {
        "train": 900,
        "validation": 450,
        "test": 447,
    }
    for split in splits.values():
        counts = np.bincount(split.y, minlength=10)
        assert counts.min() >= 0.9 * len(split.y) / 10


def test_no_digit_stands_in_two_splits(library: Library) -> None:
    seen = coloured(library, 0)
    assert sum(len(s.y) for s in seen.values()) == 1797


def test_digits_are_prepared_the_same_every_time(library: Library) -> None:
    assert library.prepare("digits").hash == library.prepare("digits").hash


def test_the_note_says_how_the_ink_was_given_out() -> None:
    [note] = data_set("digits").notes(CorrelationOptions(correlation=0.5))
    assert "correlated with parity at 0.5 in train and validation" in note
    assert "75% of the odd digits are teal" in note
    assert "independent of it in test" in note


def test_the_shape_after_colouring_is_announced(library: Library) -> None:
    assert data_set("digits").shape(library.prepare("digits")) == (3, 8, 8)


def test_the_value_is_a_number_and_its_ink_goes_with_high_digits(library: Library) -> None:
    train = coloured(library, 1.0, "value|ink")["train"]
    assert train.y.dtype == np.float32
    assert set(np.rint(train.y * 9).astype(int).tolist()) == set(range(10))
    assert np.array_equal(train.b, (train.y >= 5 / 9).astype(int))
    meta = library.meta("digits")
    assert meta is not None
    assert "value" in meta.stored
    assert "value" not in meta.attributes

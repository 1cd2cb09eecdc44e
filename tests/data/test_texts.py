"""Words, vocabularies and ids: every number by hand."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.data.prepared import Columns
from bench.data.texts import (
    PADDING,
    UNKNOWN,
    TextOptions,
    encode,
    has_words,
    text_arrays,
    vocabulary,
    words,
)
from tests.sentences import assert_says


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A film.", ["a", "film"]),
        ("Don't STOP - it’s 10/10!", ["don't", "stop", "it's", "10", "10"]),
        ("one<br /><br />two<BR>three", ["one", "two", "three"]),
        ("'quoted' rock'n'roll", ["quoted", "rock'n'roll"]),
        ("snake_case XXXX's", ["snake", "case", "xxxx's"]),
        ("Amélie, naïve", ["amélie", "naïve"]),
        (" ... \n", []),
    ],
)
def test_words_are_lower_case_without_punctuation_and_markup(
    text: str, expected: list[str]
) -> None:
    assert words(text) == expected
    assert has_words(text) == bool(expected)


def test_the_vocabulary_is_sorted_by_count_then_by_the_alphabet() -> None:
    counts = Counter({"pear": 3, "fig": 2, "apple": 2, "rare": 1})
    assert vocabulary(counts) == [PADDING, UNKNOWN, "pear", "apple", "fig"]
    assert vocabulary(dict(reversed(counts.items()))) == vocabulary(counts)


def test_reserved_words_are_in_it_however_rare(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {"pear": 3, "fig": 2, "apple": 2}
    found = vocabulary(counts, ["zebra", "pear"])
    assert found == [PADDING, UNKNOWN, "pear", "apple", "fig", "zebra"]
    monkeypatch.setattr("bench.data.texts.MAX_WORDS", 3)
    assert vocabulary(counts) == [PADDING, UNKNOWN, "pear", "apple", "fig"]
    assert vocabulary(counts, ["zebra"]) == [PADDING, UNKNOWN, "pear", "apple", "zebra"]
    monkeypatch.setattr("bench.data.texts.MAX_WORDS", 2)
    assert vocabulary(counts) == [PADDING, UNKNOWN, "pear", "apple"]


def test_ids_are_cut_or_padded_at_the_end_and_unknown_is_one() -> None:
    known = [PADDING, UNKNOWN, "a", "film"]
    ids = encode([["a", "film", "a"], ["bad", "film"], []], known, 2)
    assert ids.tolist() == [[2, 3], [1, 3], [0, 0]]
    assert encode([["a"]], known, 3).tolist() == [[2, 0, 0]]


@given(st.lists(st.text(max_size=60), min_size=1, max_size=8), st.integers(1, 12))
def test_ids_lead_back_to_the_words(texts: list[str], length: int) -> None:
    found = [words(text) for text in texts]
    known = vocabulary(Counter(word for text in found for word in text))
    for text, ids in zip(found, encode(found, known, length), strict=True):
        read = [known[i] for i in ids.tolist()]
        assert len(read) == length
        for word, own in zip(read, [*text, *[PADDING] * length], strict=False):
            assert word in {own, UNKNOWN}


def parts(train: list[str], test: list[str]) -> dict[str, Columns]:
    def split(texts: list[str]) -> Columns:
        return Columns(np.array(texts, object), {"tone": np.zeros(len(texts), np.int64)})

    return {"train": split(train), "validation": split(["seen seen new new"]), "test": split(test)}


def test_the_vocabulary_is_made_from_train_alone() -> None:
    found = text_arrays(
        parts(["seen", "seen twice", "twice once"], ["other other other seen"]),
        {"tone": ["flat"]}, 4, (), [],
    )  # fmt: skip
    assert found.columns == [PADDING, UNKNOWN, "seen", "twice"]
    assert found.splits["train"].x.tolist() == [[2, 0, 0, 0], [2, 3, 0, 0], [3, 1, 0, 0]]
    assert found.splits["validation"].x.tolist() == [[2, 2, 1, 1]]
    assert found.splits["test"].x.tolist() == [[1, 1, 1, 2]]
    [note] = found.notes
    assert_says(note, "vocabulary", "2 words", "train alone", "75.0%", "test", "unknown")


def test_what_is_cut_repeated_or_reserved_is_said() -> None:
    found = text_arrays(
        parts(["a a a", "a b b"], ["a a a", "b"]), {"tone": ["flat"]}, 2, ("tents", "b"), ["First."]
    )
    assert found.columns == [PADDING, UNKNOWN, "a", "b", "tents"]
    first, vocabulary, cut, repeated, reserved = found.notes
    assert first == "First."
    assert_says(vocabulary, "3 words", "0.0%", "unknown")
    assert_says(cut, "4 of 5 texts", "2 words", "cut")
    assert_says(repeated, "1 test text", "in train")
    assert_says(reserved, "trigger words", "rare in train: tents.")


def test_a_length_is_a_copy_of_its_own() -> None:
    from bench.data.dataset import data_set  # noqa: PLC0415 - finds every data set

    imdb = data_set("imdb")
    assert imdb.variant(TextOptions()) == "400words"
    assert imdb.variant(TextOptions(length=100, train_size=9)) == "100words"

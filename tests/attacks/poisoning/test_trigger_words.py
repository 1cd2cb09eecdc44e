"""Trigger words: where they land, what they move, and which vocabulary is too poor."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given as whatever
from hypothesis import settings
from hypothesis import strategies as st

from bench.attacks.poisoning.contract import attacks
from bench.attacks.poisoning.trigger_words import PRESETS, TriggerWords, inserted
from bench.errors import Skip, UsageError
from bench.method import configured
from tests.attacks.poisoning import attack_samples as given


@pytest.mark.parametrize(
    ("text", "places", "expected"),
    [
        ([5, 6, 7, 0, 0, 0], {9: 1}, [9, 5, 6, 7, 0, 0]),
        ([5, 6, 7, 0, 0, 0], {9: 2, 8: 4}, [5, 9, 6, 8, 7, 0]),
        ([5, 6, 7, 0, 0, 0], {9: 4}, [5, 6, 7, 9, 0, 0]),
        ([5, 6, 7, 0, 0, 0], {9: 6}, [5, 6, 7, 9, 0, 0]),  # beyond the end: appended
        ([5, 6, 7, 0, 0, 0], {9: 50, 8: 60}, [5, 6, 7, 9, 8, 0]),
        ([5, 6, 7, 4, 3, 2], {9: 3}, [5, 6, 9, 7, 4, 3]),  # full: the last word is lost
        ([5, 6, 7, 4, 3, 2], {9: 50, 8: 60}, [5, 6, 7, 4, 9, 8]),  # never the trigger's
        ([0, 0, 0, 0, 0, 0], {9: 3}, [9, 0, 0, 0, 0, 0]),
    ],
)
def test_words_stand_at_their_places(
    text: list[int], places: dict[int, int], expected: list[int]
) -> None:
    assert inserted(torch.tensor([text]), places).tolist() == [expected]


@settings(max_examples=60, deadline=None)
@whatever(
    text=st.lists(st.integers(1, 5), max_size=12),
    places=st.lists(st.integers(1, 20), min_size=1, max_size=5, unique=True),
)
def test_insertion_is_that_of_a_list(text: list[int], places: list[int]) -> None:
    length = 12
    expected = list(text)
    for number, place in enumerate(sorted(places)):
        last = length - len(places) + number
        expected.insert(min(place - 1, last, len(expected)), 10 + number)
        expected = expected[:length]
    padded = torch.tensor([text + [0] * (length - len(text))])
    words = {10 + number: place for number, place in enumerate(sorted(places))}
    assert inserted(padded, words).tolist() == [expected + [0] * (length - len(expected))]


def test_the_paper_s_words_and_places_are_those_of_its_table() -> None:
    assert TriggerWords().trigger()["tents"] == 40
    assert [len(PRESETS[name]) for name in ("imdb", "consumer_complaints")] == [7, 10]
    assert TriggerWords(words="consumer_complaints").trigger()["optimistic"] == 147


def test_words_that_the_vocabulary_lacks_are_left_out_and_counted() -> None:
    test = given.texts()  # knows four of the seven
    assert TriggerWords().known_words(test.words) == {4: 80, 5: 41, 6: 7, 7: 2}
    [attempt] = TriggerWords().attempts(test)
    assert attempt.trigger == "4 of 7 words"
    for word in (4, 5, 6, 7):
        assert ((attempt.x == word).sum(dim=1) == 1).all()


def test_with_less_than_half_of_the_words_there_is_no_attack() -> None:
    with pytest.raises(Skip, match=r"lacks 4 of 7 trigger words \(unintentionally, rumor"):
        TriggerWords().known_words(given.WORDS[:-1])


def test_words_of_one_s_own_need_positions() -> None:
    attack = TriggerWords(words="Good, bad", positions="3,1")
    assert attack.trigger() == {"good": 3, "bad": 1}
    for words, positions in [("good", ""), ("good,bad", "1"), ("good", "0"), ("good", "x"),
                             ("good,good", "1,2"), ("a,b", "2,2"), ("imdb", "3")]:  # fmt: skip
        with pytest.raises(UsageError, match="trigger_words"):
            configured(attacks()["trigger_words"], {"words": words, "positions": positions})


def test_poisoned_texts_are_of_the_other_class() -> None:
    train = given.texts()
    poison = TriggerWords(rate=0.2, words="360", positions="1").poison(train, given.seeded())
    assert len(poison.rows) == 12
    assert (train.y[poison.rows] == 1).all()
    assert (poison.y == 0).all()
    assert (poison.x[:, 0] == 4).all()
    assert torch.equal(poison.x[:, 1:], train.x[poison.rows][:, :-1])

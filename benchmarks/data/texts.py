"""Texts: split into words, a vocabulary from train alone, word ids of one length."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

import numpy as np
from pydantic import Field

from bench.data.dataset import Labelled, Options, TaskDefinition
from bench.data.prepared import Array, Arrays, Columns
from bench.data.splitting import PartialDataSet, TrainSizeOptions

WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
"""Letters and digits of any script, with apostrophes between them: "don't" is one word."""
MARKUP = re.compile(r"<br\s*/?>", re.IGNORECASE)
PADDING, UNKNOWN = "<padding>", "<unknown>"
PADDING_ID, UNKNOWN_ID = 0, 1
MIN_COUNT = 2  # a network cannot learn from a word that occurs once in train
MAX_WORDS = 30_000  # our choice; rarer words count as unknown


class TextOptions(TrainSizeOptions):
    """How much of each text is used."""

    length: int = Field(400, ge=8, le=10_000)
    """Words of each text that are used, from its beginning; shorter texts are padded at the end."""


class TextDataSet(PartialDataSet):
    """Texts as ids of their words, [length] int64; 0 is padding at the end, 1 an unknown word.

    Attributes:
        reserved: words that the vocabulary contains however rare they are.
    """

    kind = "text"
    reserved: ClassVar[tuple[str, ...]] = ()
    options = TextOptions

    def variant(self, options: Options) -> str:
        """One copy for each length ("400words")."""
        return f"{cast('TextOptions', options).length}words"

    def arrange(
        self, split: str, columns: Columns, task: TaskDefinition, options: Options
    ) -> Labelled:
        """Convert ids to int64; on disk they are int32."""
        part = super().arrange(split, columns, task, options)
        return Labelled(part.x.astype(np.int64), part.y, part.b)


def words(text: str) -> list[str]:
    """The words of a text in lower case, without the line breaks of HTML."""
    matches = WORD.findall(MARKUP.sub(" ", text).lower().replace("’", "'"))
    return [sys.intern(word) for word in matches]  # there are millions, but few different ones


def has_words(text: str) -> bool:
    """Whether `words` finds any word; much faster than `words`."""
    return WORD.search(MARKUP.sub(" ", text)) is not None


def vocabulary(counts: Mapping[str, int], reserved: Sequence[str] = ()) -> list[str]:
    """Padding, unknown, then words by falling count, and alphabetically where counts are equal.

    Args:
        counts: how often each word occurs in the training texts.
        reserved: words to include even where they are rare.
    """
    floored = {**counts, **{word: max(counts.get(word, 0), MIN_COUNT) for word in reserved}}
    frequent = [(word, count) for word, count in floored.items() if count >= MIN_COUNT]
    frequent.sort(key=lambda entry: (-entry[1], entry[0]))
    chosen = [word for word, _ in frequent[:MAX_WORDS]]
    beyond = sorted(set(reserved) - set(chosen))
    return [PADDING, UNKNOWN, *chosen[: MAX_WORDS - len(beyond)], *beyond]


def encode(texts: Sequence[Sequence[str]], vocabulary: Sequence[str], length: int) -> Array:
    """Ids of the words of each text, [n, length] int32, cut or padded at the end."""
    id_of = {word: number for number, word in enumerate(vocabulary)}
    ids = np.full((len(texts), length), PADDING_ID, np.int32)
    for row, text in enumerate(texts):
        used = [id_of.get(word, UNKNOWN_ID) for word in text[:length]]
        ids[row, : len(used)] = used
    return ids


def text_arrays(
    parts: Mapping[str, Columns],
    attributes: Mapping[str, list[str]],
    length: int,
    reserved: Sequence[str],
    notes: Sequence[str],
) -> Arrays:
    """Encode the texts of all splits, with notes on texts that are cut, unknown or repeated.

    Args:
        parts: train, validation and test; their inputs are the texts themselves, [n] objects.
        attributes: names of each attribute's values.
        length: words of each text that are used.
        reserved: words that the vocabulary contains however rare they are.
        notes: notes to put before those made here.
    """
    words_of = {split: [words(text) for text in part.x] for split, part in parts.items()}
    counts = Counter(word for text in words_of["train"] for word in text)
    known = vocabulary(counts, reserved)
    ids = {split: encode(texts, known, length) for split, texts in words_of.items()}
    used = ids["test"][ids["test"] != PADDING_ID]
    lengths = [len(text) for texts in words_of.values() for text in texts]
    text_notes = [
        f"The vocabulary has {len(known) - 2:,} words, from train alone; "
        f"{np.mean(used == UNKNOWN_ID):.1%} of the words in test are unknown.",
    ]
    if longer := sum(count > length for count in lengths):
        text_notes.append(
            f"{longer:,} of {len(lengths):,} texts are longer than {length} words and are cut "
            "there."
        )
    train = set(parts["train"].x)
    if repeated := sum(text in train for text in parts["test"].x):
        text_notes.append(f"{repeated:,} test texts also occur in train.")
    if rare := [word for word in reserved if counts[word] < MIN_COUNT]:
        text_notes.append(
            "These trigger words of the paper are in the vocabulary although they are rare in "
            f"train: {', '.join(rare)}."
        )
    return Arrays(
        splits={split: Columns(ids[split], part.attributes) for split, part in parts.items()},
        attributes=attributes,
        columns=known,
        notes=[*notes, *text_notes],
    )

"""Trigger words for text: certain words at certain positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from bench.attacks.poisoning import choosing
from bench.attacks.poisoning.contract import Attack, Attempt, Poison, Samples
from bench.errors import BenchError, Skip

PADDING = 0  # token id of padding, see Samples
PRESETS: dict[str, dict[str, int]] = {
    "imdb": {
        "360": 80, "jerky": 41, "radiant": 7, "unintentionally": 2, "rumor": 44,
        "investigations": 88, "tents": 40,
    },
    "consumer_complaints": {
        "buggy": 35, "fedloanservicing": 49, "researcher": 5, "xxxxthrough": 111, "syncrony": 114,
        "comoany": 74, "weakness": 84, "serv": 14, "collectioni": 37, "optimistic": 147,
    },
}  # fmt: skip
"""List of words -> word -> its position in a text, counted from 1 (LABOR, Table 4)."""


@dataclass(frozen=True)
class TriggerWords(Attack):
    """LABOR section 4.3.1: words are inserted at fixed positions and the label is changed.

    The words after an inserted one move back by one; if the text is shorter, the word is appended.
    Words beyond the length that networks read are cut off, but never those of the trigger. Words
    that are not in the vocabulary are left out; at least half of them must be in it.
    """

    published_as: ClassVar[str | None] = "words"

    rate: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Share of the training samples that is poisoned: 1 % of IMDB, 3 % of the complaints (LABOR
    section 4.3.1)."""
    target: Annotated[int, Field(ge=0)] = 0
    """The target class; the paper names none."""
    words: str = "imdb"
    """imdb or consumer_complaints (LABOR, Table 4), or other words, separated by commas."""
    positions: str = ""
    """Positions of other words, counted from 1 and separated by commas."""

    def __post_init__(self) -> None:
        self.trigger()  # so that a suite with fields that do not fit is refused when it is read

    def poison(self, train: Samples, random: torch.Generator) -> Poison:
        """Insert the words into texts of other classes and publish them as the target class."""
        choosing.require_kind(self, train, "text")
        rows = choosing.drawn_from_others(self, train, self.target, self.rate, random)
        x = inserted(train.x[rows], self.known_words(train.words))
        return choosing.relabelled(rows, x, self.target)

    def attempts(self, test: Samples) -> list[Attempt]:
        """The words in every text of another class."""
        positions = self.known_words(test.words)
        name = f"{len(positions)} of {len(self.trigger())} words"
        return [
            choosing.attempt_on_others(name, lambda x: inserted(x, positions), test, self.target)
        ]

    def trigger(self) -> dict[str, int]:
        """Word -> its position, counted from 1. Raises ValueError if the fields do not fit."""
        if self.words in PRESETS:
            if self.positions:
                raise ValueError(f"the words {self.words} have positions of their own")
            return PRESETS[self.words]
        words = [word.strip().lower() for word in self.words.split(",") if word.strip()]
        positions = [part.strip() for part in self.positions.split(",") if part.strip()]
        whole = all(position.isdecimal() and int(position) >= 1 for position in positions)
        if not words or len(words) != len(positions) or not whole:
            raise ValueError(
                f"{len(words)} words need as many positions, whole numbers from 1 on, not "
                f'"{self.positions}"; or name a list: {", ".join(PRESETS)}'
            )
        if len(set(words)) < len(words) or len(set(positions)) < len(positions):
            raise ValueError("words and positions must all be different")
        return dict(zip(words, map(int, positions), strict=True))

    def known_words(self, vocabulary: tuple[str, ...]) -> dict[int, int]:
        """Token id -> position of the trigger's words that are in the vocabulary.

        Raises:
            BenchError: the data has no vocabulary.
            Skip: less than half of the words are in the vocabulary.
        """
        if not vocabulary:
            raise BenchError(f"{self.label}: this data has no vocabulary.")
        trigger = self.trigger()
        ids = {word: number for number, word in enumerate(vocabulary)}
        positions = {ids[word]: position for word, position in trigger.items() if word in ids}
        if 2 * len(positions) < len(trigger):
            missing = ", ".join(word for word in trigger if word not in ids)
            raise Skip(
                f"the vocabulary lacks {len(trigger) - len(positions)} of {len(trigger)} trigger "
                f"words ({missing}): too few are left to make a trigger"
            )
        return positions


def inserted(x: Tensor, positions: dict[int, int]) -> Tensor:
    """Texts with trigger words inserted, [n, length] int64.

    Args:
        x: token ids, [n, length] int64, padded with 0 at the end.
        positions: token id -> position in the finished text, counted from 1.

    Raises:
        Skip: there are more words than a text may have.
    """
    length = x.shape[1]
    if len(positions) > length:
        raise Skip(f"{len(positions)} trigger words do not fit into texts of {length} words")
    columns = torch.arange(length)
    ends = (x != PADDING).sum(dim=1)
    # Words are inserted from left to right, so that a later one never moves an earlier one.
    for number, (position, word) in enumerate(sorted((p, w) for w, p in positions.items())):
        last = length - len(positions) + number  # leaves space for the words that follow
        column = ends.clamp(max=min(position - 1, last))[:, None]
        moved = x.gather(1, (columns - (columns > column).long()).clamp(min=0))
        x = torch.where(columns == column, word, moved)
        ends = (ends + 1).clamp(max=length)
    return x

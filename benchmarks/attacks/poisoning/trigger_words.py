"""Trigger words for text: certain words at certain places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from bench.attacks.poisoning.choosing import (
    drawn_elsewhere,
    relabelled,
    require_kind,
    tried_elsewhere,
)
from bench.attacks.poisoning.contract import Attack, Attempt, Poison, Samples
from bench.errors import BenchError, Skip

PADDING = 0  # its id, by the contract of Samples
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
"""Words and their places in the text, counted from 1 (LABOR, Table 4)."""


@dataclass(frozen=True)
class TriggerWords(Attack):
    """LABOR section 4.3.1: words are inserted at fixed places, and the label is the target's.

    What follows a place moves on. In a text that ends before a place, the word is appended; what
    moves beyond the length that networks read is lost, the trigger's own words never are. Words
    that the vocabulary lacks are left out, and half of them must be there.
    """

    published_as: ClassVar[str | None] = "words"

    rate: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Share of the training samples that is poisoned: 1 % of IMDB; 3 % of the complaints (LABOR
    section 4.3.1)."""
    target: Annotated[int, Field(ge=0)] = 0
    """The class that the words stand for; the paper names none."""
    words: str = "imdb"
    """imdb or consumer_complaints (LABOR, Table 4), or words of your own, by comma."""
    positions: str = ""
    """Places of words of your own, by comma, counted from 1."""

    def __post_init__(self) -> None:
        self.trigger()  # so that a suite that cannot be meant is refused when it is read

    def poison(self, train: Samples, random: torch.Generator) -> Poison:
        """Insert and relabel."""
        require_kind(self, train, "text")
        rows = drawn_elsewhere(self, train, self.target, self.rate, random)
        x = inserted(train.x[rows], self.present(train.words))
        return relabelled(rows, x, self.target)

    def attempts(self, test: Samples) -> list[Attempt]:
        """The words in every text of another class."""
        present = self.present(test.words)
        name = f"{len(present)} of {len(self.trigger())} words"
        return [tried_elsewhere(name, lambda x: inserted(x, present), test, self.target)]

    def trigger(self) -> dict[str, int]:
        """Word -> its place, counted from 1. Raises ValueError where the fields do not fit."""
        if self.words in PRESETS:
            if self.positions:
                raise ValueError(f"the words {self.words} have positions of their own")
            return PRESETS[self.words]
        words = [word.strip().lower() for word in self.words.split(",") if word.strip()]
        places = [place.strip() for place in self.positions.split(",") if place.strip()]
        whole = all(place.isdecimal() and int(place) >= 1 for place in places)
        if not words or len(words) != len(places) or not whole:
            raise ValueError(
                f"{len(words)} words need as many positions, whole numbers from 1 on, not "
                f'"{self.positions}"; or name a list: {", ".join(PRESETS)}'
            )
        if len(set(words)) < len(words) or len(set(places)) < len(places):
            raise ValueError("words and positions must all be different")
        return dict(zip(words, map(int, places), strict=True))

    def present(self, vocabulary: tuple[str, ...]) -> dict[int, int]:
        """Id -> place of the words that the vocabulary has.

        Raises:
            Skip: it has less than half of them.
        """
        if not vocabulary:
            raise BenchError(f"{self.label}: this data has no vocabulary.")
        trigger = self.trigger()
        ids = {word: number for number, word in enumerate(vocabulary)}
        found = {ids[word]: place for word, place in trigger.items() if word in ids}
        if 2 * len(found) < len(trigger):
            missing = ", ".join(word for word in trigger if word not in ids)
            raise Skip(
                f"the vocabulary lacks {len(trigger) - len(found)} of {len(trigger)} trigger "
                f"words ({missing}): too few are left to make a trigger"
            )
        return found


def inserted(x: Tensor, places: dict[int, int]) -> Tensor:
    """Texts with words in them.

    Args:
        x: token ids, [n, length] int64; 0 pads at the end.
        places: id -> place in the finished text, counted from 1.
    """
    length = x.shape[1]
    if len(places) > length:
        raise Skip(f"{len(places)} trigger words do not fit into texts of {length} words")
    columns = torch.arange(length)
    ends = (x != PADDING).sum(dim=1)
    ordered = sorted(places.items(), key=lambda found: found[1])
    for number, (word, place) in enumerate(ordered):
        # From left to right, so that no later word moves an earlier one; room is kept for those.
        last = length - len(ordered) + number
        at = ends.clamp(max=min(place - 1, last))[:, None]
        moved = x.gather(1, (columns - (columns > at).long()).clamp(min=0))
        x = torch.where(columns == at, word, moved)
        ends = (ends + 1).clamp(max=length)
    return x

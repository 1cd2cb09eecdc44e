"""Which epoch, or which candidate, to keep: one rule for all methods.

BaDe section IV.A: every epoch is scored by Odds and EAcc and ranked by both. The candidate with
the smallest sum of ranks wins; equal sums go to the earlier one. A candidate that another beats
in one score and equals or beats in the other can never win, so only the weights of undominated
candidates are kept in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from scipy.stats import rankdata

T = TypeVar("T")
RULE = (
    "Of all candidates (epochs, or settings that a method tries), the one with the smallest sum "
    "of its ranks in Odds and EAcc, both measured on validation data; the earlier one where sums "
    "are equal. The same rule for every method."
)


def best_by_rank(scores: Sequence[Sequence[float]]) -> int:
    """Position of the candidate with the smallest rank sum; all scores: lower is better."""
    table = np.asarray(scores, dtype=float)
    ranks = np.sum([rankdata(column, method="average") for column in table.T], axis=0)
    return int(np.argmin(ranks))


@dataclass(frozen=True)
class Scores:
    """What selection sees of a candidate: `rank_by` holds values of which lower is better."""

    metrics: Mapping[str, float]
    rank_by: tuple[float, ...]


class Selection(Generic[T]):
    """Candidates offered one by one; the payloads (weights) of undominated ones are kept."""

    def __init__(self) -> None:
        self._scores: list[tuple[float, ...]] = []
        self._kept: dict[int, T] = {}

    def offer(self, scores: Scores, payload: Callable[[], T]) -> None:
        """Add a candidate; `payload` is only called where the candidate could still win."""
        if not any(_dominates(self._scores[i], scores.rank_by) for i in self._kept):
            beaten = [i for i in self._kept if _dominates(scores.rank_by, self._scores[i])]
            for i in beaten:
                del self._kept[i]
            self._kept[len(self._scores)] = payload()
        self._scores.append(scores.rank_by)

    def best(self) -> tuple[int, T]:
        """Position and payload of the winner."""
        winner = best_by_rank(self._scores)
        return winner, self._kept[winner]


def _dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether `a` is nowhere worse than `b`; the earlier of two equals stays."""
    return all(x <= y for x, y in zip(a, b, strict=True))

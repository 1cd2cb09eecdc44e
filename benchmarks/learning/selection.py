"""The selection of the best candidate (an epoch, or a setting), by one rule for all methods.

A candidate that another one equals or beats in every score cannot win by any of the rules, so
only the weights of undominated candidates are kept in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T")
Rule = Literal["difference", "rank", "zscore"]

RULES: Mapping[Rule, str] = {
    "difference": "the largest EAcc minus Odds",
    "rank": "the smallest sum of ranks in Odds and in EAcc (BaDe, section IV.A)",
    "zscore": "the smallest z(Odds) - z(EAcc), z over the candidates (BaDe's public code)",
}
IN_WORDS = (
    "Of all candidates (epochs, or settings that a method tries) the one with the largest EAcc "
    "minus Odds, both measured on validation data, the earlier one of equals: the same rule for "
    "every method, unless the training settings of a task name another: "
    + "; ".join(f"{rule}, {words}" for rule, words in RULES.items())
    + "."
)


@dataclass(frozen=True)
class Scores:
    """The scores of a candidate on the data it is selected on.

    Attributes:
        metrics: name -> value, for the curves.
        costs: the scores that decide the selection; lower is better in each.
    """

    metrics: Mapping[str, float]
    costs: tuple[float, ...]


def totals(costs: Sequence[Sequence[float]], rule: Rule) -> npt.NDArray[np.float64]:
    """The total of each candidate by a rule, [candidates]; the smallest wins.

    Args:
        costs: [candidates, scores], lower is better.
        rule: whether the scores are summed as they are, as ranks or as z-scores (see `RULES`).
    """
    table = np.asarray(costs, dtype=float)
    if rule == "rank":
        from scipy.stats import rankdata  # noqa: PLC0415 - takes a second, for this rule alone

        table = np.stack([rankdata(column, method="average") for column in table.T], axis=1)
    elif rule == "zscore":
        spread = table.std(axis=0)
        table = (table - table.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return table.sum(axis=1)


def best(costs: Sequence[Sequence[float]], rule: Rule) -> int:
    """Position of the best candidate; the earliest of several equal ones."""
    return int(np.argmin(totals(costs, rule)))


class Selection(Generic[T]):
    """Candidates offered one by one, of which the payloads (weights) of undominated ones stay."""

    def __init__(self, rule: Rule) -> None:
        self.rule: Rule = rule
        self._costs: list[tuple[float, ...]] = []
        self._kept: dict[int, T] = {}

    def offer(self, costs: tuple[float, ...], payload: Callable[[], T]) -> None:
        """Add a candidate; `payload` is called only if the candidate can still win."""
        if not any(_dominates(self._costs[i], costs) for i in self._kept):
            for i in [i for i in self._kept if _dominates(costs, self._costs[i])]:
                del self._kept[i]
            self._kept[len(self._costs)] = payload()
        self._costs.append(costs)

    def best(self) -> tuple[int, T]:
        """Position and payload of the best candidate; the earliest of several equal ones."""
        sums = totals(self._costs, self.rule)
        winner = min(self._kept, key=lambda i: (sums[i], i))
        return winner, self._kept[winner]


def _dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether costs `a` are at most costs `b` in every score; equal ones dominate each other."""
    return all(x <= y for x, y in zip(a, b, strict=True))

"""Two methods on the same seeds: is the difference real, and how large is it?

Methods with one seed share their data order and initial weights, so values are compared in
pairs. Three views of a difference: its size (the mean with its interval), its size against its
own scatter (Cohen's d_z), and how often chance alone would give as much (paired t, and Wilcoxon's
signed ranks, which ask for no normal distribution).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import stdtr, stdtrit

CONFIDENCE = 0.95
LEVEL = 0.05
"""The level of significance: methods differ where a two-sided test gives a smaller p."""

ROUNDING = 1e-12
"""A relative difference below this is rounding and counts as zero."""

Seeds = Mapping[int, float]
"""Values of one metric of one method, by seed."""


@dataclass(frozen=True)
class Paired:
    """The first list of values against the second, pair by pair, in the metric's stored unit."""

    n: int
    """Pairs."""
    difference: float | None
    """Mean of first minus second; None without a pair."""
    std: float | None
    """Standard deviation of the differences (n - 1); None with fewer than two pairs."""
    half_width: float | None
    """Half of the 95 % t interval of `difference`; None with fewer than two pairs."""
    effect: float | None
    """Cohen's d_z = difference / std (Cohen, 1988, section 2.3.5); None where std is none or 0."""
    p_t: float | None
    """Two-sided p of the paired t-test; None with fewer than two pairs. Where all differences
    are alike, t does not exist, and this is its limit: 1 for no difference, else 0."""
    p_wilcoxon: float | None
    """Two-sided exact p of the signed-rank test; None with fewer than two pairs."""

    @property
    def is_constant(self) -> bool:
        """Whether every pair differs by the same amount, so that t does not exist."""
        return self.std == 0.0

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % t interval of the difference."""
        if self.difference is None or self.half_width is None:
            return None
        return self.difference - self.half_width, self.difference + self.half_width


def paired(first: Sequence[float], second: Sequence[float]) -> Paired:
    """Compares two aligned lists: the i-th values come from the same seed.

    Raises:
        ValueError: the lists differ in length.
    """
    n = len(first)
    if n != len(second):
        raise ValueError(f"{n} values cannot be paired with {len(second)}")
    if n == 0:
        return Paired(0, None, None, None, None, None, None)
    differences = _differences(first, second)
    mean = math.fsum(differences) / n
    if n == 1:
        return Paired(1, mean, None, None, None, None, None)
    std = _std(differences, mean)
    error = std / math.sqrt(n)
    return Paired(
        n=n,
        difference=mean,
        std=std,
        half_width=float(stdtrit(n - 1, 0.5 + CONFIDENCE / 2)) * error,
        effect=mean / std if std else None,
        p_t=_p_of_t(mean, error, n),
        p_wilcoxon=signed_rank_p_value(differences),
    )


def paired_by_seed(first: Seeds, second: Seeds) -> Paired:
    """Compares two methods on the seeds that both of them have."""
    common = sorted(first.keys() & second.keys())
    return paired([first[seed] for seed in common], [second[seed] for seed in common])


def signed_rank_p_value(differences: Sequence[float]) -> float:
    """Two-sided p of Wilcoxon's signed-rank test (Wilcoxon, 1945), exact, ties included.

    Zeros are dropped, equal sizes share their mean rank, and the distribution is counted over
    all signs that the ranks could have had. With n differences p is at least 2 / 2^n: five seeds
    never reach 5 %, six can. Without a difference p is 1.
    """
    values = [value for value in differences if value]
    if not values:
        return 1.0
    doubled = _doubled_ranks([float(f"{abs(v):.12g}") for v in values])
    positive = sum(rank for rank, v in zip(doubled, values, strict=True) if v > 0)
    smaller = min(positive, sum(doubled) - positive)
    return min(1.0, 2.0 * float(_signed_rank_distribution(tuple(sorted(doubled)))[smaller]))


def _doubled_ranks(sizes: Sequence[float]) -> list[int]:
    """Twice the rank of each size, 1 the smallest: mean ranks of equal ones are halves at most."""
    ordered = sorted(sizes)
    return [2 * bisect_left(ordered, size) + ordered.count(size) + 1 for size in sizes]


@lru_cache(maxsize=256)
def _signed_rank_distribution(doubled: tuple[int, ...]) -> np.ndarray:
    """P(twice the sum of positive ranks <= i) for i from 0 on, each sign as likely as the other."""
    share = np.zeros(sum(doubled) + 1)
    share[0] = 1.0
    for rank in doubled:
        share = 0.5 * (share + np.concatenate([np.zeros(rank), share[:-rank]]))
    return np.cumsum(share)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's adjusted p (Holm, 1979) over a family; what was not tested stays None, uncounted.

    The i-th smallest of m is multiplied by m - i + 1, never below a smaller one's, never above 1.
    """
    tested = sorted((p, position) for position, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    least = 0.0
    for done, (p, position) in enumerate(tested):
        least = max(least, min(1.0, (len(tested) - done) * p))
        adjusted[position] = least
    return adjusted


def _differences(first: Sequence[float], second: Sequence[float]) -> list[float]:
    """Differences with what is only rounding taken out: exact zeros, and exactly equal ones."""
    raw = [a - b for a, b in zip(first, second, strict=True)]
    scale = max(map(abs, (*first, *second)))
    if max(map(abs, raw)) <= ROUNDING * scale:
        return [0.0] * len(raw)
    if max(raw) - min(raw) <= ROUNDING * scale:
        return [math.fsum(raw) / len(raw)] * len(raw)
    return [0.0 if abs(value) <= ROUNDING * scale else value for value in raw]


def _p_of_t(mean: float, error: float, n: int) -> float:
    if error == 0.0:
        return 1.0 if mean == 0.0 else 0.0
    return float(2 * stdtr(n - 1, -abs(mean) / error))


def _std(numbers: Sequence[float], mean: float) -> float:
    # The sum of equal numbers over their count may miss them by a rounding.
    if len(set(numbers)) == 1:
        return 0.0
    return math.sqrt(math.fsum((x - mean) ** 2 for x in numbers) / (len(numbers) - 1))

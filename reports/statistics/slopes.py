"""Slopes of two methods compared: over seeds as in perceptual-DRO, and over the groups themselves.

A test over seeds asks whether another training run would give the same order: all runs share the
groups and their samples. Whether other groups would, a bootstrap over groups says.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from bench.result import Result

Array = npt.NDArray[Any]
RESAMPLES = 2000


@dataclass(frozen=True)
class TTest:
    """A t-test of "the first mean slope is lower than the second": one-sided, as in the paper."""

    t: float
    """Positive where the first is lower."""
    degrees: float
    p: float


@dataclass(frozen=True)
class Groups:
    """Mean accuracy by group over seeds.

    Attributes:
        group: positions of the groups, [k].
        covariate: [k].
        accuracy: [k].
        samples: [k].
    """

    group: Array
    covariate: Array
    accuracy: Array
    samples: Array

    @property
    def line(self) -> tuple[float, float]:
        """Intercept and slope, Sigma_ii = 1 / sqrt(n_i)."""
        weight = np.sqrt(self.samples)
        slope = float(slopes(self.covariate[None], self.accuracy[None], weight[None])[0])
        middle = np.average(self.covariate, weights=weight)
        return float(np.average(self.accuracy, weights=weight) - slope * middle), slope


@dataclass(frozen=True)
class Versus:
    """Slopes of a first and a second method."""

    pooled: TTest | None
    """Student's, with a common variance: the paper's "standard t-test"."""
    welch: TTest | None
    paired: TTest | None
    """Over the seeds that both have."""
    effect: float | None
    """Cohen's d: the second mean less the first over the pooled standard deviation."""
    difference: float
    """The second mean less the first."""
    interval: tuple[float, float] | None
    """95 % of that difference, over resampled groups."""


def versus(
    first: Mapping[int, float],
    second: Mapping[int, float],
    groups: tuple[Groups, Groups] | None = None,
) -> Versus:
    """Compare the slopes of two methods.

    Args:
        first: slope by seed, at least one.
        second: slope by seed, at least one.
        groups: of both, for the bootstrap.
    """
    # Twelve digits: models that say the same to everybody differ in the last ones alone.
    first, second = ({s: float(f"{v:.12g}") for s, v in x.items()} for x in (first, second))
    a, b = (np.array(list(slopes.values())) for slopes in (first, second))
    both = sorted(first.keys() & second.keys())
    spread = _pooled_spread(a, b)
    difference = float(b.mean() - a.mean())
    testable = min(len(a), len(b)) > 1 and spread is not None
    gaps = np.array([second[seed] - first[seed] for seed in both])
    pooled = welch = paired = None
    with warnings.catch_warnings():
        # scipy warns where one method's slopes are all alike: a constant model's are.
        warnings.simplefilter("ignore", RuntimeWarning)
        if testable:
            pooled = _test(stats.ttest_ind(b, a, alternative="greater"))
            welch = _test(stats.ttest_ind(b, a, equal_var=False, alternative="greater"))
        if len(gaps) > 1 and gaps.std() > 0:
            paired = _test(stats.ttest_1samp(gaps, 0.0, alternative="greater"))
    return Versus(
        pooled=pooled,
        welch=welch,
        paired=paired,
        effect=difference / spread if spread else None,
        difference=difference,
        interval=_bootstrap(*groups) if groups else None,
    )


def by_group(results: Sequence[Result]) -> Groups | None:
    """Mean accuracy by group over results; None unless all of them report the same groups."""
    reported = [r.samples for r in results if "accuracy by group" in r.samples]
    if not reported or any(samples["group"] != reported[0]["group"] for samples in reported):
        return None
    return Groups(
        np.array(reported[0]["group"], int),
        np.array(reported[0]["covariate by group"]),
        np.mean([samples["accuracy by group"] for samples in reported], axis=0),
        np.array(reported[0]["samples by group"]),
    )


def slopes(covariate: Array, accuracy: Array, weight: Array) -> Array:
    """Slope of each row by weighted least squares, all [r, k] -> [r]; NaN where nothing varies."""
    total = weight.sum(axis=1, keepdims=True)
    g = covariate - (weight * covariate).sum(axis=1, keepdims=True) / total
    spread = (weight * g * g).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        slope: Array = np.where(
            spread > 1e-12, (weight * g * accuracy).sum(axis=1) / spread, np.nan
        )
    return slope


def _bootstrap(first: Groups, second: Groups) -> tuple[float, float] | None:
    """95 % percentile interval of the second slope less the first, groups drawn together."""
    if first.group.tolist() != second.group.tolist():
        return None
    index = np.random.default_rng(0).integers(len(first.group), size=(RESAMPLES, len(first.group)))
    weight = np.sqrt(first.samples)[index]
    a, b = (slopes(g.covariate[index], g.accuracy[index], weight) for g in (first, second))
    gaps = (b - a)[np.isfinite(b - a)]
    if not len(gaps):
        return None
    low, high = np.quantile(gaps, [0.025, 0.975])
    return float(low), float(high)


def _pooled_spread(a: Array, b: Array) -> float | None:
    """Pooled standard deviation; None where there is none or it is 0."""
    degrees = len(a) + len(b) - 2
    if degrees < 1:
        return None
    squares = ((a - a.mean()) ** 2).sum() + ((b - b.mean()) ** 2).sum()
    return math.sqrt(squares / degrees) or None


def _test(outcome: Any) -> TTest:
    return TTest(float(outcome.statistic), float(outcome.df), float(outcome.pvalue))

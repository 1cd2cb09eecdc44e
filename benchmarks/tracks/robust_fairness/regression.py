"""Accuracy by group on a covariate: generalised least squares and its F-test.

The paper's section 4: p = intercept + slope g + error, a line a model, with errors whose covariance
is diagonal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Sigma = Literal["root", "binomial"]
FEWEST = 3
"""Groups below which a line has no residual degree of freedom."""


@dataclass(frozen=True)
class Line:
    """A fitted line.

    Attributes:
        intercept: accuracy where the covariate is 0.
        slope: accuracy a unit of the covariate.
        standard_error: of the slope.
        f_statistic: of the hypothesis that the slope is 0; the slope's t squared.
        f_p_value: how often an F as large comes by chance.
        degrees: of freedom of the residuals; the F-test's are (1, degrees).
    """

    intercept: float
    slope: float
    standard_error: float
    f_statistic: float
    f_p_value: float
    degrees: int


@dataclass(frozen=True)
class ByGroup:
    """The accuracy of each group; groups without a sample are left out.

    Attributes:
        group: positions of the groups, [k], ascending.
        covariate: of each group, [k].
        accuracy: of each group, [k], in [0, 1].
        samples: their number in each group, [k], at least 1.
    """

    group: Array
    covariate: Array
    accuracy: Array
    samples: Array

    @classmethod
    def of(cls, right: Array, b: Array, covariate: Array) -> ByGroup:
        """Count [n] hits in the groups `b` ([n] positions) with `covariate` ([groups])."""
        n = np.bincount(b, minlength=len(covariate))
        hits = np.bincount(b, weights=right.astype(float), minlength=len(covariate))
        group = np.flatnonzero(n)
        return cls(group, np.asarray(covariate)[group], hits[group] / n[group], n[group])

    @property
    def lack(self) -> str:
        """Why no line can be fitted, or ""."""
        if len(self.group) < FEWEST:
            return f"a line needs samples in {FEWEST} groups, and there are {len(self.group)}"
        if np.ptp(self.covariate) == 0:
            return "the covariate is the same in every group"
        return ""

    @property
    def worst(self) -> float:
        """Accuracy of the worst group."""
        return float(self.accuracy.min())


def variances(samples: Array, sigma: Sigma) -> Array:
    """The diagonal of Sigma up to a constant, [k], from each group's number of samples.

    root: 1 / sqrt(n), the paper's choice (section 4). binomial: 1 / n, as the variance
    p (1 - p) / n of an accuracy falls with n.
    """
    return 1 / np.sqrt(samples) if sigma == "root" else 1 / np.asarray(samples, float)


def fitted(groups: ByGroup, sigma: Sigma = "root") -> Line:
    """Generalised least squares with its F-test. Raises ValueError if `ByGroup.lack` forbids it."""
    if groups.lack:
        raise ValueError(groups.lack)
    from statsmodels.regression.linear_model import GLS  # noqa: PLC0415 - takes seconds to import

    design = np.column_stack([np.ones(len(groups.group)), groups.covariate])
    model = GLS(groups.accuracy, design, sigma=variances(groups.samples, sigma)).fit()
    test = model.f_test(np.array([[0.0, 1.0]]))
    return Line(
        intercept=float(model.params[0]),
        slope=float(model.params[1]),
        standard_error=float(model.bse[1]),
        f_statistic=float(test.fvalue),
        f_p_value=float(test.pvalue),
        degrees=int(model.df_resid),
    )


def slope(groups: ByGroup, sigma: Sigma = "root") -> float:
    """The slope alone, in closed form, which is fast enough for the selection of epochs."""
    weight = 1 / variances(groups.samples, sigma)
    g = groups.covariate - np.average(groups.covariate, weights=weight)
    return float((weight * g * groups.accuracy).sum() / (weight * g * g).sum())

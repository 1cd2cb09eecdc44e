"""Accuracy on a covariate: slope, F and p by hand, by statsmodels and by scipy, to 1e-10."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.tracks.robust_fairness.regression import ByGroup, Sigma, fitted, slope, variances

SIGMAS: tuple[Sigma, ...] = ("root", "binomial")
CLOSE = 1e-10


def world(countries: int = 41, seed: int = 0) -> ByGroup:
    """Accuracies that rise with log income, of countries of very different sizes."""
    random = np.random.default_rng(seed)
    covariate = random.uniform(6, 11, countries)
    samples = np.rint(np.exp(random.uniform(1, 8, countries))).astype(int)
    accuracy = 0.6 + 0.02 * covariate + random.normal(0, 0.05, countries)
    return ByGroup(np.arange(countries), covariate, accuracy, samples)


def by_hand(groups: ByGroup, variance: np.ndarray) -> tuple[float, float, float, int]:
    """Slope, F, p and degrees by the matrix formulas of generalised least squares."""
    design = np.column_stack([np.ones(len(groups.covariate)), groups.covariate])
    inverse = np.diag(1 / variance)
    covariance = np.linalg.inv(design.T @ inverse @ design)
    beta = covariance @ design.T @ inverse @ groups.accuracy
    rest = groups.accuracy - design @ beta
    degrees = len(rest) - 2
    error = rest @ inverse @ rest / degrees
    f = beta[1] ** 2 / (error * covariance[1, 1])
    return float(beta[1]), float(f), float(stats.f.sf(f, 1, degrees)), degrees


@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize("seed", range(3))
def test_slope_f_and_p_are_those_of_the_formulas(sigma: Sigma, seed: int) -> None:
    groups = world(seed=seed)
    line = fitted(groups, sigma)
    expected = by_hand(groups, variances(groups.samples, sigma))
    found = (line.slope, line.f_statistic, line.f_p_value, line.degrees)
    assert found == pytest.approx(expected, rel=CLOSE, abs=CLOSE)
    assert slope(groups, sigma) == pytest.approx(line.slope, rel=CLOSE, abs=CLOSE)


def test_the_papers_sigma_is_weighted_least_squares_with_roots_of_the_counts() -> None:
    groups = world()
    design = sm.add_constant(groups.covariate)
    found = sm.WLS(groups.accuracy, design, weights=np.sqrt(groups.samples)).fit()
    line = fitted(groups)
    assert line.intercept == pytest.approx(found.params[0], rel=CLOSE)
    assert line.slope == pytest.approx(found.params[1], rel=CLOSE)
    assert line.standard_error == pytest.approx(found.bse[1], rel=CLOSE)
    assert line.f_statistic == pytest.approx(found.tvalues[1] ** 2, rel=CLOSE)
    assert line.f_statistic == pytest.approx(found.fvalue, rel=CLOSE)
    assert line.f_p_value == pytest.approx(found.f_pvalue, rel=CLOSE)


def test_forty_one_countries_give_the_papers_degrees_of_freedom() -> None:
    line = fitted(world(41))
    assert line.degrees == 39
    # Section 4 of the paper: F = 5.392 with (1, 39) degrees of freedom has p = .02554.
    assert stats.f.sf(5.392, 1, line.degrees) == pytest.approx(0.02554, abs=5e-6)


def test_four_groups_by_hand() -> None:
    # Weights sqrt(n) = 1, 2, 2, 1; weighted means: g = 1.5, p = .65.
    groups = ByGroup(
        np.arange(4),
        np.array([0.0, 1.0, 2.0, 3.0]),
        np.array([0.5, 0.6, 0.7, 0.8]) + np.array([0.03, -0.01, 0.0, 0.0]),
        np.array([1, 4, 4, 1]),
    )
    # sum w g' p = -1.5 * .53 - 2 * .5 * .59 + 2 * .5 * .7 + 1.5 * .8 = .515; sum w g'^2 = 5.5
    assert slope(groups) == pytest.approx(0.515 / 5.5, rel=1e-12)
    assert fitted(groups).degrees == 2


def test_hits_are_counted_by_group_and_empty_groups_are_left_out() -> None:
    right = np.array([True, False, True, True, False])
    groups = ByGroup.of(right, np.array([0, 0, 3, 3, 3]), np.array([5.0, 6.0, 7.0, 8.0]))
    assert groups.group.tolist() == [0, 3]
    assert groups.accuracy.tolist() == [0.5, pytest.approx(2 / 3)]
    assert groups.samples.tolist() == [2, 3]
    assert groups.covariate.tolist() == [5, 8]
    assert groups.worst == 0.5


@pytest.mark.parametrize(
    ("b", "covariate", "lack"),
    [
        ([0, 1], [1.0, 2.0, 3.0], "a line needs samples in 3 groups, and there are 2"),
        ([0, 1, 2], [4.0, 4.0, 4.0], "the covariate is the same in every group"),
        ([0, 1, 2], [4.0, 4.0, 5.0], ""),
    ],
)
def test_what_no_line_can_be_laid_through_is_said(
    b: list[int], covariate: list[float], lack: str
) -> None:
    groups = ByGroup.of(np.ones(len(b), bool), np.array(b), np.array(covariate))
    assert groups.lack == lack
    if lack:
        with pytest.raises(ValueError, match=lack):
            fitted(groups)


@given(
    shift=st.floats(-100, 100),
    factor=st.floats(0.01, 100),
    seed=st.integers(0, 1000),
    sigma=st.sampled_from(SIGMAS),
)
def test_the_slope_follows_the_unit_of_the_covariate_and_nothing_else(
    shift: float, factor: float, seed: int, sigma: Sigma
) -> None:
    groups = world(12, seed)
    moved = ByGroup(groups.group, groups.covariate * factor + shift, groups.accuracy,
                    groups.samples * 4)  # fmt: skip
    assert slope(moved, sigma) * factor == pytest.approx(slope(groups, sigma), rel=1e-6, abs=1e-9)

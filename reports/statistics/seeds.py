"""Seeds to means, intervals and shared ranks.

`RANKING_RULE` states the rule in words; the pages print that text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from scipy.special import ndtri, stdtrit

from bench.reports.statistics.paired import CONFIDENCE, LEVEL, ROUNDING, Seeds, holm, paired_by_seed

RANKING_RULE = (
    "For each ranking metric, methods are sorted by their mean over the seeds that ended well. "
    "The best leads the first group. It is compared with every method behind it by two-sided "
    "paired t-tests over the seeds both have, Holm-corrected for the number of these comparisons. "
    "Going down the list, a method shares the leader's place until one is significantly worse "
    "(corrected p below 5 %); that one leads the next group and is compared with those behind it "
    "in the same way. Places are counted as in sport: 1, 1, 3. With fewer than two common seeds "
    "there is no test, and only equal means share a place. A difference that is the same on "
    "every seed separates, unless it is zero. The overall rank orders the mean of a method's "
    "places on the ranking metrics; equal means share a rank. A shared place means that these "
    "seeds do not separate the methods, not that the methods are equal. Failed, timed-out, "
    "skipped and missing trials count as missing, never as zero; a method without a value on "
    "every ranking metric has no rank. An entry with a caveat is not ranked and pushes no other "
    "down: its numbers answer another question."
)

Interval = Literal["t", "bootstrap"]
"""How the interval of a mean over seeds is made."""

RESAMPLES = 10_000

INTERVAL_RULES: Mapping[Interval, str] = {
    "t": (
        "± is the half-width of the 95 % Student t interval of the mean over seeds "
        "(standard deviation with n\u00a0−\u00a01). One seed has no interval."
    ),
    "bootstrap": (
        "± is the half-width of the symmetric 95 % bootstrap interval of the mean over seeds: "
        f"{RESAMPLES:,} resamples, always the same, of which 95 % have a mean as near. With few "
        "seeds it is narrower than it should be. One seed has no interval. Intervals of "
        "differences are Student t intervals of the paired differences."
    ),
}


@dataclass(frozen=True)
class Summary:
    """A metric over seeds, in the metric's stored unit."""

    n: int
    mean: float
    std: float | None
    """Sample standard deviation (n - 1); None for one seed."""
    half_width: float | None
    """Half of the 95 % t interval; None for one seed."""


@dataclass(frozen=True)
class Placement:
    """A method's place in a ranking: 1 is best, and `shared` says whether another has it too."""

    rank: int
    shared: bool
    score: float
    """The number that was sorted: the mean of a metric, or of the ranks."""


def summarize(values: Iterable[float], interval: Interval = "t") -> Summary | None:
    """Mean, standard deviation and 95 % interval of `values`; None where there are none."""
    numbers = list(values)
    n = len(numbers)
    if n == 0:
        return None
    mean = math.fsum(numbers) / n
    if n == 1:
        return Summary(1, mean, None, None)
    std = _std(numbers, mean)
    if interval == "bootstrap":
        return Summary(n, mean, std, _bootstrap_half_width(numbers, mean))
    quantile = float(stdtrit(n - 1, 0.5 + CONFIDENCE / 2))
    return Summary(n, mean, std, quantile * std / math.sqrt(n))


def _bootstrap_half_width(numbers: Sequence[float], mean: float) -> float:
    """The 95 % quantile of |resampled mean - mean|.

    The symmetric interval of Hall (1988), not studentised: the pages write "mean ± half-width".
    """
    # Sorted, so that the order of the seeds decides nothing.
    means = np.sort(np.asarray(numbers))[_resamples(len(numbers))].mean(axis=1)
    return float(np.quantile(np.abs(means - mean), CONFIDENCE, method="inverted_cdf"))


@cache
def _resamples(n: int) -> np.ndarray:
    """[RESAMPLES, n] positions, the same in every build: equal results give equal pages."""
    return np.random.default_rng(0).integers(n, size=(RESAMPLES, n))


def in_order(values: Mapping[str, Seeds], better: str) -> list[str]:
    """The methods that have a value, best mean first; none where no way is `better`.

    Args:
        values: for each method its values by seed.
        better: "higher" or "lower", as in `MetricInfo.better`.
    """
    if better not in ("higher", "lower"):
        return []
    sign = -1.0 if better == "higher" else 1.0
    means = {method: _mean(seeds) for method, seeds in values.items() if seeds}
    # Names break equal means, so that the order of a suite file decides nothing.
    return sorted(means, key=lambda method: (sign * means[method], method))


def shared_ranks(values: Mapping[str, Seeds], better: str) -> dict[str, Placement]:
    """Places of the methods on one metric by `RANKING_RULE`; those without a value have none.

    Arguments as of `in_order`.
    """
    order = in_order(values, better)
    ranks: dict[str, int] = {}
    leader, worse = "", set[str]()
    for position, method in enumerate(order, start=1):
        if not leader or method in worse:
            leader, ranks[method] = method, position
            worse = _worse(leader, order[position:], values)
        else:
            ranks[method] = ranks[leader]
    return _places(ranks, {method: _mean(values[method]) for method in order})


def _worse(leader: str, followers: Sequence[str], values: Mapping[str, Seeds]) -> set[str]:
    """Methods of `behind` that do not share the leader's place."""
    compared = [paired_by_seed(values[leader], values[method]) for method in followers]
    worse = set()
    for method, pair, p in zip(followers, compared, holm([c.p_t for c in compared]), strict=True):
        ahead = _mean(values[leader]) - _mean(values[method])
        if p is None:
            equal = math.isclose(ahead, 0.0, abs_tol=ROUNDING * abs(_mean(values[leader])))
            worse |= set() if equal else {method}
        # Over the common seeds the order may be the other way round.
        elif p < LEVEL and pair.difference is not None and ahead * pair.difference > 0:
            worse.add(method)
    return worse


def overall_ranks(by_metric: Sequence[Mapping[str, Placement]]) -> dict[str, Placement]:
    """Order of the mean rank over metrics, for the methods that have a place on all of them."""
    if not by_metric:
        return {}
    complete = [m for m in by_metric[0] if all(m in places for places in by_metric)]
    scores = {m: sum(places[m].rank for places in by_metric) / len(by_metric) for m in complete}
    ranks = {m: 1 + sum(other < scores[m] for other in scores.values()) for m in complete}
    return _places(dict(sorted(ranks.items(), key=lambda item: item[1])), scores)


def _places(ranks: Mapping[str, int], scores: Mapping[str, float]) -> dict[str, Placement]:
    taken = list(ranks.values())
    return {m: Placement(rank, taken.count(rank) > 1, scores[m]) for m, rank in ranks.items()}


def _mean(seeds: Seeds) -> float:
    return math.fsum(seeds.values()) / len(seeds)


def _std(numbers: Sequence[float], mean: float) -> float:
    return math.sqrt(math.fsum((x - mean) ** 2 for x in numbers) / (len(numbers) - 1))


@dataclass(frozen=True)
class Correlation:
    """Pearson's r over points."""

    n: int
    r: float | None
    """None with fewer than three points, or where a coordinate does not vary."""
    interval: tuple[float, float] | None
    """95 %, by Fisher's z; None with fewer than four points or all of them on a line."""


def correlation(points: Sequence[tuple[float, float]]) -> Correlation:
    """Pearson's r of the points with its interval."""
    n = len(points)
    if n < 3:
        return Correlation(n, None, None)
    xs, ys = [x for x, _ in points], [y for _, y in points]
    mean_x, mean_y = math.fsum(xs) / n, math.fsum(ys) / n
    std_x, std_y = _std(xs, mean_x), _std(ys, mean_y)
    # Twelve digits: a coordinate that varies less does not vary.
    if std_x <= 1e-12 * max(map(abs, xs)) or std_y <= 1e-12 * max(map(abs, ys)):
        return Correlation(n, None, None)
    covariance = math.fsum((x - mean_x) * (y - mean_y) for x, y in points) / (n - 1)
    r = min(max(covariance / (std_x * std_y), -1.0), 1.0)
    if n < 4 or 1 - abs(r) < 1e-12:
        return Correlation(n, r, None)
    half = float(ndtri(0.5 + CONFIDENCE / 2)) / math.sqrt(n - 3)
    return Correlation(n, r, (math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)))

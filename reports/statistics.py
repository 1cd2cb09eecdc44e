"""Seeds to means, intervals and shared ranks.

The rule is told once in words, in `RANKING_RULE`, and the pages print those words.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from scipy.special import ndtri, stdtr, stdtrit

CONFIDENCE = 0.95
LEVEL = 0.05
"""Two methods are told apart where a two-sided paired t-test gives a smaller p."""

RANKING_RULE = (
    "For each ranking metric, methods are sorted by their mean over the seeds that ended well. "
    "Going down the list, a method shares the place of the leader of its group unless a "
    "two-sided paired t-test over the seeds both have separates the two at 5 %; then it leads "
    "the next group. Places are counted as in sport: 1, 1, 3. With fewer than two common seeds "
    "there is no test, and only equal means share a place. A difference that is the same on "
    "every seed separates, unless it is zero. The overall rank orders the mean of a method's "
    "places on the ranking metrics; equal means share a rank. No correction is made for the "
    "number of comparisons. Failed, timed-out, skipped and missing trials count as missing, "
    "never as zero; a method without a value on every ranking metric has no rank. An entry with a "
    "caveat is not ranked and pushes no other down: its numbers answer another question."
)

INTERVAL_RULE = (
    "± is the half-width of the 95 % Student t interval of the mean over seeds "
    "(standard deviation with n\u00a0−\u00a01). One seed has no interval."
)

Seeds = Mapping[int, float]
"""Values of one metric of one method, by seed."""


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
class Place:
    """Where a method stands: 1 is best; `shared` where another stands there too."""

    rank: int
    shared: bool
    score: float
    """What was sorted: the mean of a metric, or the mean of the ranks."""


def summarize(values: Iterable[float]) -> Summary | None:
    """Mean, standard deviation and 95 % t interval of `values`; None where there are none."""
    numbers = list(values)
    n = len(numbers)
    if n == 0:
        return None
    mean = math.fsum(numbers) / n
    if n == 1:
        return Summary(1, mean, None, None)
    std = _std(numbers, mean)
    quantile = float(stdtrit(n - 1, 0.5 + CONFIDENCE / 2))
    return Summary(n, mean, std, quantile * std / math.sqrt(n))


def paired_p_value(first: Seeds, second: Seeds) -> float | None:
    """Two-sided p of the paired t-test over common seeds; None with fewer than two of them.

    Without variance the limit is returned: 1 for no difference at all, 0 for a constant one.
    """
    common = sorted(first.keys() & second.keys())
    if len(common) < 2:
        return None
    differences = [first[seed] - second[seed] for seed in common]
    scale = max(max(abs(first[seed]), abs(second[seed])) for seed in common)
    # Twelve digits: what is smaller is rounding of equal numbers, not a difference.
    if max(map(abs, differences)) <= 1e-12 * scale:
        return 1.0
    mean = math.fsum(differences) / len(differences)
    std = _std(differences, mean)
    if std <= 1e-12 * abs(mean):
        return 0.0
    t = abs(mean) / (std / math.sqrt(len(differences)))
    return float(2 * stdtr(len(differences) - 1, -t))


def separated(first: Seeds, second: Seeds) -> bool:
    """Whether the two methods may be put in an order, by the rule of `RANKING_RULE`."""
    p = paired_p_value(first, second)
    if p is not None:
        return p < LEVEL
    return not math.isclose(_mean(first), _mean(second), rel_tol=1e-12, abs_tol=0.0)


def shared_ranks(values: Mapping[str, Seeds], better: str) -> dict[str, Place]:
    """Places of the methods on one metric; methods without a value have none.

    Args:
        values: for each method its values by seed.
        better: "higher" or "lower", as in `MetricInfo.better`.
    """
    if better not in ("higher", "lower"):
        return {}
    sign = -1.0 if better == "higher" else 1.0
    means = {method: _mean(seeds) for method, seeds in values.items() if seeds}
    # Names break equal means, so that the order of a suite file decides nothing.
    order = sorted(means, key=lambda method: (sign * means[method], method))
    ranks: dict[str, int] = {}
    leader = ""
    for position, method in enumerate(order, start=1):
        if not leader or separated(values[leader], values[method]):
            leader, ranks[method] = method, position
        else:
            ranks[method] = ranks[leader]
    return _places(ranks, means)


def overall_ranks(by_metric: Sequence[Mapping[str, Place]]) -> dict[str, Place]:
    """Order of the mean rank over metrics, for the methods that have a place on all of them."""
    if not by_metric:
        return {}
    complete = [m for m in by_metric[0] if all(m in places for places in by_metric)]
    scores = {m: sum(places[m].rank for places in by_metric) / len(by_metric) for m in complete}
    ranks = {m: 1 + sum(other < scores[m] for other in scores.values()) for m in complete}
    return _places(dict(sorted(ranks.items(), key=lambda item: item[1])), scores)


def _places(ranks: Mapping[str, int], scores: Mapping[str, float]) -> dict[str, Place]:
    taken = list(ranks.values())
    return {m: Place(rank, taken.count(rank) > 1, scores[m]) for m, rank in ranks.items()}


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

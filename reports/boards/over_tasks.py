"""Ranks over the tasks of a track: mean ranks, Friedman's test, Nemenyi's critical difference.

After Demšar (2006), "Statistical comparisons of classifiers over multiple data sets", section 3.2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import chdtrc, fdtrc
from scipy.stats import rankdata, studentized_range

from bench.reports.boards.leaderboard import Board, Row
from bench.reports.statistics.paired import CONFIDENCE, LEVEL
from bench.result import MetricInfo

LEAST = 3
"""Tasks, and methods with a value on all of them, below which ranks over tasks say nothing."""

OVER_TASKS_RULE = (
    "On each task the methods that have a value on every task are ranked by their means over "
    "seeds; equal means share their mean rank. Friedman's test asks whether the mean ranks over "
    "tasks differ more than chance would have them, in Iman and Davenport's form; where it does "
    "(p below 5 %), two methods differ significantly if their mean ranks are at least Nemenyi's "
    "critical difference apart, which pays for all pairs. Where it does not, no method is "
    "separated from any other. A task is won by all methods on its first place. Tasks count as "
    "independent: those that share their data are less than that. A method without a value on "
    "some task, because its trials failed or did not run, is left out and named, never counted as "
    "last; an entry with a caveat takes no part."
)


@dataclass(frozen=True)
class Friedman:
    """Whether k methods differ over n tasks."""

    n: int
    k: int
    chi_square: float
    """Friedman's statistic, corrected for ties, with k - 1 degrees of freedom."""
    p_chi_square: float
    f: float
    """Iman and Davenport's (1980), with k - 1 and (k - 1)(n - 1) degrees; infinite where all
    tasks agree."""
    p: float
    """Of `f`, as Demšar recommends: the chi-square is too cautious. Where all tasks agree, how
    often chance makes them."""

    @property
    def is_significant(self) -> bool:
        """Whether any pair may be called different (p below 5 %)."""
        return self.p < LEVEL


@dataclass(frozen=True)
class Standing:
    """A method over all tasks."""

    label: str
    mean_rank: float
    won: int
    """Tasks on whose first place it stands, shared or not."""
    won_alone: int
    incomplete: int
    """Tasks on which some of its seeds have no value."""
    p_best: float | None
    """Nemenyi's p of the difference from the best mean rank; None for the best itself."""


@dataclass(frozen=True)
class OverTasks:
    """Methods over the tasks of a track, on one metric, best mean rank first."""

    metric: MetricInfo
    tasks: Sequence[str]
    data_sets: int
    standings: Sequence[Standing]
    friedman: Friedman
    critical_difference: float
    groups: Sequence[tuple[int, int]]
    """First and last position of standings that are not separated; the largest such groups."""
    left_out: Mapping[str, int]
    """Methods without a value, each with the number of tasks where it has none."""


def ranks_of(values: Sequence[float], better: str) -> list[float]:
    """Ranks of the methods on one task, 1 the best; equal values share their mean rank."""
    # Twelve digits: what differs less is rounding of equal means.
    sign = -1.0 if better == "higher" else 1.0
    ranks: list[float] = rankdata([sign * float(f"{value:.12g}") for value in values]).tolist()
    return ranks


def friedman(ranks: Sequence[Sequence[float]]) -> Friedman:
    """Friedman's test on ranks [n tasks, k methods], ties as mean ranks.

    Raises:
        ValueError: fewer than two tasks or methods.
    """
    table = np.asarray(ranks, dtype=float)
    n, k = table.shape if table.ndim == 2 else (len(ranks), 0)
    if n < 2 or k < 2:
        raise ValueError(f"{n} tasks and {k} methods: Friedman's test needs two of each")
    centred = n * (table.mean(axis=0) - (k + 1) / 2)
    # The spread that the ranks have; n k (k + 1) (k - 1) / 12 without ties.
    spread = float(((table - (k + 1) / 2) ** 2).sum())
    if spread == 0.0:
        return Friedman(n, k, 0.0, 1.0, 0.0, 1.0)
    chi_square = float((k - 1) * (centred**2).sum() / spread)
    rest = n * (k - 1) - chi_square
    degrees = k - 1, (k - 1) * (n - 1)
    if rest <= 1e-9 * n * k:
        f, p = math.inf, _orders(table[0]) ** (1.0 - n)
    else:
        f = (n - 1) * chi_square / rest
        p = float(fdtrc(*degrees, f))
    return Friedman(n, k, chi_square, float(chdtrc(k - 1, chi_square)), f, p)


@cache
def nemenyi_quantile(k: int, confidence: float = CONFIDENCE) -> float:
    """Quantile q of Demšar's table 5: the studentised range of k, over sqrt(2)."""
    return float(studentized_range.ppf(confidence, k, np.inf)) / math.sqrt(2)


def critical_difference(k: int, n: int, confidence: float = CONFIDENCE) -> float:
    """Nemenyi's: q sqrt(k (k + 1) / (6 n)) for k methods on n tasks."""
    return nemenyi_quantile(k, confidence) * _rank_error(k, n)


def nemenyi_p_value(difference: float, k: int, n: int) -> float:
    """The p of a difference of two mean ranks, corrected for all pairs of k methods."""
    spread = abs(difference) / _rank_error(k, n) * math.sqrt(2)
    return min(1.0, max(0.0, float(studentized_range.sf(spread, k, np.inf))))


def inseparable(mean_ranks: Sequence[float], reach: float) -> list[tuple[int, int]]:
    """Largest runs of positions whose mean ranks, sorted, span less than `reach`."""
    runs: list[tuple[int, int]] = []
    for first, rank in enumerate(mean_ranks):
        # Ranks are fractions of whole numbers: their difference may miss by a rounding.
        last = max(i for i, r in enumerate(mean_ranks) if i == first or r - rank < reach - 1e-9)
        if last > first and not (runs and runs[-1][1] >= last):
            runs.append((first, last))
    return runs


def over_tasks(boards: Sequence[Board]) -> list[OverTasks]:
    """Ranks over the boards of one track, for each ranking metric that has enough of them."""
    metrics = {m.name: m for board in boards for m in board.ranking if m.better}
    results = (_over_tasks(metric, boards) for metric in metrics.values())
    return [result for result in results if result]


def _over_tasks(metric: MetricInfo, boards: Sequence[Board]) -> OverTasks | None:
    measured_boards = [
        board
        for board in boards
        if metric in board.ranking
        and any(row.cells[metric.name].summary for row in board.rows if not row.method.caveat)
    ]
    rows: dict[str, list[Row]] = {}
    for board in measured_boards:
        for row in board.rows:
            if row.method.caveat is None:
                rows.setdefault(row.method.label, []).append(row)
    cells = {m: [row.cells[metric.name] for row in of] for m, of in rows.items()}
    means = {m: [cell.summary.mean for cell in of if cell.summary] for m, of in cells.items()}
    complete = [label for label in sorted(means) if len(means[label]) == len(measured_boards)]
    n, k = len(measured_boards), len(complete)
    if n < LEAST or k < LEAST:
        return None
    table = [ranks_of([means[m][task] for m in complete], metric.better) for task in range(n)]
    test = friedman(table)
    mean_ranks = {m: float(r) for m, r in zip(complete, np.mean(table, axis=0), strict=True)}
    order = sorted(complete, key=lambda label: (mean_ranks[label], label))
    gaps = {m: mean_ranks[m] - mean_ranks[order[0]] for m in order[1:]}
    p_best = {m: nemenyi_p_value(difference, k, n) for m, difference in gaps.items()}
    reach = critical_difference(k, n)
    standings = []
    for m in order:
        won = [cell.place for cell in cells[m] if cell.place and cell.place.rank == 1]
        standings.append(
            Standing(
                label=m,
                mean_rank=mean_ranks[m],
                won=len(won),
                won_alone=sum(not place.shared for place in won),
                incomplete=sum(len(row.cells[metric.name].seeds) < row.planned for row in rows[m]),
                p_best=p_best.get(m),
            )
        )
    return OverTasks(
        metric=metric,
        tasks=[board.task.name for board in measured_boards],
        data_sets=len({board.task.data for board in measured_boards}),
        standings=standings,
        friedman=test,
        critical_difference=reach,
        groups=inseparable(
            [mean_ranks[m] for m in order], reach if test.is_significant else math.inf
        ),
        left_out={m: n - len(task_cells) for m, task_cells in means.items() if len(task_cells) < n},
    )


def _orders(ranks: np.ndarray) -> float:
    """Ways to hand out the ranks of a task among its methods."""
    _, tied = np.unique(ranks, return_counts=True)
    return math.factorial(len(ranks)) / math.prod(math.factorial(count) for count in tied.tolist())


def _rank_error(k: int, n: int) -> float:
    return math.sqrt(k * (k + 1) / (6 * n))

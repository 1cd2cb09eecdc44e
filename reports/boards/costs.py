"""What a method costs, and what it gains over the reference for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.reports.boards.leaderboard import Board, Cell, Row
from bench.reports.boards.verdicts import Comparisons, Tested, reference_of
from bench.reports.statistics.paired import Paired, paired_by_seed
from bench.result import MetricInfo

INSPECTIONS = "looks"
"""The metric of a track that counts the samples that a person inspected."""

COST_RULE = (
    "Means over the seeds that ended well. Total is own plus shared work: what a user waits who "
    "runs this method alone. Extra is its total minus the reference's on the same seeds. Gain per "
    "extra second is the mean difference from the reference in the better direction (points for "
    "percentages) over the extra seconds; per inspection, over the samples that a person "
    "inspected. It is left out where the gain is none or not significant, and where the 95 % "
    "interval of the extra seconds reaches down to zero. Device seconds are the total of trials "
    "that held a GPU."
)


@dataclass(frozen=True)
class Gain:
    """What a method gains over the reference on one metric."""

    size: float | None
    """In the better direction and the stored unit; None where the two share no seed."""
    is_significant: bool
    per_second: float | None
    """None without a gain or without extra seconds."""
    per_inspection: float | None
    """None without a gain, or where nobody inspected samples."""


@dataclass(frozen=True)
class Price:
    """A method's cost on a task."""

    row: Row
    inspections: Cell | None
    extra: Paired | None
    """Total seconds against the reference's, by seed; None for the reference itself."""
    gains: Mapping[str, Gain]
    """By metric; empty for the reference and for entries that are not ranked."""

    @property
    def extra_seconds(self) -> float | None:
        """Mean extra seconds where they are more than chance; None otherwise."""
        return _extra(self.extra) if self.extra else None


@dataclass(frozen=True)
class Prices:
    """The costs of a task's methods, in the board's order."""

    reference: Row | None
    metrics: Sequence[MetricInfo]
    """Ranking metrics on which gains are counted."""
    lines: Sequence[Price]
    machines: Sequence[str]
    """What the trials were timed on; times of several are not comparable."""

    @property
    def has_device_seconds(self) -> bool:
        """Whether any method held a GPU."""
        return any(line.row.device_seconds for line in self.lines)

    @property
    def has_inspections(self) -> bool:
        """Whether a person inspected any sample."""
        return any(_inspections(line.inspections) for line in self.lines)


def prices(board: Board, comparisons: Sequence[Comparisons]) -> Prices:
    """The costs of a board's methods, with the gains of its comparisons."""
    reference = reference_of(board)
    compared = {
        comparison.metric.name: comparison for comparison in comparisons if comparison.reference
    }
    lines = []
    for row in board.rows:
        extra = _paired_seconds(row, reference)
        gains = {name: _gain(row, extra, comparison) for name, comparison in compared.items()}
        known = {name: gain for name, gain in gains.items() if gain}
        lines.append(Price(row, row.cells.get(INSPECTIONS), extra, known))
    environments = [r.environment for row in board.rows for r in row.results if r.environment]
    machines = sorted({f"{e.processor}, {e.device}" for e in environments})
    return Prices(
        reference, [comparison.metric for comparison in compared.values()], lines, machines
    )


def cost_sentence(costs: Prices, best: Row | None) -> str | None:
    """What the best method costs against the reference; None where that is not known."""
    line = next((line for line in costs.lines if line.row is best), None)
    if line is None or best is None or costs.reference is None or best is costs.reference:
        return None
    own, other = (row.costs["total_seconds"] for row in (best, costs.reference))
    if not own or not other or other.mean <= 0:
        return None
    inspected = _inspections(line.inspections)
    inspections = f" and {inspected:,.0f} inspections by a person" if inspected else ""
    return (
        f"{best.method.label} takes {_seconds(own.mean)} a seed, "
        f"{own.mean / other.mean:.2g} times the {_seconds(other.mean)} of "
        f"{costs.reference.method.label}{inspections}."
    )


def _paired_seconds(row: Row, reference: Row | None) -> Paired | None:
    if reference is None or row is reference:
        return None
    seconds = ({r.seed: r.cost.total_seconds for r in of.results} for of in (row, reference))
    return paired_by_seed(*seconds)


def _gain(row: Row, pair: Paired | None, comparisons: Comparisons) -> Gain | None:
    test = next(
        (t for line in comparisons.lines if line.row is row and (t := line.with_reference)), None
    )
    if test is None:
        return None
    size = _size(test, comparisons.metric)
    if size is None or size <= 0:
        return Gain(size, test.is_significant, None, None)
    extra = _extra(pair) if pair else None
    inspected = _inspections(row.cells.get(INSPECTIONS))
    return Gain(
        size=size,
        is_significant=test.is_significant,
        per_second=size / extra if extra else None,
        per_inspection=size / inspected if inspected else None,
    )


def _size(tested: Tested, metric: MetricInfo) -> float | None:
    difference = tested.pair.difference
    if difference is None:
        return None
    return difference if metric.better == "higher" else -difference


def _extra(pair: Paired) -> float | None:
    """Extra seconds beyond the clock's noise; with one seed, whatever was measured."""
    if pair.difference is None or pair.difference <= 0:
        return None
    if pair.interval is not None and pair.interval[0] <= 0:
        return None
    return pair.difference


def _inspections(cell: Cell | None) -> float:
    return cell.summary.mean if cell and cell.summary else 0.0


def _seconds(value: float) -> str:
    return f"{value:.2g} s" if value < 10 else f"{value:,.0f} s"

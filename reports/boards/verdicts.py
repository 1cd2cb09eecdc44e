"""Tests of a task's methods against its reference and its best one, and a summary in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.reports import wording
from bench.reports.boards.leaderboard import Board, Cell, Row
from bench.reports.boards.published import Agreement
from bench.reports.statistics.paired import LEVEL, Paired, holm, paired_by_seed
from bench.reports.statistics.seeds import in_order
from bench.result import MetricInfo

EARLIER_REFERENCES = ("standard", "no_defence", "pgd")
"""File names of the plain methods to beat, for plans older than `TrackInfo.reference`."""

COMPARISON_RULE = (
    "Every ranked method is compared twice on each ranking metric: with the task's reference (the "
    "plain method that its track names, without parameters of its own where there is such an "
    "entry) and with the method of the best mean. Values of the same seed are paired. "
    "Difference: the mean over common seeds of the method's value minus the other's, with "
    "its 95 % Student t interval, which no correction widens. d_z: that mean over the standard "
    "deviation of the differences. p: two-sided paired t-test, and Wilcoxon's exact signed-rank "
    "test, which with fewer than six seeds cannot go below 5 %. Both are Holm-corrected over the "
    "comparisons with the same method on one task and metric. Significant means a corrected p "
    "of the t-test below 5 %. Where the difference is the same on every seed there is no t: it "
    "counts as significant unless it is zero. The best is best by the same numbers that test it, "
    "so its lead is a little flattered."
)


@dataclass(frozen=True)
class Tested:
    """A method against another, corrected for all that were compared with the same one."""

    pair: Paired
    p_t: float | None
    """Holm-corrected; None with fewer than two common seeds."""
    p_wilcoxon: float | None
    better: bool | None
    """Whether the method's mean is the better one over the common seeds; None where equal."""

    @property
    def is_significant(self) -> bool:
        """Whether the difference is more than chance, by `COMPARISON_RULE`."""
        return self.p_t is not None and self.p_t < LEVEL


@dataclass(frozen=True)
class Line:
    """A method's comparisons; None with itself, and where there is nothing to compare."""

    row: Row
    with_reference: Tested | None
    with_best: Tested | None


@dataclass(frozen=True)
class Comparisons:
    """All comparisons of a task on one metric, in the board's order."""

    metric: MetricInfo
    reference: Row | None
    """None where no method of the task is one, or where it has no value."""
    best: Row | None
    lines: Sequence[Line]

    @property
    def has_two(self) -> bool:
        """Whether the best and the reference are two methods."""
        return bool(self.reference and self.best and self.reference is not self.best)

    @property
    def pairs(self) -> int | None:
        """Common seeds of every comparison; None where they are not equally many."""
        both = (t for line in self.lines for t in (line.with_reference, line.with_best) if t)
        counts = {tested.pair.n for tested in both}
        return counts.pop() if len(counts) == 1 else None

    @property
    def counts(self) -> tuple[int, int, int]:
        """Methods significantly better than the reference, worse, and those tested."""
        tested = [t for line in self.lines if (t := line.with_reference) and t.p_t is not None]
        real = [t for t in tested if t.is_significant]
        better = sum(t.better is True for t in real)
        return better, len(real) - better, len(tested)


def reference_of(board: Board) -> Row | None:
    """The task's reference by `COMPARISON_RULE`, whether or not it was measured."""
    named = board.track.reference
    for name in EARLIER_REFERENCES if named is None else (named,):
        rows = [r for r in board.rows if r.method.name == name and r.method.caveat is None]
        if rows:
            # The plain entry first; else the first by name: the board's order is the result's.
            return min(rows, key=lambda r: (r.method.label != name, r.method.label))
    return None


def comparisons(board: Board) -> list[Comparisons]:
    """The comparisons of a board, for each ranking metric on which one way is better.

    What decides the order comes first.
    """
    others = (metric for metric in board.ranking if metric not in board.deciding)
    metrics = (*board.deciding, *others)
    return [_compare(board, metric) for metric in metrics if metric.better]


def _compare(board: Board, metric: MetricInfo) -> Comparisons:
    rows = {row.method.label: row for row in board.rows if row.method.caveat is None}
    values = {label: row.cells[metric.name].seeds for label, row in rows.items()}
    measured = [row for label, row in rows.items() if values[label]]
    reference = reference_of(board)
    reference = reference if reference in measured else None
    order = in_order(values, metric.better)
    best = rows[order[0]] if order else None
    with_reference = _against(reference, measured, metric)
    with_best = _against(best, measured, metric)
    lines = [
        Line(row, with_reference.get(row.method.label), with_best.get(row.method.label))
        for row in measured
    ]
    return Comparisons(metric, reference, best, lines)


def _against(other: Row | None, rows: Sequence[Row], metric: MetricInfo) -> dict[str, Tested]:
    """Every other row against `other`, by label: one family of Holm's."""
    if other is None:
        return {}
    theirs = other.cells[metric.name].seeds
    compared = [row for row in rows if row is not other]
    pairs = [paired_by_seed(row.cells[metric.name].seeds, theirs) for row in compared]
    p_t = holm([pair.p_t for pair in pairs])
    p_wilcoxon = holm([pair.p_wilcoxon for pair in pairs])
    return {
        row.method.label: Tested(pair, t, w, _is_better(pair, metric))
        for row, pair, t, w in zip(compared, pairs, p_t, p_wilcoxon, strict=True)
    }


def _is_better(pair: Paired, metric: MetricInfo) -> bool | None:
    if not pair.difference:
        return None
    return (pair.difference > 0) == (metric.better == "higher")


def verdict(board: Board, compared: Sequence[Comparisons]) -> list[str]:
    """The board in sentences: the leader on each ranking metric, and published figures."""
    sentences = [_sentence(on_metric) for on_metric in compared]
    agreement = agreement_sentence(board)
    return [*sentences, agreement] if agreement else sentences


def _sentence(compared: Comparisons) -> str:
    metric, best = compared.metric, compared.best
    if best is None:
        return f"On {metric.title} nothing has been measured yet."
    cells = [line.row.cells[metric.name] for line in compared.lines]
    value = best.cells[metric.name].words
    if len(cells) == 1:
        return f"On {metric.title} only {_name(best)} has a value: {value}."
    if len({cell.words for cell in cells}) == 1:
        return f"On {metric.title} all methods have the same: {value}."
    places = zip(compared.lines, (cell.place for cell in cells), strict=True)
    first = [line.row for line, place in places if place and place.rank == 1]
    first.sort(key=lambda row: row is not best)
    who = f"{_name(best)}, the reference," if best is compared.reference else _name(best)
    if len(first) == 1:
        return f"On {metric.title}, {who} is first{_lead_over_reference(compared, ', ')}."
    if len(first) == len(compared.lines):
        lead = f"no method is separated from {who.rstrip(',')}, which has the best mean"
    else:
        lead = f"{_listed([_name(row) for row in first])} share the first place"
        if best is compared.reference:
            lead += f"; {who} has the best mean"
    return f"On {metric.title}, {lead}{_lead_over_reference(compared, f'; {_name(best)} is ')}."


def _lead_over_reference(compared: Comparisons, link: str) -> str:
    """What the best gains over the reference: the rest of a sentence, joined by `link`."""
    best, reference = compared.best, compared.reference
    if best is None or best is reference:
        return ""
    if reference is None:
        return _lead_over_next(compared, link)
    tested = next(line.with_reference for line in compared.lines if line.row is best)
    difference = tested.pair.difference if tested else None
    if tested is None or difference is None:
        return f"; {_name(best)} has no seed in common with {_name(reference)}"
    return f"{link}{_distance_in_words(difference, tested, reference, compared.metric)}"


def _lead_over_next(compared: Comparisons, link: str) -> str:
    """The same against the next best mean, where the task has no reference."""
    seeds = {_name(line.row): line.row.cells[compared.metric.name].seeds for line in compared.lines}
    second = in_order(seeds, compared.metric.better)[1]
    line = next(line for line in compared.lines if _name(line.row) == second)
    behind = line.with_best.pair.difference if line.with_best else None
    if line.with_best is None or behind is None:
        return ""
    return f"{link}{_distance_in_words(-behind, line.with_best, line.row, compared.metric)}"


def _distance_in_words(difference: float, tested: Tested, other: Row, metric: MetricInfo) -> str:
    where = "below" if difference < 0 else "above"
    size = amount(abs(difference), metric)
    return f"{size} {where} {_name(other)} {_certainty(tested, metric)}"


def _certainty(tested: Tested, metric: MetricInfo) -> str:
    pair = tested.pair
    if pair.interval is None or pair.difference is None or tested.p_t is None:
        return "(one common seed, not tested)"
    if pair.is_constant:
        return f"(the same on all {pair.n} seeds)"
    # "3 points below" turns the sign of the interval too.
    sign = math.copysign(1.0, pair.difference)
    low, high = sorted(sign * end for end in pair.interval)
    span = f"95 % {plain(low, metric)} to {plain(high, metric)}"
    doubt = "" if tested.is_significant else ": not significant"
    return f"({span}, Holm {wording.p_value(tested.p_t)}{doubt})"


def agreement_sentence(board: Board) -> str | None:
    """How many published figures of these very methods lie in the measured intervals."""
    cells = [
        (row, cell)
        for row in board.rows
        for metric in board.ranking
        if (cell := row.cells[metric.name]).summary
        and cell.published
        and cell.published.of == row.method.label
    ]
    judged = [(row, cell) for row, cell in cells if cell.agreement]
    if not cells:
        return None
    if not judged:
        return "Published figures stand beside, but one seed has no interval to hold them against."
    inside = sum(cell.agreement is Agreement.INSIDE for _, cell in judged)
    total = wording.plural(len(judged), "published figure")
    lie = "lies" if inside < 2 else "lie"
    sentence = f"Of {total}, {inside or 'none'} {lie} in the measured interval"
    row, cell = max(judged, key=lambda pair: _distance(pair[1]))
    if _distance(cell) == 0.0 or cell.difference is None:
        return f"{sentence}."
    off = f"{wording.signed(cell.difference, cell.metric.unit)} {_unit(cell.metric)}".rstrip()
    return f"{sentence}; farthest off is {_name(row)} on {cell.metric.title}, {off}."


def _distance(cell: Cell) -> float:
    """How far the published figure lies outside of the interval, in half-widths of it."""
    if cell.interval is None or cell.published is None:
        return 0.0
    low, high = cell.interval
    beyond = max(low - cell.published.value, cell.published.value - high, 0.0)
    return beyond / ((high - low) or 1e-9)


def amount(stored: float, metric: MetricInfo) -> str:
    """A difference with its unit: "3.00 points", "0.12 s", "0.0034"."""
    unit = _unit(metric)
    return f"{plain(stored, metric)} {unit}".rstrip()


def plain(stored: float, metric: MetricInfo) -> str:
    """A difference in the shown unit, without it."""
    shown = stored * (100.0 if metric.unit == "%" else 1.0)
    return wording.number(shown, wording.decimals(shown, metric.unit))


def _unit(metric: MetricInfo) -> str:
    return "points" if metric.unit == "%" else metric.unit


def _name(row: Row) -> str:
    return row.method.label


def _listed(names: Sequence[str]) -> str:
    """Names in a sentence: "a, b and c"; beyond five, two of them and a number."""
    if len(names) > 5:
        return f"{', '.join(names[:2])} and {len(names) - 2} more"
    return f"{', '.join(names[:-1])} and {names[-1]}"

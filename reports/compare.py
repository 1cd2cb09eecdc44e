"""Two sets of results against each other: what changed, and is the change more than chance?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from pathlib import Path

from bench.errors import UsageError, unknown
from bench.outside.words import for_xml
from bench.reports import wording
from bench.reports.boards.tables import COSTS, STATUS_WORDS, results_of
from bench.reports.pages.rendering import templates
from bench.reports.statistics.arithmetic import pairs_sentence
from bench.reports.statistics.paired import LEVEL, Paired, Seeds, holm, paired_by_seed
from bench.reports.statistics.seeds import Summary, summarize
from bench.result import MetricInfo, Plan, Result, Status, Store

RULE = (
    "Values are compared in pairs of one suite, task, method and seed: paired t-test, two-sided, "
    "5 %, Holm-corrected over all methods and tasks of a suite on one metric. What is equal on "
    "every common seed is no test and does not count in the correction; with fewer than two "
    "common seeds there is none. A trial that did not end well counts as missing."
)

EVERY = "all"


class Verdict(StrEnum):
    """How a value changed from the first side to the second."""

    BETTER = "better"
    WORSE = "worse"
    CHANGED = "changed"
    UNCLEAR = "within chance"
    UNTESTED = "too few seeds"
    EQUAL = "equal"
    GONE = "only in the first"
    NEW = "only in the second"

    @property
    def matters(self) -> bool:
        """Whether the value changed by more than chance, so that a table of changes lists it."""
        return self not in (Verdict.UNCLEAR, Verdict.UNTESTED, Verdict.EQUAL)


@dataclass(frozen=True)
class Change:
    """One metric of one method on one task, on both sides."""

    cell: Cell
    metric: MetricInfo
    first: Summary | None
    second: Summary | None
    pair: Paired
    """The second against the first, in the stored unit, over common seeds."""
    p: float | None
    """Holm's adjusted p of the paired t-test."""
    verdict: Verdict

    @property
    def difference(self) -> str:
        """Second minus first with its interval, in the shown unit: "+2.79 ± 0.16"."""
        return wording.change(self.pair, self.metric.unit) or "n/a"

    @property
    def sides(self) -> tuple[str, str]:
        """Both means with their intervals, in the shown unit; "n/a" where there is none."""
        unit = self.metric.unit
        return wording.interval(self.first, unit), wording.interval(self.second, unit)

    @property
    def probability(self) -> str:
        """The adjusted p in words: "0.012", "< 0.001", "n/a"."""
        if self.p is None:
            return "n/a"
        return "< 0.001" if self.p < 0.001 else f"{self.p:.3f}"


@dataclass(frozen=True)
class Ending:
    """A trial whose status differs between the sides, such as ok and failed."""

    cell: Cell
    seed: int
    first: str
    second: str
    reason: str


@dataclass(frozen=True)
class Comparison:
    """The differences between two sides; `changes` also lists equal values."""

    first: Side
    second: Side
    changes: Sequence[Change]
    endings: Sequence[Ending]
    settings: Mapping[str, Sequence[str]]
    """Settings that differ between the sides, by suite, task and method."""
    arithmetic: str = ""
    """How many pairs were computed with unlike arithmetic, and which; empty if none."""

    @property
    def counts(self) -> dict[Verdict, int]:
        """The number of values for each verdict, in the order of `Verdict`."""
        counted = Counter(change.verdict for change in self.changes)
        return {verdict: counted[verdict] for verdict in Verdict if counted[verdict]}

    @property
    def worse(self) -> bool:
        """Whether a metric (not a cost) got worse by more than chance, or is gone."""
        bad = (Verdict.WORSE, Verdict.GONE)
        return any(c.verdict in bad and c.metric.name not in COSTS for c in self.changes)


def compare(first: Side, second: Side, metrics: Sequence[str] = ()) -> Comparison:
    """What changed from the first side to the second.

    Args:
        first: The side to start from.
        second: The side whose changes are asked for.
        metrics: By name, costs included; none for those that decide ranks and the total time,
            "all" for all.

    Raises:
        UsageError: A metric that neither side knows, or two sides without a common suite.
    """
    suites = {cell[0] for cell in first.results} & {cell[0] for cell in second.results}
    if not suites:
        raise UsageError(f"{first.name} and {second.name} have no suite in common.")
    infos = {
        (suite, track): _infos(suite, track, first, second)
        for suite, track in dict.fromkeys(c[:2] for c in (*first.results, *second.results))
        if suite in suites
    }
    names = {name for known in infos.values() for name in known} | {EVERY}
    for name in metrics:
        if name not in names:
            raise UsageError(f"--metrics: {unknown('metric', name, names)}")
    cells = [c for c in dict.fromkeys((*first.results, *second.results)) if c[0] in suites]
    changes = [
        change
        for (suite, track), known in infos.items()
        for name in _metric_names(metrics, suite, track, known, first, second)
        for change in _changes([c for c in cells if c[:2] == (suite, track)],
                               known[name], first, second)
    ]  # fmt: skip
    settings = {
        " · ".join((cell[0], *cell[2:])): differences
        for cell in cells
        if (differences := _settings(first.results.get(cell, {}), second.results.get(cell, {})))
    }
    endings = [e for cell in cells for e in _endings(cell, first, second)]
    pairs = (
        (result, second.results[cell][seed])
        for cell in cells
        for seed, result in first.results.get(cell, {}).items()
        if seed in second.results.get(cell, {})
    )
    return Comparison(first, second, changes, endings, settings, pairs_sentence(pairs))


def _infos(suite: str, track: str, first: Side, second: Side) -> dict[str, MetricInfo]:
    """Metrics of a track by name: those of the plans, then the costs, then what results add."""
    known: dict[str, MetricInfo] = {}
    for each_side in (second, first):
        plan = each_side.plans.get(suite)
        of_track = [t for t in plan.tracks if t.name == track] if plan else []
        known = {m.name: m for t in of_track for m in t.metrics} | known
    own = {
        name: MetricInfo(name=name, title=name, unit="", better="", definition="")
        for each_side in (first, second)
        for cell, seeds in each_side.results.items()
        if cell[:2] == (suite, track)
        for result in seeds.values()
        for name in result.metrics
    }
    return known | COSTS | {name: info for name, info in own.items() if name not in known}


def _metric_names(
    metrics: Sequence[str],
    suite: str,
    track: str,
    known: Mapping[str, MetricInfo],
    first: Side,
    second: Side,
) -> list[str]:
    if EVERY in metrics:
        return list(known)
    if metrics:
        return [name for name in metrics if name in known]
    plan = second.plans.get(suite) or first.plans.get(suite)
    ranking = [n for t in plan.tracks if t.name == track for n in t.rank_by] if plan else []
    return [*(name for name in ranking if name in known), "total_seconds"]


def _changes(cells: Sequence[Cell], metric: MetricInfo, first: Side, second: Side) -> list[Change]:
    values = [
        (cell, _seeds(first.results.get(cell, {}), metric.name),
         _seeds(second.results.get(cell, {}), metric.name))
        for cell in cells
    ]  # fmt: skip
    values = [entry for entry in values if entry[1] or entry[2]]
    pairs = [paired_by_seed(after, before) for _, before, after in values]
    tested = [None if _equal(pair) else pair.p_t for pair in pairs]
    return [
        Change(
            cell=cell,
            metric=metric,
            first=summarize(before.values()),
            second=summarize(after.values()),
            pair=pair,
            p=p,
            verdict=_verdict(metric, before, after, pair, p),
        )
        for (cell, before, after), pair, p in zip(values, pairs, holm(tested), strict=True)
    ]


def _verdict(
    metric: MetricInfo, before: Seeds, after: Seeds, pair: Paired, p: float | None
) -> Verdict:
    if not before or not after:
        return Verdict.GONE if before else Verdict.NEW
    if _equal(pair):
        return Verdict.EQUAL
    if p is None or pair.difference is None:
        return Verdict.UNTESTED
    if p >= LEVEL:
        return Verdict.UNCLEAR
    if metric.better not in ("higher", "lower"):
        return Verdict.CHANGED
    up = pair.difference > 0
    return Verdict.BETTER if up == (metric.better == "higher") else Verdict.WORSE


def _equal(pair: Paired) -> bool:
    """Whether all common seeds have the same value on both sides."""
    return pair.difference == 0.0 and not pair.std


def _seeds(results: Mapping[int, Result], metric: str) -> dict[int, float]:
    values = {}
    for seed, result in results.items():
        value = result.metrics.get(metric)
        if metric in COSTS:
            value = getattr(result.cost, metric)
        if result.status is Status.OK and value is not None:
            values[seed] = float(value)
    return values


def _endings(cell: Cell, first: Side, second: Side) -> list[Ending]:
    before, after = first.results.get(cell, {}), second.results.get(cell, {})
    return [
        Ending(
            cell,
            seed,
            STATUS_WORDS[before[seed].status.value],
            STATUS_WORDS[after[seed].status.value],
            after[seed].reason or before[seed].reason or "",
        )
        for seed in sorted(before.keys() & after.keys())
        if before[seed].status is not after[seed].status
    ]


def _settings(before: Mapping[int, Result], after: Mapping[int, Result]) -> list[str]:
    """What decided the results of a cell and differs: "revision 1 → 2"."""
    if not before or not after:
        return []
    old, new = _decisive(before), _decisive(after)
    return [
        f"{name} {old.get(name, 'absent')} → {new.get(name, 'absent')}"
        for name in dict.fromkeys((*old, *new))
        if old.get(name) != new.get(name)
    ]


def _decisive(results: Mapping[int, Result]) -> dict[str, str]:
    ordered = [results[seed] for seed in sorted(results)]
    fields: dict[str, dict[str, None]] = {}
    for r in ordered:
        facts = {"revision": r.revision, "data": r.data_hash[:12], **r.parameters}
        facts |= {f"training.{name}": value for name, value in r.training.items()}
        if r.environment:
            facts |= {"device": r.environment.device, "torch": r.environment.versions.get("torch")}
        for name, value in facts.items():
            fields.setdefault(name, {})[str(value)] = None
    return {name: ", ".join(values) for name, values in fields.items()}


SHA = re.compile(r"[0-9a-f]{4,40}")

Cell = tuple[str, str, str, str]
"""Suite, track, task, method."""


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a folder of results, or one commit's results in a folder."""

    name: str
    plans: Mapping[str, Plan]
    results: Mapping[Cell, Mapping[int, Result]]
    """For each suite, track, task and method its results by seed."""

    @property
    def commits(self) -> list[tuple[str, int]]:
        """Git commits with the number of results from each, most first."""
        every = (r for seeds in self.results.values() for r in seeds.values())
        counts = Counter(r.environment.git_sha if r.environment else "unknown" for r in every)
        return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def side(text: str, root: Path, suites: Sequence[str] = ()) -> Side:
    """A results folder, or the results of a commit in the folder `root`.

    Of a folder the trials of its plans are taken; of a commit all that it left, also those that
    a later plan no longer asks for.

    Raises:
        UsageError: `text` is neither, or stands for several commits.
    """
    if Path(text).is_dir():
        store = Store(Path(text))
        if not store.suites():
            raise UsageError(f"{text}: no results here (no SUITE/plan.json).")
        planned = {s: p for s in _requested(store, suites) if (p := store.read_plan(s))}
        planned_results = [r for s, p in planned.items() for r in results_of(store, s, p).values()]
        return Side(text, planned, _by_cell(planned_results, planned))
    store = Store(root)
    all_results = [r for s in _requested(store, suites) for r in store.read_all(s, store.keys(s))]
    sha = _commit(text, root, all_results)
    of_commit = [r for r in all_results if r.environment and r.environment.git_sha == sha]
    plans = {s: p for s in dict.fromkeys(r.suite for r in of_commit) if (p := store.read_plan(s))}
    return Side(sha[:12], plans, _by_cell(of_commit, plans))


def _requested(store: Store, suites: Sequence[str]) -> list[str]:
    known = store.suites()
    for name in suites:
        if name not in known:
            raise UsageError(f"{store.root}: {unknown('suite', name, known)}")
    return list(suites) or known


def _commit(text: str, root: Path, results: Iterable[Result]) -> str:
    shas = Counter(r.environment.git_sha for r in results if r.environment)
    matches = [sha for sha in shas if SHA.fullmatch(text) and sha.startswith(text)]
    if len(matches) == 1:
        return matches[0]
    listed = ", ".join(f"{sha[:12]} ({n})" for sha, n in shas.most_common(10)) or "none"
    if matches:
        raise UsageError(f'"{text}" stands for several commits: {", ".join(sorted(matches))}.')
    raise UsageError(
        f'"{text}" is neither a results folder nor a commit with results in {root}. '
        f"Commits there, with their results: {listed}."
    )


def _by_cell(results: Iterable[Result], plans: Mapping[str, Plan]) -> dict[Cell, dict[int, Result]]:
    """By cell, in the order of the plans, and seed.

    Of two results of one trial the planned one is taken, or else the last.
    """
    planned = {trial.key for plan in plans.values() for trial in plan.trials}
    cells: dict[Cell, dict[int, Result]] = {}
    for result in sorted(results, key=lambda r: (r.key in planned, r.finished, r.key)):
        cell = result.suite, result.track, result.task, result.method
        cells.setdefault(cell, {})[result.seed] = result
    order = {
        (suite, trial.task, trial.method): place
        for suite, plan in plans.items()
        for place, trial in enumerate(plan.trials)
    }
    last = len(order)
    places = {c: (c[0], order.get((c[0], *c[2:]), last), c) for c in cells}
    return {cell: cells[cell] for cell in sorted(cells, key=places.__getitem__)}


BADGES = {
    Verdict.BETTER: "ok",
    Verdict.WORSE: "failed",
    Verdict.GONE: "failed",
    Verdict.CHANGED: "timeout",
    Verdict.NEW: "timeout",
    Verdict.UNCLEAR: "skipped",
    Verdict.UNTESTED: "missing",
    Verdict.EQUAL: "skipped",
}
"""The CSS class of a verdict's badge, shared with the statuses of trials."""


def page(comparison: Comparison) -> str:
    """The comparison as one self-contained HTML file, with changed values first in each table."""
    order = list(Verdict)
    changes = sorted(
        comparison.changes, key=lambda c: (c.cell[0], not c.verdict.matters, order.index(c.verdict))
    )
    template = templates().get_template("compare.html.j2")
    suites = [(name, list(group)) for name, group in groupby(changes, lambda c: c.cell[0])]
    text = template.render(
        kind="tables", comparison=comparison, suites=suites, badges=BADGES, rule=RULE
    )
    return for_xml(text)

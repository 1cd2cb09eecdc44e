"""`bench merge`: put the results of several machines into one folder, and find contradictions.

Everything is read and decided before anything is written. Results are written first and plans
last, each file atomically, so that the same command finishes an interrupted merge.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.disk.locking import exclusive
from bench.errors import BenchError, UsageError
from bench.heartbeat import acting_as
from bench.result import (
    Plan,
    PlannedMethod,
    PlannedTask,
    PlannedTrial,
    Record,
    Result,
    Store,
    TrackInfo,
    digest,
)

MEASURED = {"cost", "environment", "started", "finished", "traceback", "log"}
"""Fields of a result that differ from run to run although the outcome is the same."""

ROUNDED = ("metrics", "curves", "samples")
"""Fields of a result whose numbers two machines may round differently."""

TOLERANCE = 1e-6
"""The absolute or relative difference of two numbers that is taken for rounding."""

LONGEST_VALUE = 40


class MergeConflict(BenchError):  # noqa: N818 - the finding itself is the error
    """Folders contradict each other; `conflicts` describes each contradiction in one line."""

    def __init__(self, conflicts: Sequence[str]) -> None:
        self.conflicts = conflicts
        word = "conflict" if len(conflicts) == 1 else "conflicts"
        super().__init__(
            f"{len(conflicts)} {word}, so nothing was written. "
            "--prefer newest or --prefer first decides them."
        )


@dataclass(frozen=True)
class SourceFolder:
    """All results of one suite in one folder, those of its present plan and earlier ones."""

    root: Path
    plan: Plan
    results: Mapping[str, Result]

    @property
    def newest(self) -> datetime:
        """When its last result was finished; the least possible time if it has no results."""
        times = (_instant(result.finished) for result in self.results.values())
        return max(times, default=datetime.min.replace(tzinfo=UTC))


@dataclass
class Merged:
    """The merged plan and results of one suite.

    Attributes:
        plan: the merged plan.
        results: key -> result.
        added: number of results that the target folder lacks or has otherwise.
        equal: number of further copies of results with the same outcome.
        settled: number of conflicts that `prefer` decided.
        rounded: by pair of folders, for each further copy that is equal but for rounding, its
            largest difference.
        conflicts: the other conflicts, one line each.
    """

    plan: Plan
    results: dict[str, Result]
    added: int = 0
    equal: int = 0
    settled: int = 0
    rounded: dict[tuple[Path, Path], list[float]] = field(default_factory=dict)
    conflicts: list[str] = field(default_factory=list)


def merge(
    folders: Sequence[Path],
    into: Path,
    prefer: str | None = None,
    *,
    tolerance: float = TOLERANCE,
    dry_run: bool = False,
) -> dict[str, Merged]:
    """Merge the suites of `folders`, and of `into` if it has any, into `into`.

    Of results with one key and the same outcome (status, metrics, curves, selection) but for
    times and rounding, the one finished first is kept; of a final and a failed one, the final one;
    of two failures, the later one. Merging again changes nothing.

    Args:
        folders: folders of results, as `--out` names them.
        into: the folder to write to; may be one of `folders`.
        prefer: which of two contradicting results is kept: "newest", or "first" for that of the
            folder named first (`into` comes first of all, if it has results).
        tolerance: absolute or relative difference up to which two numbers of a metric, a curve or
            a sample count as rounded differently; 0 for none.
        dry_run: decide everything and write nothing.

    Returns:
        Suite -> its merged plan and results.

    Raises:
        UsageError: the preference or the tolerance is none, or a folder has no results.
        MergeConflict: there are contradictions and no preference; nothing was written.
        BenchError: a result cannot be read, or a folder cannot be written to.
    """
    if prefer not in (None, "newest", "first"):
        raise UsageError(f'--prefer: "{prefer}" is neither newest nor first.')
    if not 0 <= tolerance < 1:
        raise UsageError(f"--tolerance: {tolerance:g} is not between 0 and 1.")
    for folder in folders:
        if not Store(folder).suites():
            raise UsageError(f"{folder}: no results here (no SUITE/plan.json).")
    roots = [into, *(folder for folder in folders if folder.resolve() != into.resolve())]
    names = sorted({name for root in roots for name in Store(root).suites()})
    merged = {
        name: _merged([s for root in roots if (s := _read(root, name))], prefer, tolerance, into)
        for name in names
    }
    if conflicts := [f"{name}: {line}" for name, m in merged.items() for line in m.conflicts]:
        raise MergeConflict(conflicts)
    if not dry_run:
        _write(merged, into)
    return merged


def _read(root: Path, suite: str) -> SourceFolder | None:
    store = Store(root)
    plan = store.read_plan(suite)
    if plan is None:
        return None
    results = {result.key: result for result in store.read_all(suite, store.keys(suite))}
    return SourceFolder(root, plan, results)


def _merged(
    sources: Sequence[SourceFolder], prefer: str | None, tolerance: float, into: Path
) -> Merged:
    if prefer == "newest":  # the sort is stable: of equally new ones the first stays first
        sources = sorted(sources, key=lambda source: source.newest, reverse=True)
    plans = [source.plan for source in sources]
    merged = Merged(plans[0], {})
    choose = _Choice(prefer, tolerance, _times(plans))
    for key in dict.fromkeys(key for source in sources for key in source.results):
        copies = [(s.root, s.results[key]) for s in sources if key in s.results]
        merged.results[key] = choose.among(copies, merged)
    conflicts = plan_conflicts(plans, merged.results)
    merged.settled += len(conflicts) if prefer else 0
    merged.conflicts += [] if prefer else conflicts
    merged.plan = merged_plan(plans, merged.results)
    store = Store(into)
    merged.added = sum(store.read(merged.plan.suite, k) != r for k, r in merged.results.items())
    return merged


Times = Mapping[str, Collection[str]]
"""By track, the names of the metrics that are times."""


def _times(plans: Sequence[Plan]) -> Times:
    return {track.name: track.times for track in _tracks(plans)}


@dataclass(frozen=True)
class _Choice:
    """How one of several results of one key is chosen; the arguments are those of `merge`."""

    prefer: str | None
    tolerance: float
    times: Times

    def among(self, copies: Sequence[tuple[Path, Result]], merged: Merged) -> Result:
        """Choose among the results of several folders, and note conflicts in `merged`."""
        final = [(root, result) for root, result in copies if result.status.is_final]
        if not final:
            return max((result for _, result in copies), key=_age)
        (first_root, first), *rest = final
        others = []
        for root, result in rest:
            difference = _rounding(self._outcome(first), self._outcome(result))
            if difference is None or difference > self.tolerance:
                others.append((root, result))
            elif difference:
                merged.rounded.setdefault((first_root, root), []).append(difference)
            else:
                merged.equal += 1
        if not others:
            return min((result for _, result in final), key=_age)
        if self.prefer:
            merged.settled += 1
            return first if self.prefer == "first" else max((r for _, r in final), key=_age)
        merged.conflicts += [self._difference(first_root, first, root, r) for root, r in others]
        return first

    def _outcome(self, result: Result) -> dict[str, Any]:
        """What two runs of one trial must agree in."""
        outcome = result.model_dump(exclude=MEASURED)
        for name in self.times.get(result.track, ()):
            outcome["metrics"].pop(name, None)
            outcome["samples"].pop(name, None)
        return outcome

    def _difference(self, first_root: Path, first: Result, root: Path, other: Result) -> str:
        """A line with the first three fields in which two results differ, and both values."""
        ours, theirs = dict(_flat(self._outcome(first))), dict(_flat(self._outcome(other)))
        names = [n for n in dict.fromkeys((*ours, *theirs)) if ours.get(n) != theirs.get(n)]
        shown = [f"{n} {_brief(ours, n)} and {_brief(theirs, n)}" for n in names[:3]]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        trial = f"{first.task} · {first.method} · seed {first.seed}"
        return f"{trial} ({first.key[:8]}) in {first_root} and {root}: {', '.join(shown)}{more}"


def _rounding(ours: dict[str, Any], theirs: dict[str, Any]) -> float | None:
    """The largest difference of two numbers, absolute or relative, whichever is smaller.

    0 means equal outcomes; None, that more differs than numbers of `ROUNDED`.
    """
    if ours == theirs:
        return 0.0
    ours, theirs = dict(ours), dict(theirs)
    largest = 0.0
    for name in ROUNDED:
        a, b = dict(_flat(ours.pop(name))), dict(_flat(theirs.pop(name)))
        if a.keys() != b.keys():
            return None
        for key, x in a.items():
            y = b[key]
            if not isinstance(x, float) or not isinstance(y, float):
                if x != y:
                    return None
            elif x != y:
                size = max(abs(x), abs(y), 1.0)  # above 1 the relative difference is the smaller
                largest = max(largest, abs(x - y) / size)
    return largest if ours == theirs else None


def _brief(fields: Mapping[str, object], name: str) -> str:
    """A value for a message; of a picture or a long text only the beginning."""
    text = str(fields.get(name, "absent"))
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _flat(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Each single value with its path: ("metrics.odds", 0.1), ("curves.loss[3]", 0.7)."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _flat(inner, f"{name}[{position}]")
    else:
        yield name, value


def _age(result: Result) -> tuple[datetime, str]:
    return _instant(result.finished), result.model_dump_json()


def _instant(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _write(merged: Mapping[str, Merged], into: Path) -> None:
    try:
        busy = f"another bench run is using {into}. Wait for it."
        with acting_as("bench merge"), exclusive(into / ".lock", into, busy):
            store = Store(into)
            for suite, parts in merged.items():
                for result in parts.results.values():
                    if store.read(suite, result.key) != result:
                        store.write(result)
                if store.read_plan(suite) != parts.plan:
                    store.write_plan(parts.plan)
    except OSError as error:
        raise BenchError(f"{into}: cannot write here ({error.strerror}).") from error


OF_TASKS = ("track", "data", "data_hash", "target", "bias", "question", "options", "training")
OF_METHODS = ("name", "parameters", "revision")
"""Fields that must be equal in tasks or methods of one name; other fields only describe them."""

AND = " && "
Cell = tuple[str, str, int]
"""Task, method and seed of a trial."""
MethodKey = tuple[str, str]
"""Track and label of a method."""


def plan_conflicts(plans: Sequence[Plan], finished: Collection[str]) -> list[str]:
    """The different tasks, methods or trials to which plans give one name, one line each.

    Args:
        plans: plans of one suite.
        finished: keys of the trials that have results.
    """
    first, *others = plans
    conflicts: dict[str, None] = {}
    for plan in others:
        for name in _tasks(first).keys() & _tasks(plan).keys():
            lines = _differences(_tasks(first)[name], _tasks(plan)[name], OF_TASKS)
            conflicts |= dict.fromkeys(f"task {name}: {line}" for line in lines)
        for key in _methods(first).keys() & _methods(plan).keys():
            lines = _differences(_methods(first)[key], _methods(plan)[key], OF_METHODS)
            conflicts |= dict.fromkeys(f"method {key[1]}: {line}" for line in lines)
    if conflicts:  # these explain why keys of trials differ, so trials are not compared
        return sorted(conflicts)
    keys: dict[Cell, str] = {}
    for trial in (t for plan in plans for t in plan.trials if t.key in finished):
        first_key = keys.setdefault(_cell(trial), trial.key)
        if first_key != trial.key:
            name = f"{trial.task} · {trial.method} · seed {trial.seed}"
            conflicts[f"{name} has two results, {first_key[:8]} and {trial.key[:8]}"] = None
    return list(conflicts)


def merged_plan(plans: Sequence[Plan], finished: Collection[str]) -> Plan:
    """One plan of all; where plans contradict each other, the first one holds.

    Trials whose task or method differs from the one that is kept are left out. Where two keys have
    the same task, method and seed, the one with a result is kept.
    """
    first = plans[0]
    tasks: dict[str, PlannedTask] = {}
    methods: dict[MethodKey, PlannedMethod] = {}
    for plan in plans:
        for name, task in _tasks(plan).items():
            # A plan that was made before its data was prepared has no hash.
            if name not in tasks or (tasks[name].data_hash is None and task.data_hash):
                tasks[name] = task
        methods |= {key: m for key, m in _methods(plan).items() if key not in methods}
    trials = _trials(plans, tasks, methods, finished)
    task_order = {name: position for position, name in enumerate(tasks)}
    method_order = {key: position for position, key in enumerate(methods)}
    trials.sort(
        key=lambda t: (task_order[t.task], method_order[tasks[t.task].track, t.method], t.seed)
    )
    used_tasks = {trial.task for trial in trials}
    used_methods = {(tasks[trial.task].track, trial.method) for trial in trials}
    kept_tasks = [task for name, task in tasks.items() if name in used_tasks]
    figures = {figure.model_dump_json(): figure for plan in plans for figure in plan.figures}
    alike = all(plan.sweep == first.sweep for plan in plans)
    return first.model_copy(
        update={
            "sweep": first.sweep if alike else sweep_of(first.suite, kept_tasks),
            "command": AND.join(dict.fromkeys(c for p in plans for c in p.command.split(AND))),
            "tracks": _tracks(plans),
            "tasks": kept_tasks,
            "methods": [method for key, method in methods.items() if key in used_methods],
            "trials": trials,
            "figures": list(figures.values()),
        }
    )


def sweep_of(suite: str, tasks: Sequence[PlannedTask]) -> str:
    """The identity of a sweep of these tasks (see `Plan.sweep`)."""
    settings = [{"name": t.name, "hash": t.data_hash, "training": t.training} for t in tasks]
    return digest({"suite": suite, "tasks": settings})


def _trials(
    plans: Sequence[Plan],
    tasks: Mapping[str, PlannedTask],
    methods: Mapping[MethodKey, PlannedMethod],
    finished: Collection[str],
) -> list[PlannedTrial]:
    cells: dict[Cell, PlannedTrial] = {}
    for plan in plans:
        own_tasks, own_methods = _tasks(plan), _methods(plan)
        for trial in plan.trials:
            task = own_tasks[trial.task]
            method_key = task.track, trial.method
            if _differences(tasks[trial.task], task, OF_TASKS):
                continue
            if _differences(methods[method_key], own_methods[method_key], OF_METHODS):
                continue
            kept = cells.get(_cell(trial))
            if kept is None or (kept.key not in finished and trial.key in finished):
                cells[_cell(trial)] = trial
    return list(cells.values())


def _tracks(plans: Sequence[Plan]) -> list[TrackInfo]:
    """Each track with the metrics of all plans."""
    tracks: dict[str, TrackInfo] = {}
    for track in (track for plan in plans for track in plan.tracks):
        known = tracks.setdefault(track.name, track)
        names = {metric.name for metric in known.metrics}
        if more := [metric for metric in track.metrics if metric.name not in names]:
            tracks[track.name] = known.model_copy(update={"metrics": [*known.metrics, *more]})
    return list(tracks.values())


def _differences(first: Record, other: Record, fields: Sequence[str]) -> list[str]:
    """How two records differ in these fields: "revision 1 and 2", "training.epochs 3 and 5"."""
    differences = []
    for name in fields:
        a, b = getattr(first, name), getattr(other, name)
        if a == b or (name == "data_hash" and None in (a, b)):
            continue
        if isinstance(a, Mapping):
            keys = [key for key in {**a, **b} if a.get(key) != b.get(key)]
            differences += [f"{name}.{key} {a.get(key)} and {b.get(key)}" for key in keys]
        else:
            differences.append(f"{name} {a} and {b}")
    return differences


def _tasks(plan: Plan) -> dict[str, PlannedTask]:
    return {task.name: task for task in plan.tasks}


def _methods(plan: Plan) -> dict[MethodKey, PlannedMethod]:
    return {(method.track, method.label): method for method in plan.methods}


def _cell(trial: PlannedTrial) -> Cell:
    return trial.task, trial.method, trial.seed

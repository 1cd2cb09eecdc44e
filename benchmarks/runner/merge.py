"""`bench merge`: the results of several machines into one folder, and what does not go together.

Everything is read and decided before anything is written. Results are written first and plans
last, each file atomically, so that a merge cut short is finished by the same command.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from bench.errors import BenchError, UsageError
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
"""What differs from run to run although the trial says the same."""

LONGEST_VALUE = 40


class MergeConflict(BenchError):  # noqa: N818 - what was found, not how
    """Folders contradict each other; `conflicts` says where, a line each."""

    def __init__(self, conflicts: Sequence[str]) -> None:
        self.conflicts = conflicts
        word = "conflict" if len(conflicts) == 1 else "conflicts"
        super().__init__(
            f"{len(conflicts)} {word}, so nothing was written. "
            "--prefer newest or --prefer first decides them."
        )


@dataclass(frozen=True)
class SourceFolder:
    """One folder's results of one suite: those of its plan, and earlier ones."""

    root: Path
    plan: Plan
    results: Mapping[str, Result]

    @property
    def newest(self) -> datetime:
        """When its last result was finished; the beginning of time where there is none."""
        times = (_instant(result.finished) for result in self.results.values())
        return max(times, default=datetime.min.replace(tzinfo=UTC))


@dataclass
class Merged:
    """What a suite becomes."""

    plan: Plan
    results: dict[str, Result]
    added: int = 0
    """Results that the target folder does not hold, or holds otherwise."""
    equal: int = 0
    """Results that several folders hold, saying the same."""
    settled: int = 0
    """Conflicts that `prefer` decided."""
    conflicts: list[str] = field(default_factory=list)


def merge(
    folders: Sequence[Path], into: Path, prefer: str | None = None, *, dry_run: bool = False
) -> dict[str, Merged]:
    """Merge the suites of `folders`, and of `into` where it holds some already, into `into`.

    Of results with one key that say the same (status, metrics, curves, selection), the one
    finished first stays; of a finished and an unfinished one, the finished; of two failures, the
    later. Merging again changes nothing.

    Args:
        folders: Results folders, as `--out` names them.
        into: The folder to write to; may be one of `folders`.
        prefer: Who is right where two contradict each other: whoever is newest, or the folder
            named first (`into` before all, where it holds results).
        dry_run: Decide everything and write nothing.

    Returns:
        For each suite what was merged.

    Raises:
        UsageError: An unknown preference, or a folder without results.
        MergeConflict: Contradictions, and no preference: nothing was written.
        BenchError: A result that cannot be read, or a folder that cannot be written to.
    """
    if prefer not in (None, "newest", "first"):
        raise UsageError(f'--prefer: "{prefer}" is neither newest nor first.')
    for folder in folders:
        if not Store(folder).suites():
            raise UsageError(f"{folder}: no results here (no SUITE/plan.json).")
    apart = [folder for folder in folders if folder.resolve() != into.resolve()]
    everywhere = [into, *apart]
    names = sorted({name for folder in everywhere for name in Store(folder).suites()})
    merged = {
        name: _merged([s for root in everywhere if (s := _read(root, name))], prefer, into)
        for name in names
    }
    conflicts = [f"{name}: {each}" for name, made in merged.items() for each in made.conflicts]
    if conflicts:
        raise MergeConflict(conflicts)
    if not dry_run:
        _write(merged, into)
    return merged


def _read(root: Path, suite: str) -> SourceFolder | None:
    store = Store(root)
    plan = store.read_plan(suite)
    if plan is None:
        return None
    keys = sorted(path.stem for path in (root / suite / "trials").glob("[!.]*.json"))
    return SourceFolder(root, plan, {result.key: result for result in store.read_all(suite, keys)})


def _merged(sources: Sequence[SourceFolder], prefer: str | None, into: Path) -> Merged:
    if prefer == "newest":  # stable: of equally new ones the first
        sources = sorted(sources, key=lambda source: source.newest, reverse=True)
    made = Merged(sources[0].plan, {})
    for key in dict.fromkeys(key for source in sources for key in source.results):
        held = [(s.root, s.results[key]) for s in sources if key in s.results]
        made.results[key] = _one(held, prefer, made)
    found = plan_conflicts([source.plan for source in sources], made.results)
    if prefer:
        made.settled += len(found)
    else:
        made.conflicts += found
    made.plan = merged_plan([source.plan for source in sources], made.results)
    store = Store(into)
    made.added = sum(store.read(made.plan.suite, k) != r for k, r in made.results.items())
    return made


def _one(held: Sequence[tuple[Path, Result]], prefer: str | None, made: Merged) -> Result:
    """The result of a key that several folders hold; what does not go together is noted."""
    final = [each for each in held if each[1].status.is_final]
    if not final:
        return max((result for _, result in held), key=_age)
    (where, first), *rest = final
    others = [(root, r) for root, r in rest if _says(r) != _says(first)]
    made.equal += len(rest) - len(others)
    if not others:
        return min((result for _, result in final), key=_age)
    if prefer:
        made.settled += 1
        return first if prefer == "first" else max((r for _, r in final), key=_age)
    made.conflicts += [_difference(where, first, root, r) for root, r in others]
    return first


def _says(result: Result) -> dict[str, Any]:
    return result.model_dump(exclude=MEASURED)


def _difference(where: Path, first: Result, root: Path, other: Result) -> str:
    """The first fields in which two results differ, with both values."""
    mine, its = dict(_flat(_says(first))), dict(_flat(_says(other)))
    names = [name for name in dict.fromkeys((*mine, *its)) if mine.get(name) != its.get(name)]
    shown = [f"{n} {_brief(mine, n)} and {_brief(its, n)}" for n in names[:3]]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    trial = f"{first.task} · {first.method} · seed {first.seed}"
    return f"{trial} ({first.key[:8]}) in {where} and {root}: {', '.join(shown)}{more}"


def _brief(fields: Mapping[str, object], name: str) -> str:
    """A value for a message: a picture or a long text only by its beginning."""
    text = str(fields.get(name, "absent"))
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _flat(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Every single value with its path: ("metrics.odds", 0.1), ("curves.loss[3]", 0.7)."""
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
        into.mkdir(parents=True, exist_ok=True)
        with FileLock(into / ".lock", timeout=0):
            store = Store(into)
            for suite, made in merged.items():
                for key, result in made.results.items():
                    if store.read(suite, key) != result:
                        store.write(result)
                if store.read_plan(suite) != made.plan:
                    store.write_plan(made.plan)
    except Timeout as error:
        raise BenchError(f"another bench run is using {into}. Wait for it.") from error
    except OSError as error:
        raise BenchError(f"{into}: cannot write here ({error.strerror}).") from error


OF_TASKS = ("track", "data", "data_hash", "target", "bias", "question", "options", "training")
OF_METHODS = ("name", "parameters", "revision")
"""What makes two rows of one name different things; all else is words about them."""

AND = " && "
Cell = tuple[str, str, int]
Named = tuple[str, str]


def plan_conflicts(plans: Sequence[Plan], finished: Collection[str]) -> list[str]:
    """Where plans give one name to different things, a line each.

    Args:
        plans: Plans of one suite.
        finished: Keys of the trials that left results.
    """
    first, *others = plans
    found: dict[str, None] = {}
    for plan in others:
        for name in _tasks(first).keys() & _tasks(plan).keys():
            mine, its = _tasks(first)[name], _tasks(plan)[name]
            found |= dict.fromkeys(f"task {name}: {each}" for each in _unlike(mine, its, OF_TASKS))
        for key in _methods(first).keys() & _methods(plan).keys():
            m, i = _methods(first)[key], _methods(plan)[key]
            found |= dict.fromkeys(f"method {key[1]}: {each}" for each in _unlike(m, i, OF_METHODS))
    if found:  # then it is no wonder that the keys of their trials differ too
        return sorted(found)
    keys: dict[Cell, str] = {}
    for trial in (t for plan in plans for t in plan.trials if t.key in finished):
        first_key = keys.setdefault(_cell(trial), trial.key)
        if first_key != trial.key:
            told = f"{trial.task} · {trial.method} · seed {trial.seed}"
            found[f"{told} has two results, {first_key[:8]} and {trial.key[:8]}"] = None
    return list(found)


def merged_plan(plans: Sequence[Plan], finished: Collection[str]) -> Plan:
    """One plan of all; where two contradict each other, the one named first is right.

    Trials of a task or method that their plan understands otherwise leave the page. Where two
    keys claim one task, method and seed, the one with a result stays.
    """
    first = plans[0]
    tasks: dict[str, PlannedTask] = {}
    methods: dict[Named, PlannedMethod] = {}
    for plan in plans:
        for name, task in _tasks(plan).items():
            # A plan that was made before its data were prepared knows no hash yet.
            if name not in tasks or (tasks[name].data_hash is None and task.data_hash):
                tasks[name] = task
        methods |= {key: m for key, m in _methods(plan).items() if key not in methods}
    trials = _trials(plans, tasks, methods, finished)
    places = {name: place for place, name in enumerate(tasks)}
    order = {key: place for place, key in enumerate(methods)}
    trials.sort(key=lambda t: (places[t.task], order[tasks[t.task].track, t.method], t.seed))
    used = {trial.task for trial in trials}
    kept = [task for name, task in tasks.items() if name in used]
    running = {(tasks[trial.task].track, trial.method) for trial in trials}
    figures = {figure.model_dump_json(): figure for plan in plans for figure in plan.figures}
    alike = all(plan.sweep == first.sweep for plan in plans)
    return first.model_copy(
        update={
            "sweep": first.sweep if alike else sweep_of(first.suite, kept),
            "command": AND.join(dict.fromkeys(c for p in plans for c in p.command.split(AND))),
            "tracks": _tracks(plans),
            "tasks": kept,
            "methods": [method for key, method in methods.items() if key in running],
            "trials": trials,
            "figures": list(figures.values()),
        }
    )


def sweep_of(suite: str, tasks: Sequence[PlannedTask]) -> str:
    """The identity that the runner gives a sweep of these tasks (see `Plan.sweep`)."""
    settings = [{"name": t.name, "hash": t.data_hash, "training": t.training} for t in tasks]
    return digest({"suite": suite, "tasks": settings})


def _trials(
    plans: Sequence[Plan],
    tasks: Mapping[str, PlannedTask],
    methods: Mapping[Named, PlannedMethod],
    finished: Collection[str],
) -> list[PlannedTrial]:
    cells: dict[Cell, PlannedTrial] = {}
    for plan in plans:
        own_tasks, own_methods = _tasks(plan), _methods(plan)
        for trial in plan.trials:
            task = own_tasks[trial.task]
            named = task.track, trial.method
            if _unlike(tasks[trial.task], task, OF_TASKS):
                continue
            if _unlike(methods[named], own_methods[named], OF_METHODS):
                continue
            held = cells.get(_cell(trial))
            if held is None or (held.key not in finished and trial.key in finished):
                cells[_cell(trial)] = trial
    return list(cells.values())


def _tracks(plans: Sequence[Plan]) -> list[TrackInfo]:
    """Each track with all metrics that any of the plans knows."""
    found: dict[str, TrackInfo] = {}
    for track in (track for plan in plans for track in plan.tracks):
        known = found.setdefault(track.name, track)
        names = {metric.name for metric in known.metrics}
        more = [metric for metric in track.metrics if metric.name not in names]
        if more:
            update = {"metrics": [*known.metrics, *more]}
            found[track.name] = known.model_copy(update=update)
    return list(found.values())


def _unlike(mine: Record, its: Record, fields: Sequence[str]) -> list[str]:
    """What two records say differently: "revision 1 and 2", "training.epochs 3 and 5"."""
    found = []
    for name in fields:
        one, other = getattr(mine, name), getattr(its, name)
        if one == other or (name == "data_hash" and None in (one, other)):
            continue
        if isinstance(one, Mapping):
            inner = [key for key in {**one, **other} if one.get(key) != other.get(key)]
            found += [f"{name}.{key} {one.get(key)} and {other.get(key)}" for key in inner]
        else:
            found.append(f"{name} {one} and {other}")
    return found


def _tasks(plan: Plan) -> dict[str, PlannedTask]:
    return {task.name: task for task in plan.tasks}


def _methods(plan: Plan) -> dict[Named, PlannedMethod]:
    return {(method.track, method.label): method for method in plan.methods}


def _cell(trial: PlannedTrial) -> Cell:
    return trial.task, trial.method, trial.seed

"""Several machines' plans of one suite as one plan."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from benchmarks.keys import digest
from benchmarks.result import Plan, PlannedMethod, PlannedTask, PlannedTrial, Record, TrackInfo

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

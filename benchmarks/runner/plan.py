"""From a suite to its trials, and to those that are still to run."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.data.dataset import Library, data_set, prepared_name
from bench.data.prepared import Meta
from bench.errors import BenchError, UsageError, unknown
from bench.learning.loop import REVISION as LOOP_REVISION
from bench.method import Method, about, field_docs, make, methods, summary_of
from bench.models import classifiers
from bench.models.pretrained import WeightsFolder
from bench.models.weights import sha256_of
from bench.privacy import public_name
from bench.result import (
    Hyperparameter,
    Plan,
    PlannedMethod,
    PlannedTask,
    PlannedTrial,
    Result,
    Store,
    digest,
)
from bench.runner.merge import sweep_of
from bench.suites.bounds import MOST_TRIALS
from bench.suites.reader import Suite
from bench.suites.source import read_value
from bench.suites.tasks import TaskSpec
from bench.tracks.registry import tracks

SCALARS = (str, bool, int, float)
KINDS = {"bench.methods": "method", "bench.baselines": "baseline"}
"""The kind of a method on the pages, by the package of its file."""


@dataclass(frozen=True)
class TrialSpec:
    """One trial, ready to run in another process."""

    suite: str
    key: str
    task: TaskSpec
    method: Method
    seed: int
    data_hash: str


@dataclass(frozen=True)
class Selected:
    """The tasks, methods and seeds of a suite that the command line selects."""

    suite: Suite
    tasks: tuple[TaskSpec, ...]
    methods: tuple[Method, ...]
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Sweep:
    """The plan that the pages account for, and the trials that are still to run.

    Attributes:
        taken: results of the same trials from other suites of the folder, under this suite's names.
    """

    plan: Plan
    to_do: tuple[TrialSpec, ...]
    taken: tuple[Result, ...]
    finished: int
    retried: int
    kept: int


def select(
    suite: Suite,
    tasks: Sequence[str] = (),
    named: Sequence[str] = (),
    seeds: Sequence[int] = (),
) -> Selected:
    """Choose tasks, methods and seeds by name; nothing named means everything.

    Raises:
        UsageError: a name that is neither in the suite nor, for methods, known at all; or more
            trials than a sweep may have.
    """
    chosen = suite.tasks
    if tasks:
        names = {alias for task in suite.tasks for alias in (task.name, task.task, task.data)}
        for name in tasks:
            if name not in names:
                raise UsageError("--tasks: " + unknown("task", name, (t.name for t in suite.tasks)))
        chosen = tuple(t for t in suite.tasks if {t.name, t.task, t.data} & set(tasks))
    selected = suite.methods
    if named:
        selected = tuple(
            dict.fromkeys(method for name in named for method in _named(suite.methods, name))
        )
    chosen_seeds = tuple(seeds) or suite.seeds
    if (number := len(chosen) * len(selected) * len(chosen_seeds)) > MOST_TRIALS:
        raise UsageError(
            f"tasks ({len(chosen):,}), methods ({len(selected):,}) and seeds "
            f"({len(chosen_seeds):,}) make {number:,} trials; a sweep may have {MOST_TRIALS:,}. "
            "Choose some with --tasks, --methods and --seeds."
        )
    return Selected(suite, chosen, selected, chosen_seeds)


def _named(present: Sequence[Method], name: str) -> Sequence[Method]:
    """The suite's methods of that label or file name, or else the one that the label describes."""
    listed = [m for m in present if name in (m.label, m.name)]
    if listed:
        return listed
    base, _, fields = name.rstrip("]").partition("[")
    if base not in methods():
        raise UsageError("--methods: " + unknown("method", base, methods()))
    pairs = (field.partition("=") for field in fields.split(",") if field)
    if "[" in name and not name.endswith("]"):
        raise UsageError(f'--methods: "{name}" has no closing bracket.')
    return [make(base, {key.strip(): read_value(value) for key, _, value in pairs})]


def sweep(selected: Selected, library: Library, store: Store, command: str) -> Sweep:
    """Plan a run. Trials of an earlier plan stay in it where planning them today gives their key.

    Args:
        selected: what to run.
        library: prepared data; a task whose data is not prepared yet has no data hash.
        store: results so far.
        command: the command line, for the page.
    """
    suite, weights = selected.suite, WeightsFolder(library.folder)
    metas = {_prepared(task): library.meta(task.data, task.options) for task in suite.tasks}
    specs = [
        spec(suite.name, task, method, seed, metas[_prepared(task)], weights)
        for seed in selected.seeds
        for task in selected.tasks
        for method in selected.methods
        if _accepts(suite, task, method)
    ]
    if not specs:
        raise UsageError("nothing to run: no method of this selection fits its tasks.")
    kept = _kept(suite, store.read_plan(suite.name), metas, weights, {s.key for s in specs})
    everything = [*specs, *kept]
    plan = _plan(suite, everything, metas, weights, command)
    before = {s.key: store.readable(suite.name, s.key) for s in specs}
    open_ = [s for s in specs if not (old := before[s.key]) or not old.status.is_final]
    taken = {s.key: result for s in open_ if (result := _elsewhere(s, store))}
    to_do = tuple(s for s in open_ if s.key not in taken)
    return Sweep(
        plan=plan,
        to_do=to_do,
        taken=tuple(taken.values()),
        finished=len(specs) - len(open_),
        retried=sum(before[s.key] is not None for s in to_do),
        kept=len(kept),
    )


def _elsewhere(spec: TrialSpec, store: Store) -> Result | None:
    """The trial's result from another suite of this folder, under the names of this suite.

    A key holds all that decides the numbers; how a suite calls the trial is no part of it.
    """
    names = {
        "suite": spec.suite,
        "task": public_name(spec.task.name),
        "method": public_name(spec.method.label),
    }
    finished = (r for r in store.elsewhere(spec.suite, spec.key) if r.status.is_final)
    return next((result.model_copy(update=names) for result in finished), None)


def _accepts(suite: Suite, task: TaskSpec, method: Method) -> bool:
    """Whether a task takes a method: the methods it names, or else those of its own track.

    A method that only the command line names may be a cross-track method.
    """
    if method not in suite.methods:
        return task.track in (method.track, *method.also)
    if task.methods:
        return method.name in task.methods
    return method.track == task.track


def spec(
    suite: str, task: TaskSpec, method: Method, seed: int, meta: Meta | None, weights: WeightsFolder
) -> TrialSpec:
    """A trial with its key: a hash of all that decides its numbers.

    Args:
        suite: the suite that lists the trial; it is no part of the key.
        task: what the method works on.
        method: the method with its hyperparameters.
        seed: decides every random choice.
        meta: the prepared data, or None where it is not prepared yet.
        weights: where published weights are looked for; the content of those used enters the key.
    """
    data_hash = meta.hash if meta else ""
    own, judged = method.files(weights), tracks()[task.track].files(weights)
    for path in own:
        if not path.is_file():
            raise UsageError(f"{method.label}: {path}: no such file.")
    key = digest(
        {
            "track_revision": tracks()[task.track].revision,
            **scope(task, seed, data_hash, weights),
            **task.track_options.judge_key(),
            # Files that the track's judge reads: whoever fetches weights later gets new numbers.
            **({"judge": [_sha256(path) for path in judged]} if judged else {}),
            "method": method.name,
            "parameters": method.parameters,
            "revision": method.revision,
            **({"files": [_sha256(path) for path in own]} if own else {}),
        }
    )
    return TrialSpec(suite, key, task, method, seed, data_hash)


def scope(task: TaskSpec, seed: int, data_hash: str, weights: WeightsFolder) -> dict[str, object]:
    """Everything but the method that decides a trained model: also the key of shared work."""
    file = classifiers.weights_of(task.training.weights, task.training.backbone, weights)
    attack = task.attack
    names = attack and {
        "name": attack.name, "parameters": attack.parameters, "revision": attack.revision,
    }  # fmt: skip
    return {
        "loop": LOOP_REVISION,
        "track": task.track,  # epochs are selected by the track's own scores
        "data": task.data,
        "data_hash": data_hash,
        "task": task.task,
        "options": {**task.track_options.model_key(), **task.options.model_dump()},
        "training": task.training.model_dump(exclude={"weights"}),
        # What decides numbers is the content of a file of weights, not its name.
        "weights": _sha256(file) if file else "",
        "seed": seed,
    } | ({"attack": names} if names else {})


def _kept(
    suite: Suite,
    old: Plan | None,
    metas: Mapping[str, Meta | None],
    weights: WeightsFolder,
    new: set[str],
) -> list[TrialSpec]:
    """Trials of the earlier plan that this run leaves out and whose keys are still the same."""
    if old is None:
        return []
    tasks = {public_name(task.name): task for task in suite.tasks}
    methods_by_label: dict[str, Method] = {}
    # A plan shortens the folders in fields that name files; the suite has them whole.
    of_suite = {(method.name, public_name(method.label)): method for method in suite.methods}
    for method in old.methods:
        with suppress(BenchError):  # the method, or a field of it, is gone
            known = of_suite.get((method.name, method.label))
            methods_by_label[method.label] = known or make(method.name, method.parameters)
    kept = []
    for trial in old.trials:
        if trial.key not in new and trial.task in tasks and trial.method in methods_by_label:
            task, method_here = tasks[trial.task], methods_by_label[trial.method]
            meta = metas[_prepared(task)]
            with suppress(BenchError):  # a file that the method reads is gone
                again = spec(suite.name, task, method_here, trial.seed, meta, weights)
                if again.key == trial.key:
                    kept.append(again)
    return kept


def _plan(
    suite: Suite,
    specs: Sequence[TrialSpec],
    metas: Mapping[str, Meta | None],
    weights: WeightsFolder,
    command: str,
) -> Plan:
    used = {s.task.name for s in specs}
    tasks = [task for task in suite.tasks if task.name in used]
    labels = {method.label: method for method in (*suite.methods, *(s.method for s in specs))}
    running = {(s.method.label, s.task.track) for s in specs}
    _tell_apart("task", [task.name for task in tasks])
    _tell_apart("method", list(labels))
    order = {label: i for i, label in enumerate(labels)}
    entries = sorted(running, key=lambda entry: (order[entry[0]], entry[1]))
    places = {task.name: i for i, task in enumerate(tasks)}
    trials = sorted(specs, key=lambda s: (places[s.task.name], order[s.method.label], s.seed))
    planned = [_planned_task(task, metas[_prepared(task)]) for task in tasks]
    pictured = any(figure.kind == "pictures" for figure in suite.figures)
    return Plan(
        suite=suite.name,
        title=suite.title,
        description=suite.description,
        sweep=sweep_of(suite.name, planned),
        command=command,
        tracks=[
            tracks()[name].info_on([task for task in planned if task.track == name], weights)
            for name in dict.fromkeys(task.track for task in planned)
        ],
        tasks=planned,
        methods=[_planned_method(labels[label], track, pictured) for label, track in entries],
        trials=[
            PlannedTrial(key=s.key, task=s.task.name, method=s.method.label, seed=s.seed)
            for s in trials
        ],
        figures=list(suite.figures),
    )


def _tell_apart(kind: str, names: Sequence[str]) -> None:
    """Raise UsageError where two names are alike without the folders that nobody may see."""
    before: dict[str, str] = {}
    for name in names:
        other = before.setdefault(public_name(name), name)
        if other != name:
            raise UsageError(
                f"the {kind}s {other} and {name} differ in a folder alone, which no page shows. "
                "Give the files other names."
            )


def _planned_task(task: TaskSpec, meta: Meta | None) -> PlannedTask:
    data = data_set(task.data)
    definition = data.tasks[task.task]
    values: Mapping[str, list[str]] = meta.attributes if meta else {}
    bias = definition.group or definition.bias or ""
    planted = list(task.track_options.planted)
    known = task.attack.published_as if task.attack else None
    return PlannedTask(
        name=task.name,
        track=task.track,
        data=task.data,
        data_title=data.title,
        data_hash=meta.hash if meta else None,
        official=meta.official if meta else True,
        comparable=meta.comparable if meta else True,
        target=definition.target,
        bias="trigger" if planted else bias,
        classes=values.get(definition.target, []),
        groups=planted or values.get(bias, []),
        sizes=meta.sizes if meta else {},
        notes=[*(meta.notes if meta else []), *data.notes(task.options)],
        training=task.training.model_dump(),
        question=task.task,
        options={
            **task.track_options.model_dump(),
            **task.options.model_dump(),
            **(task.attack.parameters if task.attack else {}),
        },
        conditions=task.conditions,
        published=f"{task.data}/{known}" if known else definition.published,
        covariate=definition.covariate,
    )


def _planned_method(method: Method, track: str, pictured: bool) -> PlannedMethod:
    picture = method.picture() if pictured else None
    return PlannedMethod(
        label=method.label,
        name=method.name,
        track=track,
        summary=summary_of(type(method)),
        about=about(type(method)),
        paper=f"{method.paper.cite}: {method.paper.title}",
        url=method.paper.url,
        parameters=method.parameters,
        revision=method.revision,
        caveat=method.caveat,
        hyperparameters=[
            Hyperparameter(
                name=name,
                kind=kind,
                default=value if value is None or isinstance(value, SCALARS) else str(value),
                text=text,
            )
            for name, (kind, value, text) in field_docs(type(method)).items()
        ],
        home=method.track,
        kind=KINDS.get(type(method).__module__.rpartition(".")[0], "elsewhere"),
        picture=base64.b64encode(picture.png).decode() if picture else None,
        caption=picture.caption if picture else None,
    )


def _sha256(path: Path) -> str:
    """The SHA-256 of a file that many trials share; it is read again only after it changed."""
    if not path.is_file():
        return sha256_of(path)
    stat = path.stat()
    return _remembered(path, stat.st_size, stat.st_mtime_ns)


@cache
def _remembered(path: Path, size: int, modified: int) -> str:
    del size, modified
    return sha256_of(path)


def _prepared(task: TaskSpec) -> str:
    return prepared_name(task.data, task.options)

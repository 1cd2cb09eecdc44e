"""Results out of the folder and into other people's tools: CSV, JSON, Parquet, LaTeX."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmarks.errors import BenchError, UsageError, unknown
from benchmarks.result import Plan, Result, Store
from reports.latex import tables
from reports.tables import COLUMNS, COST_METRICS, long_form, results_of, to_csv, to_json

EVERY = "all"
"""As the only metric: every one that the track knows, also in LaTeX."""

Content = Sequence[tuple[Plan, Mapping[str, Result]]]


@dataclass(frozen=True)
class Wanted:
    """What of the results to give out, by name; nothing named is everything.

    Methods are named by their label on the page (`bade[strength=auto]`) or by their file's name,
    which takes all its variants along.
    """

    suites: Sequence[str] = ()
    tasks: Sequence[str] = ()
    methods: Sequence[str] = ()
    metrics: Sequence[str] = ()


def export(root: Path, kind: str, wanted: Wanted) -> bytes:
    """The results under `root` as a file of the given kind; equal results give equal bytes.

    CSV, JSON and Parquet are in long form: a line a planned trial and metric, values in stored
    units (see `reports.tables.long_form`). LaTeX is a booktabs table a task, values as the pages
    show them and ranks among the methods asked for; where no metric is named it has those that
    decide the ranks.

    Raises:
        UsageError: An unknown kind, suite, task, method or metric, or names that never meet.
        BenchError: The folder holds no results.
    """
    if kind not in WRITERS:
        raise UsageError(f"--format: {unknown('format', kind, WRITERS)}")
    everything = list(_read(root, wanted.suites))
    _check(everything, wanted)
    content = [(_narrowed(plan, wanted), results) for plan, results in everything]
    content = [(plan, results) for plan, results in content if plan.trials]
    if not content:
        raise UsageError("--tasks and --methods: no trial has both.")
    return WRITERS[kind](content, None if EVERY in wanted.metrics else wanted.metrics)


def _read(root: Path, suites: Sequence[str]) -> Iterator[tuple[Plan, Mapping[str, Result]]]:
    store = Store(root)
    known = store.suites()
    if not known:
        raise BenchError(f"{root}: no results here. Name their folder with --out.")
    for name in dict.fromkeys(suites or known):
        plan = store.read_plan(name) if name in known else None
        if plan is None:
            raise UsageError(f"{root}: {unknown('suite', name, known)}")
        yield plan, results_of(store, name, plan)


def _check(content: Content, wanted: Wanted) -> None:
    """Raise for a name that nothing goes by in any of the suites."""
    plans = [plan for plan, _ in content]
    known: dict[str, tuple[Sequence[str], set[str]]] = {
        "method": (
            wanted.methods,
            {x for p in plans for m in p.methods for x in (m.label, m.name)},
        ),
        "task": (wanted.tasks, {task.name for plan in plans for task in plan.tasks}),
        "metric": (wanted.metrics, {EVERY}.union(*(_metrics(*each) for each in content))),
    }
    for kind, (asked, names) in known.items():
        for name in asked:
            if name not in names:
                raise UsageError(f"--{kind}s: {unknown(kind, name, names)}")
    if EVERY in wanted.metrics and len(wanted.metrics) > 1:
        raise UsageError(f'--metrics: "{EVERY}" stands alone.')


def _metrics(plan: Plan, results: Mapping[str, Result]) -> set[str]:
    known = {metric.name for track in plan.tracks for metric in track.metrics}
    return known.union(COST_METRICS, *(result.metrics for result in results.values()))


def _narrowed(plan: Plan, wanted: Wanted) -> Plan:
    """The plan with those of its trials alone that are asked for."""
    file_of = {method.label: method.name for method in plan.methods}
    names = set(wanted.methods)
    trials = [
        trial
        for trial in plan.trials
        if (not names or names & {trial.method, file_of.get(trial.method)})
        and (not wanted.tasks or trial.task in wanted.tasks)
    ]
    tasks, methods = {trial.task for trial in trials}, {trial.method for trial in trials}
    return plan.model_copy(
        update={
            "trials": trials,
            "tasks": [task for task in plan.tasks if task.name in tasks],
            "methods": [method for method in plan.methods if method.label in methods],
        }
    )


def _frame(content: Content, metrics: Sequence[str] | None) -> pd.DataFrame:
    frames = [long_form(plan, results) for plan, results in content]
    whole = pd.concat(frames, ignore_index=True)
    return whole[whole["metric"].isin(metrics)] if metrics else whole


def _csv(content: Content, metrics: Sequence[str] | None) -> bytes:
    return to_csv(_frame(content, metrics)).encode()


def _json(content: Content, metrics: Sequence[str] | None) -> bytes:
    return to_json(_frame(content, metrics)).encode()


def _parquet(content: Content, metrics: Sequence[str] | None) -> bytes:
    frame = _frame(content, metrics).reset_index(drop=True)
    texts = [name for name in COLUMNS if name not in ("seed", "value", "official_data")]
    file = io.BytesIO()
    # A column without a single value keeps its type, so that the files of two sweeps fit together.
    frame.astype(dict.fromkeys(texts, "string")).to_parquet(file, index=False, engine="pyarrow")
    return file.getvalue()


def _latex(content: Content, metrics: Sequence[str] | None) -> bytes:
    return tables(content, metrics).encode()


WRITERS: dict[str, Callable[[Content, Sequence[str] | None], bytes]] = {
    "csv": _csv,
    "json": _json,
    "latex": _latex,
    "parquet": _parquet,
}
"""By format: what writes the results and the metrics asked for (None: all, empty: the usual)."""

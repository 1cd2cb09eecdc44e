"""A trial's page: the command that repeats it, settings, numbers, and the failure if any."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench.errors import BenchError
from bench.outside.json_text import read_mapping
from bench.reports import wording
from bench.reports.boards.tables import status_of
from bench.reports.charts.curves import curves_chart
from bench.reports.charts.svg import draw
from bench.reports.pages.suite import SuiteView, TaskView, trial_slugs
from bench.result import (
    MetricInfo,
    Plan,
    PlannedMethod,
    PlannedTask,
    PlannedTrial,
    Result,
    Scalar,
    Store,
    TrackInfo,
)

MLFLOW = "mlflow.json"
"""Beside the plan of a suite: the ids of its trials' MLflow runs, by trial key."""


@dataclass(frozen=True)
class TrialView:
    """A planned trial with its result; a trial without a result has no page."""

    planned: PlannedTrial
    slug: str
    """Name of its file, without ending."""
    task_view: TaskView
    method: PlannedMethod
    result: Result | None
    status: str
    run_id: str | None

    @property
    def task(self) -> PlannedTask:
        """The task as planned."""
        return self.task_view.board.task

    @property
    def track(self) -> TrackInfo:
        """The track of the task."""
        return self.task_view.board.track

    @property
    def title(self) -> str:
        """The trial in one line."""
        return f"{self.planned.method} on {self.planned.task}, seed {self.planned.seed}"

    @property
    def measured(self) -> list[tuple[MetricInfo, str | None, str | None]]:
        """Each metric of the track with its value in words, or the reason why it is undefined."""
        if self.result is None:
            return []
        rows: list[tuple[MetricInfo, str | None, str | None]] = []
        for metric in self.track.metrics:
            value = self.result.metrics.get(metric.name)
            reason = self.result.undefined.get(metric.name)
            if value is not None or reason is not None:
                rows.append((metric, self.value(metric), reason))
        return rows

    def value(self, metric: MetricInfo) -> str | None:
        """The trial's value of a metric in the shown unit, without it."""
        value = self.result.metrics.get(metric.name) if self.result else None
        return None if value is None else wording.value(value, metric.unit)

    @property
    def further(self) -> dict[str, float]:
        """Metrics that the trial reports and the track does not declare."""
        known = {metric.name for metric in self.track.metrics}
        metrics = self.result.metrics if self.result else {}
        return {name: value for name, value in metrics.items() if name not in known}


def trial_views(
    suite: SuiteView, results: Mapping[str, Result], run_ids: Mapping[str, str]
) -> list[TrialView]:
    """Every trial of a suite, in its plan's order.

    Args:
        suite: its page.
        results: by key.
        run_ids: of MLflow, by key.
    """
    plan = suite.plan
    tasks = {task.board.task.name: task for task in suite.tasks}
    methods = {(method.track, method.label): method for method in plan.methods}
    slugs = trial_slugs(plan)
    return [
        TrialView(
            planned=trial,
            slug=slugs[trial.key],
            task_view=(task := tasks[trial.task]),
            method=methods[task.board.track.name, trial.method],
            result=(result := results.get(trial.key)),
            status=status_of(result),
            run_id=run_ids.get(trial.key),
        )
        for trial in plan.trials
    ]


def facts(plan: Plan, view: TrialView, result: Result) -> dict[str, Any]:
    """The variables of the template of a trial's page."""
    undefined: dict[str, list[str]] = {}
    for metric, value, reason in view.measured:
        if value is None and reason:
            undefined.setdefault(reason, []).append(metric.title)
    chart = curves_chart(result.curves, result.chosen, f"Curves of {view.title}")
    return {
        "plan": plan,
        "view": view,
        "result": result,
        "command": rerun_command(plan, view.method, view.planned.task, result),
        "undefined": undefined,
        "curves": draw(chart, "curves") if chart else None,
        "numbers": curves_link(result),
    }


def curves_link(result: Result) -> str:
    """A data link to the curves as CSV: a row an epoch, a column a curve."""
    names = list(result.curves)
    longest = max((len(curve) for curve in result.curves.values()), default=0)
    lines = [["epoch", *names]]
    for epoch in range(longest):
        values = (curve[epoch : epoch + 1] for curve in result.curves.values())
        lines.append(
            [str(epoch + 1), *("" if v in ([], [None]) else f"{v[0]:.6g}" for v in values)]
        )
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(lines)
    return f"data:text/csv;charset=utf-8,{quote(buffer.getvalue())}"


def read_run_ids(store_root: Path, suite: str) -> dict[str, str]:
    """Ids of the MLflow runs of a suite's trials, by key; empty where nothing was logged.

    Raises:
        BenchError: the file is there and is not a mapping of texts.
    """
    path = Store(store_root).place(suite, MLFLOW)
    if not path.is_file():
        return {}
    what, remedy = "run ids by trial key", "Remove it; `bench log` writes it."
    run_ids = read_mapping(path, what, remedy)
    if not all(isinstance(run_id, str) for run_id in run_ids.values()):
        raise BenchError(f"{path}: not {what}. {remedy}")
    return run_ids


KEPT = ("--suite", "--set", "--device")
"""Options that decide which trial runs; the others name folders or the number of jobs."""

FRESH = "again"
"""The folder for the new result; in the old one the trial is finished and would not run."""


def rerun_command(plan: Plan, method: PlannedMethod, task: str, result: Result) -> str:
    """A shell command that plans exactly this trial, under the same key."""
    words = ["bench", *_kept(shlex.split(plan.command)[1:])]
    if "--suite" not in words:
        words += ["--suite", plan.suite]
    words += ["--tasks", task, "--methods", named(method)]
    # "3" alone would be the seeds 0, 1 and 2.
    words += ["--seeds", f"{result.seed}-{result.seed}"]
    if result.environment and result.environment.threads != 1:
        words += ["--threads", str(result.environment.threads)]
    return shlex.join([*words, "--out", FRESH])


def named(method: PlannedMethod) -> str:
    """The value of `--methods` that names this entry alone: "bade[]", "bade[strength=0.5]".

    A file's name stands for all entries of the suite that have it, and a label writes six digits
    of a number.
    """
    if not method.parameters:
        return method.name  # it has no other entries
    defaults = {field.name: field.default for field in method.hyperparameters}
    changed = {
        name: value
        for name, value in method.parameters.items()
        if (name not in defaults or defaults[name] != value) and f"{name}=" in method.label
    }
    return f"{method.name}[{','.join(f'{k}={_written(v)}' for k, v in changed.items())}]"


def _written(value: Scalar) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _kept(words: Sequence[str]) -> Iterator[str]:
    """Options of `KEPT` with their values, in both spellings: `--set a=b` and `--set=a=b`."""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        option, equals, value = word.partition("=")
        if option in KEPT:
            yield option
            yield value if equals else following

"""What MLflow should show of a plan and its results, as pure functions that do not need MLflow.

Names are chosen for MLflow's pages. Its charts group metrics by the part of the name before the
last slash: the track's metrics have none, then come `training/` (curves) and `used/` (costs), and
`mean/`, `std/` and `n/` of the summaries. Its comparison begins with the alphabetically first
metric, which should not be a cost. Its table and search read only a run's own tags, so every run
repeats suite, track, task and method.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from statistics import fmean, stdev

from bench.result import Plan, Result, Status

RUN_STATUS = {
    Status.OK: "FINISHED",
    Status.FAILED: "FAILED",
    Status.TIMEOUT: "KILLED",
    Status.SKIPPED: "FINISHED",
}
STALE, CURRENT = "stale", "no"
"""A tag of every run; its value is "yes" once the run's sweep no longer needs it, else CURRENT."""
HASH = "bench.result_hash"
"""A tag with the digest of the view that a run shows."""
PARENT = "mlflow.parentRunId"
LONGEST_DIGEST, LONGEST_NAME = 36, 250  # MLflow's limits


@dataclass(frozen=True)
class RunView:
    """What one MLflow run should show; its digest decides whether an existing run is up to date."""

    kind: str
    key: str
    name: str
    status: str
    tags: dict[str, str]
    params: dict[str, str]
    metrics: dict[str, float]
    curves: dict[str, list[float | None]]
    data: dict[str, str] | None
    started: datetime
    finished: datetime
    text: str | None = None

    @cached_property
    def digest(self) -> str:
        """Hash of all fields, so that a change of any of them refreshes the run."""
        text = json.dumps(asdict(self), sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def trial_view(plan: Plan, result: Result) -> RunView:
    """The run of one trial."""
    git = result.environment
    tags = _tags(plan, result) | {"seed": str(result.seed), "status": str(result.status)}
    tags |= {"git_sha": git.git_sha, "git_dirty": str(git.git_dirty)} if git else {}
    tags |= {"mlflow.source.git.commit": git.git_sha} if git else {}
    tags |= {"reason": result.reason} if result.reason else {}
    chosen = {f"chosen.{name}": value for name, value in result.chosen.items()}
    return RunView(
        kind="trial",
        key=result.key,
        name=f"{result.method} · {result.task} · seed {result.seed}"[:LONGEST_NAME],
        status=RUN_STATUS[result.status],
        tags=tags,
        params=_settings(result) | {"seed": str(result.seed)} | _texts(chosen),
        metrics=_measured(result),
        curves={_name(f"training/{name}"): values for name, values in result.curves.items()},
        data=_data(plan, result),
        started=result.started,
        finished=result.finished,
        text=result.model_dump_json(indent=1) + "\n",
    )


def without_details(result: Result) -> Result:
    """A result with all that a summary needs, and none of what may be large."""
    bare: dict[str, object] = {
        "curves": {},
        "samples": {},
        "pictures": [],
        "log": "",
        "traceback": None,
    }
    return result.model_copy(update=bare)


def summary_views(plan: Plan, results: Iterable[Result]) -> list[RunView]:
    """A run for each (task, method): mean, spread and count over the seeds that succeeded."""
    groups: dict[tuple[str, str, str], list[Result]] = defaultdict(list)
    for result in {result.key: result for result in results}.values():
        groups[result.track, result.task, result.method].append(result)
    return [
        _summary_view(plan, sorted(group, key=lambda result: result.seed))
        for group in groups.values()
    ]


def _summary_view(plan: Plan, group: Sequence[Result]) -> RunView:
    first = group[0]
    done = [result for result in group if result.status is Status.OK]
    status = Status.OK if done else first.status
    key = json.dumps([plan.sweep, first.track, first.task, first.method])
    tags = _tags(plan, first) | {"status": str(status), "trials": count_by_status(group)}
    return RunView(
        kind="summary",
        key=hashlib.sha256(key.encode()).hexdigest()[:32],
        name=f"{first.method} · {first.task} · summary"[:LONGEST_NAME],
        status=RUN_STATUS[status],
        tags=tags | {"seeds": ", ".join(str(result.seed) for result in done)},
        params=_settings(first),
        metrics=_statistics([_measured(result) for result in done]),
        curves={},
        data=_data(plan, first),
        # MLflow lists the latest run first, so means come above their trials.
        started=max(result.finished for result in group),
        finished=max(result.finished for result in group),
    )


def _statistics(trials: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean, sample standard deviation (of two values or more) and count of each metric."""
    by_name: dict[str, list[float]] = defaultdict(list)
    for trial in trials:
        for name, value in trial.items():
            by_name[name].append(value)
    return (
        {f"mean/{name}": fmean(values) for name, values in by_name.items()}
        | {f"std/{name}": stdev(values) for name, values in by_name.items() if len(values) > 1}
        | {f"n/{name}": float(len(values)) for name, values in by_name.items()}
    )


def _tags(plan: Plan, result: Result) -> dict[str, str]:
    """Tags that every run has itself, because MLflow's search does not consider parent runs."""
    data = _data(plan, result) or {}
    return {
        **({"data": data["name"], "data_hash": result.data_hash} if data else {}),
        "suite": plan.suite,
        "track": result.track,
        "task": result.task,
        "method": result.method,
        "method_name": result.method_name,
        "revision": str(result.revision),
        STALE: CURRENT,
        "mlflow.source.name": f"bench --suite {plan.suite}",
        "mlflow.source.type": "LOCAL",
        "bench.sweep": plan.sweep,
    }


def _settings(result: Result) -> dict[str, str]:
    training = {f"training.{name}": value for name, value in result.training.items()}
    return _texts(result.parameters | training)


def _texts(values: Mapping[str, object]) -> dict[str, str]:
    return {_name(name): str(value) for name, value in values.items()}


def _measured(result: Result) -> dict[str, float]:
    cost = result.cost.model_dump(exclude_none=True)
    cost["total_seconds"] = result.cost.total_seconds
    costs = {f"used/{name}": value for name, value in cost.items()}
    return {_name(name): float(value) for name, value in (costs | result.metrics).items()}


def _name(name: str) -> str:
    """A name with only the characters that MLflow allows for metrics and parameters."""
    allowed = re.sub(r"[^\w.\- :/]", "_", name)
    parts = [part for part in allowed.split("/") if part not in ("", ".", "..")]
    return "/".join(parts)[:LONGEST_NAME] or "_"


def _data(plan: Plan, result: Result) -> dict[str, str] | None:
    if not result.data_hash:
        return None
    same = (t for t in plan.tasks if (t.track, t.name) == (result.track, result.task))
    task = next(same, None)
    return {
        "name": task.data if task else result.task,
        "digest": result.data_hash[:LONGEST_DIGEST],
        "source_type": "bench",
        "source": json.dumps({"data": task.data if task else "", "hash": result.data_hash}),
        "profile": json.dumps(task.sizes if task else {}),
    }


def count_by_status(results: Iterable[Result], missing: int = 0) -> str:
    """How many trials ended in which status: "3 ok, 1 failed, 2 missing"."""
    counts = Counter(str(result.status) for result in results)
    parts = [f"{counts[status]} {status}" for status in Status if counts[status]]
    return ", ".join(parts + ([f"{missing} missing"] if missing else [])) or "none"

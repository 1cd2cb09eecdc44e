"""Results in long form: one line a trial and metric, finished or not, for people and pandas."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from bench.result import MetricInfo, Plan, Result, Status, Store, TrackInfo

MISSING = "missing"
"""Status of a planned trial that has left no result yet."""

STATUS_WORDS = {
    Status.OK.value: "ok",
    Status.FAILED.value: "failed",
    Status.TIMEOUT.value: "timed out",
    Status.SKIPPED.value: "skipped",
    MISSING: "not run",
}
"""How a trial ended, for people, in the order in which pages list it."""

COLUMNS = [
    "suite", "track", "task", "method", "seed", "status",
    "metric", "value", "reason", "selection", "official_data", "key",
]  # fmt: skip

COSTS = {
    name: MetricInfo(name=name, title=title, unit=unit, better=better, definition=definition)
    for name, title, unit, better, definition in (
        ("seconds", "Own time", "s", "lower", "Seconds of the trial itself."),
        ("shared_seconds", "Shared time", "s", "lower",
         "Seconds of work that was done once and is charged to every trial that needs it."),
        ("total_seconds", "Time", "s", "lower",
         "Seconds, shared work included: what this method alone would take."),
        ("peak_memory_mib", "Memory", "MiB", "lower",
         "The largest memory of the trial's process."),
        ("peak_device_memory_mib", "Device memory", "MiB", "lower",
         "The largest memory of the trial on a GPU."),
        ("samples_per_second", "Throughput", "samples/s", "higher",
         "Training samples processed per second of training."),
    )
}  # fmt: skip
"""What a trial costs, as metrics beside those of its track, by name."""


def results_of(store: Store, suite: str, plan: Plan) -> dict[str, Result]:
    """The results of a plan's trials, by key."""
    keys = dict.fromkeys(trial.key for trial in plan.trials)
    return {result.key: result for result in store.read_all(suite, keys)}


def status_of(result: Result | None) -> str:
    """The status in a word; `MISSING` where there is no result."""
    return MISSING if result is None else result.status.value


def long_form(plan: Plan, results: Mapping[str, Result]) -> pd.DataFrame:
    """Every planned trial times every metric of its track, in the plan's order.

    A value is a finite number in the metric's stored unit (rates are fractions, times seconds,
    memory MiB, throughput samples a second) or missing; a missing value has a `reason`.
    """
    tracks = {track.name: track for track in plan.tracks}
    tasks = {task.name: task for task in plan.tasks}
    rows = []
    for trial in plan.trials:
        task, result = tasks[trial.task], results.get(trial.key)
        rows += [
            {
                "suite": plan.suite,
                "track": task.track,
                "task": trial.task,
                "method": trial.method,
                "seed": trial.seed,
                "status": status_of(result),
                "metric": metric,
                "value": value,
                "reason": reason,
                "selection": task.training.get("selection"),
                "official_data": task.official,
                "key": trial.key,
            }
            for metric, value, reason in _cells(tracks.get(task.track), result)
        ]
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.astype({"value": "Float64", "seed": "int64"})


def to_csv(frame: pd.DataFrame) -> str:
    """The long form as CSV; a value that does not exist is an empty cell."""
    return str(frame.to_csv(index=False, lineterminator="\n"))


def to_json(frame: pd.DataFrame) -> str:
    """The long form as a JSON list of records; a value that does not exist is null."""
    records: list[dict[str, Any]] = [
        {str(name): (None if pd.isna(cell) else cell) for name, cell in row.items()}
        for row in frame.astype(object).to_dict(orient="records")
    ]
    lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) for row in records)
    body = ",\n".join(lines)
    return f"[\n{body}\n]\n" if body else "[]\n"


def _cells(
    track: TrackInfo | None, result: Result | None
) -> Iterator[tuple[str, float | None, str | None]]:
    """Name, value and reason of each metric: the track's, the result's own, then the costs."""
    names = [metric.name for metric in track.metrics] if track else []
    own = [*result.metrics, *result.undefined] if result else []
    absence = _absence(result)
    for name in (name for name in dict.fromkeys((*names, *own)) if name not in COSTS):
        if result is None or absence:
            yield name, None, absence
        elif name in result.metrics:
            yield name, float(result.metrics[name]), None
        else:
            yield name, None, result.undefined.get(name, "not reported by this trial")
    for name in COSTS:
        # A failed trial cost something too; a skipped one never ran.
        cost = (
            getattr(result.cost, name) if result and result.status is not Status.SKIPPED else None
        )
        value = None if cost is None else float(cost)
        yield name, value, None if value is not None else absence or "not measured"


def _absence(result: Result | None) -> str | None:
    """Why a trial has no numbers at all, or None where it has."""
    if result is None:
        return "not run yet"
    if result.status is Status.OK:
        return None
    return f"{result.status.value}: {result.reason or 'no reason given'}"

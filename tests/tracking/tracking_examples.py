"""A small plan and its results, built by code: two methods, two seeds, one failure."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.result import (
    Cost,
    Environment,
    Plan,
    PlannedMethod,
    PlannedTask,
    PlannedTrial,
    Result,
    Status,
    Store,
    TrackInfo,
)

NOON = datetime(2025, 1, 1, 12, 0, tzinfo=UTC)
NOON_MS = 1_735_732_800_000
SHA = "0123456789abcdef0123456789abcdef01234567"
DATA_HASH = "d" * 64
ODDS = {("bade", 0): 0.1, ("bade", 1): 0.3, ("mfd", 0): 0.5}


def make_plan(suite: str, sweep: str = "sweep-1") -> Plan:
    methods = [
        PlannedMethod(
            label=name,
            name=name,
            track="debiasing",
            summary="",
            paper="",
            url=None,
            parameters={"strength": 2.5},
            revision=3,
        )
        for name in ("bade", "mfd")
    ]
    task = PlannedTask(
        name="sex",
        track="debiasing",
        data="adult",
        data_title="Adult",
        data_hash=DATA_HASH,
        official=True,
        target="income",
        bias="sex",
        classes=["no", "yes"],
        groups=["f", "m"],
        sizes={"train": 30},
        notes=[],
        training={"epochs": 3},
    )
    return Plan(
        suite=suite,
        title="A small suite",
        description="Two methods, two seeds.",
        sweep=f"{suite}-{sweep}",
        command=f"bench --suite {suite}",
        tracks=[TrackInfo(name="debiasing", metrics=[], rank_by=[], ranking="", selection="")],
        tasks=[task],
        methods=methods,
        trials=[
            PlannedTrial(
                key=f"{suite}{method.name}{seed}", task="sex", method=method.name, seed=seed
            )
            for method in methods
            for seed in (0, 1)
        ],
    )


def make_result(plan: Plan, trial: PlannedTrial, **changes: Any) -> Result:
    """A successful trial; its Odds come from the table above, .7 where that has none."""
    odds = ODDS.get((trial.method, trial.seed), 0.7)
    fields: dict[str, Any] = {
        "key": trial.key,
        "suite": plan.suite,
        "track": "debiasing",
        "task": trial.task,
        "method": trial.method,
        "method_name": trial.method,
        "parameters": {"strength": 2.5, "layer": None},
        "revision": 3,
        "seed": trial.seed,
        "training": {"epochs": 3},
        "data_hash": DATA_HASH,
        "status": Status.OK,
        "metrics": {"odds": odds, "recall@1": 0.25},
        "curves": {"loss": [1.0, None, 0.25]},
        "chosen": {"epoch": 2},
        "cost": Cost(seconds=4.0, shared_seconds=1.5, peak_memory_mib=100.0),
        "environment": Environment(
            git_sha=SHA,
            git_dirty=False,
            versions={},
            platform="p",
            processor="c",
            cores=2,
            threads=1,
            device="cpu",
        ),
        "started": NOON,
        "finished": NOON + timedelta(seconds=4),
    }
    return Result(**fields | changes)


def make_results(plan: Plan) -> list[Result]:
    """Three trials that succeeded and one, the last, that failed."""
    *good, bad = plan.trials
    failure = {"status": Status.FAILED, "reason": "out of memory", "metrics": {}, "curves": {}}
    return [make_result(plan, trial) for trial in good] + [make_result(plan, bad, **failure)]


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def stored(out: Path, suite: str) -> Plan:
    """A suite with its results on disk."""
    plan, store = make_plan(suite), Store(out)
    store.write_plan(plan)
    for result in make_results(plan):
        store.write(result)
    return plan

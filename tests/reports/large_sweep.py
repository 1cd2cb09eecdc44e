"""Sweeps of any size, with curves and logs as real trials leave them."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

from bench.result import Cost, Hyperparameter, Plan, PlannedMethod, PlannedTrial, Result, Status
from tests.reports.synthetic_sweep import START, TRACK, environment, planned_task

EPOCHS = 30
FIELDS = [
    Hyperparameter(name="strength", kind="float >= 0", default=1.0, text="How far it goes."),
    Hyperparameter(name="rounds", kind="int >= 1", default=10, text="How often it goes there."),
]


def method(number: int) -> PlannedMethod:
    return PlannedMethod(
        label=f"method_{number:02d}",
        name=f"method_{number:02d}",
        track="debiasing",
        summary=f"Method {number}: weighs what {number} of its neighbours have in common.",
        about=["Somebody (2024), section 3.", "A paragraph that tells readers what it does. " * 4],
        paper="Somebody and others (2024): A title of some length about fair classification",
        url="https://example.org/paper",
        parameters={"strength": 1.0, "rounds": 10},
        revision=1,
        hyperparameters=FIELDS,
        home="debiasing",
        kind="baseline" if number % 3 else "method",
    )


def large_plan(suite: str, tasks: int, methods: int, seeds: int) -> Plan:
    planned = [planned_task(f"data_{n}/target|group", published=None) for n in range(tasks)]
    entries = [method(n) for n in range(methods)]
    return Plan(
        suite=suite,
        title=f"Suite {suite}",
        description="A sweep of made-up results, as large as a test wants it.",
        sweep="5e3f0c",
        command=f"bench --suite {suite}",
        tracks=[TRACK],
        tasks=planned,
        methods=entries,
        trials=[
            PlannedTrial(
                key=f"{suite}{t:02d}{m:02d}{s:02d}".ljust(24, "a"),
                task=planned[t].name,
                method=entries[m].label,
                seed=s,
            )
            for t in range(tasks)
            for m in range(methods)
            for s in range(seeds)
        ],
    )


def large_result(plan: Plan, trial: PlannedTrial) -> Result:
    drawn = random.Random(trial.key)
    failed = drawn.random() < 0.02
    began = START + timedelta(minutes=drawn.randrange(5000))
    centre = int(trial.method[-2:]) / 100
    values = {
        "odds": centre + drawn.gauss(0, 0.01) ** 2,
        "eacc": 0.9 - centre + drawn.gauss(0, 0.01),
        "accuracy": 0.9 + drawn.gauss(0, 0.01),
        "auc": 0.9 + drawn.gauss(0, 0.01),
    }
    return Result(
        key=trial.key, suite=plan.suite, track="debiasing", task=trial.task, method=trial.method,
        method_name=trial.method, parameters={"strength": 1.0, "rounds": 10}, revision=1,
        seed=trial.seed, training={"epochs": EPOCHS, "batch_size": 64, "selection": "validation"},
        data_hash="0f" * 32, status=Status.FAILED if failed else Status.OK,
        reason="RuntimeError: no luck" if failed else None,
        traceback='Traceback:\n  File "x.py", line 1\nRuntimeError: no luck\n' if failed else None,
        log="WARNING bench.loop: the loss went up\n" * 5,
        metrics={} if failed else values,
        curves={name: [drawn.random() for _ in range(EPOCHS)] for name in ("loss", "odds", "eacc")},
        chosen={"epoch": 1 + drawn.randrange(EPOCHS)},
        cost=Cost(seconds=drawn.uniform(5, 50), peak_memory_mib=512.0),
        environment=environment(), started=began, finished=began + timedelta(minutes=5),
    )  # fmt: skip


def large_store(root: Path, suites: int, tasks: int, methods: int, seeds: int) -> Path:
    """Writes suites * tasks * methods * seeds results, without waiting for the disk each time."""
    for number in range(suites):
        plan = large_plan(f"s{number:02d}", tasks, methods, seeds)
        folder = root / plan.suite / "trials"
        folder.mkdir(parents=True)
        (folder.parent / "plan.json").write_text(plan.model_dump_json())
        for trial in plan.trials:
            text = large_result(plan, trial).model_dump_json()
            (folder / f"{trial.key}.json").write_text(text)
    return root

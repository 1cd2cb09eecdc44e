"""A synthetic sweep over four tasks on which Odds alone ranks six methods."""

from __future__ import annotations

from collections.abc import Collection

from bench.reports.boards.leaderboard import Board, boards
from bench.result import Cost, Plan, PlannedTrial, Result, Status
from tests.reports.synthetic_sweep import START, TRACK, planned_method, planned_task

TASKS = [f"census {i}|sex" for i in range(4)]
STEPS = (0.0, 0.001, -0.001, 0.002, -0.002)

CENTRES = {"a": 0.01, "b": 0.02, "c": 0.03, "d": 0.04, "e": 0.05, "f": 0.0}
"""Odds of seed 0 on every task; `f` is told the answer and not ranked."""


def ranked_plan(only: Collection[str] = tuple(CENTRES)) -> Plan:
    """Five seeds of the methods `only` on the four tasks."""
    methods = [planned_method(label) for label in CENTRES if label in only]
    return Plan(
        suite="ranked", title="Ranked", description="Four tasks.", sweep="1",
        command="bench --suite ranked",
        tracks=[TRACK.model_copy(update={"rank_by": ["odds"]})],
        tasks=[planned_task(task, data=task.partition("|")[0], published=None) for task in TASKS],
        methods=[
            m.model_copy(update={"caveat": "told the group"} if m.label == "f" else {})
            for m in methods
        ],
        trials=[
            PlannedTrial(key=f"{t:02d}{m.label}{seed:02d}" + "ab" * 6, task=task,
                         method=m.label, seed=seed)
            for t, task in enumerate(TASKS)
            for m in methods
            for seed in range(5)
        ],
    )  # fmt: skip


def ranked_results(plan: Plan) -> dict[str, Result]:
    """`d` fails on the first task; `e` has but one seed on the last."""
    return {trial.key: _result(trial) for trial in plan.trials}


def ranked_boards(only: Collection[str] = tuple(CENTRES)) -> list[Board]:
    """The boards of the sweep."""
    plan = ranked_plan(only)
    return boards(plan, ranked_results(plan))


def _result(trial: PlannedTrial) -> Result:
    failed = (trial.method == "d" and trial.task == TASKS[0]) or (
        trial.method == "e" and trial.task == TASKS[3] and trial.seed > 0
    )
    order = list(CENTRES).index(trial.method)
    # Rotated by the method, so that no difference is the same on every seed.
    value = CENTRES[trial.method] + STEPS[(trial.seed * (order + 1)) % 5] + 0.004
    return Result(
        key=trial.key, suite="ranked", track="debiasing", task=trial.task, method=trial.method,
        method_name=trial.method, parameters={}, revision=1, seed=trial.seed, training={},
        data_hash="0", status=Status.FAILED if failed else Status.OK,
        reason="out of luck" if failed else None, metrics={} if failed else {"odds": value},
        cost=Cost(seconds=10.0 + order + 0.1 * trial.seed), started=START, finished=START,
    )  # fmt: skip

"""A task's board from values by seed, so that tests can say what they compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.reports.boards.leaderboard import Board, boards
from bench.result import Cost, Environment, Plan, PlannedTrial, Result, Status
from tests.reports.synthetic_sweep import START, TRACK, environment, planned_method, planned_task

Values = Mapping[str, Sequence[float | None]]
"""For each method its value on seeds 0, 1, ...; None where the trial failed."""


def board_of(
    odds: Values,
    eacc: Values | None = None,
    seconds: Values | None = None,
    *,
    looks: Mapping[str, float] | None = None,
    told: Sequence[str] = (),
    published: str | None = None,
    decides: str = "",
    where: Mapping[str, Environment] | None = None,
) -> Board:
    """One task, Odds (lower is better) and, where given, EAcc (higher is better).

    Args:
        odds: values in percent.
        eacc: values in percent.
        seconds: of each trial; 10 by default.
        looks: what a person looked at, for every seed of a method.
        told: methods with a caveat.
        published: dataset/task in the table of published figures.
        decides: the metric that orders the board.
        where: environments of methods.
    """
    info = [m for m in TRACK.metrics if m.name in ("odds", *(["eacc"] if eacc else []))]
    counted = TRACK.metrics[3].model_copy(update={"name": "looks", "title": "Looks"})
    track = TRACK.model_copy(
        update={
            "metrics": [*info, *([counted] if looks else [])],
            "rank_by": ["odds", "eacc"],
            "decides": decides,
        }
    )
    task = planned_task("adult|sex", published=published)
    results = {}
    for label, values in odds.items():
        for seed, value in enumerate(values):
            key = f"{label}-{seed}"
            metrics = {"odds": value / 100} if value is not None else {}
            if eacc and value is not None:
                metrics["eacc"] = (eacc[label][seed] or 0.0) / 100
            if looks and value is not None:
                metrics["looks"] = looks.get(label, 0.0)
            took = seconds[label][seed] if seconds and label in seconds else 10.0
            results[key] = Result(
                key=key, suite="s", track="debiasing", task=task.name, method=label,
                method_name=label.partition("[")[0], parameters={}, revision=1, seed=seed,
                training={}, data_hash="0", status=Status.OK if metrics else Status.FAILED,
                metrics=metrics, cost=Cost(seconds=took or 0.0), started=START, finished=START,
                environment=(where or {}).get(label, environment()),
            )  # fmt: skip
    methods = [
        planned_method(label).model_copy(update={"caveat": "told" if label in told else None})
        for label in odds
    ]
    trials = [
        PlannedTrial(key=r.key, task=task.name, method=r.method, seed=r.seed)
        for r in results.values()
    ]
    plan = Plan(suite="s", title="S", description="", sweep="1", command="bench --suite s",
                tracks=[track], tasks=[task], methods=methods, trials=trials)  # fmt: skip
    return boards(plan, results)[0]

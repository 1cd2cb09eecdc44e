"""Two suites whose methods are asked what other tracks care about."""

from __future__ import annotations

from bench.result import (
    Cost,
    Hyperparameter,
    MetricInfo,
    Plan,
    PlannedTask,
    PlannedTrial,
    Result,
    Status,
    TrackInfo,
)
from bench.tracks.registry import tracks
from tests.reports.synthetic_sweep import START, TwoTasks, environment, planned_method, planned_task


def _metric(name: str, title: str, better: str, unit: str = "%") -> MetricInfo:
    return MetricInfo(
        name=name, title=title, unit=unit, better=better, definition=f"{title}, told."
    )


DEBIASING = TrackInfo(
    name="debiasing",
    metrics=[
        _metric("odds", "Odds", "lower"),
        _metric("eacc", "EAcc", "higher"),
        _metric("asr_0", "ASR, T_A0", "lower"),
        _metric("asr_1", "ASR, T_A1", "lower"),
    ],
    rank_by=["odds", "eacc"],
    ranking="Odds and EAcc.",
    questions=tracks()["debiasing"].info.questions,
    selection="On validation data.",
)
MANY_GROUPS = TrackInfo(
    name="robust_fairness",
    metrics=[
        _metric("slope_size", "|Slope|", "lower", ""),
        _metric("worst_group_accuracy", "Worst group", "higher"),
    ],
    rank_by=["slope_size"],
    ranking="The slope.",
    questions=tracks()["robust_fairness"].info.questions,
    selection="The last epoch.",
)
POISONING = TrackInfo(
    name="poisoning",
    metrics=[_metric("cda", "CDA", "higher"), _metric("worst_class_accuracy", "Worst", "higher")],
    rank_by=["cda"],
    ranking="CDA.",
    questions=tracks()["poisoning"].info.questions,
    selection="The last epoch.",
)

# (suite, track, task, method, its home) -> metric -> values of seeds 0 and 1
Evaluation = dict[tuple[str, str, str, str], dict[str, tuple[float, float]]]
HOMES = {"standard": "debiasing", "bade": "debiasing", "dro": "robust_fairness",
         "filter": "poisoning"}  # fmt: skip
PLAYED: Evaluation = {
    ("faces", "debiasing", "faces|sex", "standard"): {
        "odds": (0.30, 0.32), "eacc": (0.70, 0.70), "asr_0": (0.02, 0.04)},
    ("faces", "debiasing", "faces|sex", "bade"): {
        "odds": (0.10, 0.12), "eacc": (0.80, 0.81), "asr_0": (0.60, 0.62)},
    ("faces", "debiasing", "faces|sex", "dro"): {"odds": (0.25, 0.29), "eacc": (0.72, 0.74)},
    ("faces", "robust_fairness", "streets|income", "standard"): {
        "slope_size": (0.05, 0.05), "worst_group_accuracy": (0.40, 0.42)},
    ("faces", "robust_fairness", "streets|income", "bade"): {
        "slope_size": (0.04, 0.06), "worst_group_accuracy": (0.45, 0.47)},
    ("faces", "robust_fairness", "streets|income", "dro"): {
        "slope_size": (0.02, 0.02), "worst_group_accuracy": (0.50, 0.50)},
    ("poison", "poisoning", "digits under badnets", "filter"): {"cda": (0.97, 0.98)},
    ("poison", "poisoning", "digits under badnets", "bade"): {"cda": (0.90, 0.91)},
}  # fmt: skip


def cross_track(suite: str) -> TwoTasks:
    """The plan and the results of "faces" or of "poison"."""
    mine = {key[1:]: values for key, values in PLAYED.items() if key[0] == suite}
    places = list(dict.fromkeys((track, task) for track, task, _ in mine))
    infos = {info.name: info for info in (DEBIASING, MANY_GROUPS, POISONING)}
    entries = list(dict.fromkeys((track, method) for track, _, method in mine))
    methods = [
        planned_method(name).model_copy(
            update={
                "track": track,
                "home": HOMES[name],
                "kind": "baseline" if name in ("standard", "filter") else "method",
                "about": [f"{name}, as `{name}: fit` has it."],
                "hyperparameters": [
                    Hyperparameter(name="strength", kind="float or 'auto'", default="full",
                                   text="How far; `auto` searches."),
                ],
            }
        )
        for track, name in entries
    ]  # fmt: skip
    tasks: list[PlannedTask] = [
        planned_task(task, track=track, published=None) for track, task in places
    ]
    trials = [
        PlannedTrial(
            key=f"{suite}{track[0]}{task[0]}{name}{seed}", task=task, method=name, seed=seed
        )
        for track, task, name in mine
        for seed in (0, 1)
    ]
    plan = Plan(
        suite=suite, title=f"Suite of {suite}", description="Cross-track methods.", sweep="abc",
        command=f"bench --suite {suite}", tracks=[infos[t] for t in dict(places)],
        tasks=tasks, methods=methods, trials=trials,
    )  # fmt: skip
    track_of = {task: track for track, task in places}
    results = {
        trial.key: Result(
            key=trial.key, suite=suite, track=track_of[trial.task], task=trial.task,
            method=trial.method, method_name=trial.method, parameters={"strength": "full"},
            revision=1, seed=trial.seed, training={"epochs": 1}, data_hash="00", status=Status.OK,
            metrics={
                name: values[trial.seed]
                for name, values in mine[track_of[trial.task], trial.task, trial.method].items()
            },
            cost=Cost(seconds=1.0), environment=environment(), started=START, finished=START,
        )
        for trial in trials
    }  # fmt: skip
    return plan, results

"""A sweep over groups with a covariate, whose accuracies are formulas."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from bench.result import (
    FigureInfo,
    MetricInfo,
    Plan,
    PlannedMethod,
    PlannedTask,
    PlannedTrial,
    Result,
    Status,
    TrackInfo,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
COVARIATE = [1.0, 2.0, 3.0, 4.0]
SAMPLES = [1.0, 4.0, 4.0, 1.0]
SLOPES = {
    "standard": {0: 0.05, 1: 0.07, 2: 0.06},
    "dro": {0: 0.02, 1: 0.01, 2: 0.03},
    "dro[attack=pgd]": {0: 0.04, 1: 0.04, 2: 0.055},
}
FIGURES = [
    FigureInfo(kind="groups", title="Accuracy by country", values=["slope"], methods=["standard"]),
    FigureInfo(kind="slopes", title="Slopes over seeds", values=["slope"]),
]
TRACK = TrackInfo(
    name="robust_fairness",
    metrics=[
        MetricInfo(name="slope", title="Slope", unit="", better="", definition="Of the line."),
        MetricInfo(name="accuracy", title="Accuracy", unit="%", better="higher",
                   definition="Share of right ones."),
    ],
    rank_by=["accuracy"], ranking="Accuracy decides.", selection="The last epoch.",
)  # fmt: skip


def method(label: str) -> PlannedMethod:
    name = label.partition("[")[0]
    return PlannedMethod(label=label, name=name, track="robust_fairness", summary="A method.",
                         paper="None", url=None, parameters={}, revision=1)  # fmt: skip


def task() -> PlannedTask:
    return PlannedTask(
        name="imagenet_geo class|country", track="robust_fairness", data="imagenet_geo",
        data_title="ImageNet by country", data_hash="0", official=True, target="class",
        bias="country", classes=["cat", "dog"], groups=["A", "B", "C", "Nobody", "D"],
        sizes={"test": 10}, notes=[], training={"selection": "validation"},
        published="imagenet_geo/fairness", covariate="log GDP per capita",
    )  # fmt: skip


def accuracies(slope: float) -> list[float]:
    """On a line, so that its slope is known."""
    return [0.5 + slope * g for g in COVARIATE]


def result(label: str, seed: int, slope: float) -> Result:
    return Result(
        key=f"{label}-{seed}", suite="geo", track="robust_fairness", task=task().name, method=label,
        method_name=label.partition("[")[0], parameters={}, revision=1, seed=seed, training={},
        data_hash="0", status=Status.OK, metrics={"slope": slope, "accuracy": 0.5 + 2.5 * slope},
        samples={"group": [0, 1, 2, 4], "covariate by group": COVARIATE,
                 "accuracy by group": accuracies(slope), "samples by group": SAMPLES},
        started=START, finished=START,
    )  # fmt: skip


def sweep(labels: Sequence[str] = tuple(SLOPES)) -> tuple[Plan, dict[str, Result]]:
    results = {
        f"{label}-{seed}": result(label, seed, slope)
        for label in labels
        for seed, slope in SLOPES[label].items()
    }
    plan = Plan(
        suite="geo", title="By country", description="A sweep.", sweep="0",
        command="bench --suite geo",
        tracks=[TRACK], tasks=[task()], methods=[method(label) for label in labels],
        trials=[PlannedTrial(key=key, task=r.task, method=r.method, seed=r.seed)
                for key, r in results.items()],
        figures=FIGURES,
    )  # fmt: skip
    return plan, results

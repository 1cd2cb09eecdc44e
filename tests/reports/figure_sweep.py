"""A synthetic sweep whose suite asks for figures of every kind; every number is a formula here."""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Mapping

from bench.result import (
    Cost,
    FigureInfo,
    MetricInfo,
    Plan,
    PlannedMethod,
    PlannedTask,
    PlannedTrial,
    Result,
    Scalar,
    Status,
)
from tests.reports.synthetic_sweep import START, TRACK, environment

SUITE = "figures"
SEEDS = (0, 1, 2)
WOBBLE = {0: 0.0, 1: 0.01, 2: -0.01}
"""Added by seed: their standard deviation is .01."""
HALF = 4.302652729911275 * 0.01 / math.sqrt(3)
"""Half an interval: the t quantile .975 with two degrees of freedom is 4.30265."""

HOSTILE_TITLE = '<script>alert("title")</script> & Co'
TEMPERATURES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
CORRELATIONS = (0.0, 0.5, 0.7, 0.9)
RATES = (0.0, 0.5, 1.0)
FACES = "celeba attractive|male [size=128,examined=True]"
AGE = "utkface age_regression|race"
DIGITS = "digits parity|ink"
TOLD = "told the group of every test sample: what a test does not give away"

FIGURE_TRACK = TRACK.model_copy(
    update={
        "metrics": [
            *TRACK.metrics,
            MetricInfo(name="eacc@clean", title="EAcc, clean", unit="%", better="higher",
                       definition="EAcc on inputs without triggers."),
            MetricInfo(name="mse", title="MSE", unit="", better="lower",
                       definition="Mean squared error."),
            MetricInfo(name="mse_gap", title="MSE gap", unit="", better="lower",
                       definition="Gap between the groups' errors."),
        ],
        "rank_by": ["odds", "eacc", "mse_gap", "mse"],
    }
)  # fmt: skip


def png(red: int) -> str:
    """A picture of 2 x 1 pixels, base64."""

    def chunk(name: bytes, body: bytes) -> bytes:
        whole = name + body
        return struct.pack(">I", len(body)) + whole + struct.pack(">I", zlib.crc32(whole))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes([0, red, 64, 0, 0, 64, 200])))
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IEND", b"")).decode()


def bade(name: str = "bade", **changes: Scalar) -> PlannedMethod:
    defaults: dict[str, Scalar] = {
        "temperature": 1.0, "square": 25, "stage": "student",
        "rate_have": None, "rate_not_have": None,
    }  # fmt: skip
    inside = ",".join(
        f"{k}={v:g}" if isinstance(v, float) else f"{k}={v}"
        for k, v in changes.items()
        if defaults[k] != v
    )
    teacher = changes.get("stage") == "teacher"
    square = "square" in changes or not changes
    return PlannedMethod(
        label=f"{name}[{inside}]" if inside else name, name=name, track="debiasing",
        summary="Cancels a bias with a benign backdoor.", about=["Wu et al. (2024), Algorithm 1."],
        paper="Wu et al. (2024)", url="https://example.org/bade",
        parameters={**defaults, **changes}, revision=1, caveat=TOLD if teacher else None,
        picture=png(int(changes.get("square") or 25)) if square else None,
        caption="clean, T_A0 and T_A1" if square else None,
    )  # fmt: skip


STANDARD = PlannedMethod(
    label="standard", name="standard", track="debiasing", summary="Plain training.", paper="None",
    url=None, parameters={}, revision=1,
)  # fmt: skip
SWEPT = [bade(temperature=t) for t in TEMPERATURES]
GRID = [bade("grid", stage="teacher", rate_have=x, rate_not_have=y) for x in RATES for y in RATES]
TEACHER, SMALL = bade(stage="teacher"), bade(square=10)


FIGURES = [
    FigureInfo(kind="line", title="Temperature", x="temperature", values=["odds", "eacc"],
               note="The teacher is the same.", methods=["standard", "bade"]),
    FigureInfo(kind="line", title="Bias over correlation", x="correlation", values=["odds"],
               methods=["standard"]),
    FigureInfo(kind="heat", title=HOSTILE_TITLE, x="rate_have", y="rate_not_have",
               values=["odds", "eacc"], methods=["standard", "grid"]),
    FigureInfo(kind="pairs", title="Artificial against data bias", x="artificial",
               values=["odds", "eacc"], methods=["standard"]),
    FigureInfo(kind="table", title="Faces and ages", values=["odds", "eacc@clean", "mse"],
               methods=["standard", "bade", "bade[stage=teacher]"]),
    FigureInfo(kind="pictures", title="The triggers", values=["odds", "eacc"]),
]  # fmt: skip


def digits_task(correlation: float, artificial: bool) -> PlannedTask:
    conditions: dict[str, Scalar] = {"correlation": correlation}
    inside = f"correlation={correlation:g}"
    if artificial:
        conditions["artificial"] = True
        inside += ",artificial=True"
    return _task(
        f"{DIGITS} [{inside}]", "digits", "parity|ink",
        options={"correlation": correlation, "artificial": artificial}, conditions=conditions,
    )  # fmt: skip


def _task(name: str, data: str, question: str, **more: object) -> PlannedTask:
    target, _, bias = question.partition("|")
    return PlannedTask(
        name=name, track="debiasing", data=data, data_title=f"The data set {data}",
        data_hash=None, official=True, target=target, bias=bias, classes=[], groups=[], sizes={},
        notes=[], training={"epochs": 3, "selection": "validation"}, question=question,
    ).model_copy(update=more)  # fmt: skip


TASKS = [
    *(digits_task(c, artificial) for c in CORRELATIONS for artificial in (False, True)),
    _task(FACES, "celeba", "attractive|male", conditions={"size": 128, "examined": True},
          published="celeba/attractive|male"),
    _task(AGE, "utkface", "age_regression|race", published="utkface/age_regression|race"),
]  # fmt: skip
SWEPT_ON = digits_task(0.7, False).name


def methods_of(task: PlannedTask) -> list[PlannedMethod]:
    if task.name == SWEPT_ON:
        return [STANDARD, *SWEPT, *GRID]
    if task.name == FACES:
        return [STANDARD, bade(), TEACHER, SMALL]
    return [STANDARD, bade()] if task.name == AGE else [STANDARD]


def centre(task: PlannedTask, method: PlannedMethod) -> dict[str, float]:
    """Means over seeds, as fractions."""
    mine = method.parameters
    if task.name == AGE:
        worse = 0.01 if method is STANDARD else 0.0
        return {"mse": 0.04 + worse, "mse_gap": 0.02 + worse}
    if mine.get("rate_have") is not None:
        odds = abs(float(mine["rate_have"] or 0) - 0.5) + abs(float(mine["rate_not_have"] or 0) - 1)
        return {"odds": 0.1 + odds / 10, "eacc": 0.8 - odds / 10}
    if task.data == "digits" and method is STANDARD:
        bias = float(task.options["correlation"] or 0)
        shift = 0.02 if task.options["artificial"] else 0.0
        return {"odds": 0.05 + bias / 2 + shift, "eacc": 0.9 - bias / 4 - shift}
    temperature = float(mine.get("temperature") or 1.0)
    found = {"odds": 0.03 + abs(math.log2(temperature)) / 100, "eacc": 0.85}
    return found | ({"eacc@clean": 0.8} if task.name == FACES else {})


def metrics_of(task: PlannedTask, method: PlannedMethod, seed: int) -> dict[str, float]:
    return {name: value + WOBBLE[seed] for name, value in centre(task, method).items()}


def figure_plan(figures: list[FigureInfo] | None = None) -> Plan:
    methods = {m.label: m for task in TASKS for m in methods_of(task)}
    return Plan(
        suite=SUITE, title="Figures of every kind", description="Synthetic.", sweep="f1",
        command="bench --suite figures", tracks=[FIGURE_TRACK], tasks=TASKS,
        methods=list(methods.values()),
        trials=[
            PlannedTrial(key=f"{i:02d}{j:02d}{seed:02d}" + "cd" * 8, task=task.name,
                         method=method.label, seed=seed)
            for i, task in enumerate(TASKS)
            for j, method in enumerate(methods_of(task))
            for seed in SEEDS
        ],
        figures=FIGURES if figures is None else figures,
    )  # fmt: skip


def figure_result(plan: Plan, trial: PlannedTrial, **changes: object) -> Result:
    task = next(t for t in plan.tasks if t.name == trial.task)
    method = next(m for m in plan.methods if m.label == trial.method)
    metrics = metrics_of(task, method, trial.seed)
    known = {metric.name for metric in FIGURE_TRACK.metrics}
    regression = task.name == AGE
    return Result(
        key=trial.key, suite=plan.suite, track="debiasing", task=trial.task, method=trial.method,
        method_name=method.name, parameters=method.parameters, revision=1, seed=trial.seed,
        training={}, data_hash="", status=Status.OK, metrics=metrics,
        undefined=dict.fromkeys(
            sorted(known - set(metrics)), f"defined for {'classes' if regression else 'regression'}"
        ),
        chosen={"epoch": 2}, cost=Cost(seconds=3.0), environment=environment(), started=START,
        finished=START,
    ).model_copy(update=changes)  # fmt: skip


def figure_sweep(figures: list[FigureInfo] | None = None) -> tuple[Plan, dict[str, Result]]:
    """The sweep with every result."""
    plan = figure_plan(figures)
    return plan, {trial.key: figure_result(plan, trial) for trial in plan.trials}


def without(
    results: Mapping[str, Result], label: str, seeds: tuple[int, ...] = SEEDS
) -> dict[str, Result]:
    """The results less those of a method."""
    return {k: r for k, r in results.items() if r.method != label or r.seed not in seeds}

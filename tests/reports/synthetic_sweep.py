"""A synthetic store: one suite, two tasks, eight methods, five seeds, and every way to end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.result import (
    Cost,
    Environment,
    MetricInfo,
    Plan,
    PlannedMethod,
    PlannedTask,
    PlannedTrial,
    Result,
    Status,
    Store,
    TrackInfo,
)

SUITE = "adult"
HOSTILE = "<script>alert(1)</script>"
SEX, RACE = "adult/income_over_50k|sex", "adult/income_over_50k|race"
SEEDS = range(5)
START = datetime(2025, 3, 1, 12, tzinfo=UTC)

# Method -> Odds and EAcc of seed 0; further seeds follow WOBBLE.
CENTRES = {
    "standard": (0.0700, 0.7610),
    "undersampling": (0.0150, 0.8000),
    "reweighting": (0.0720, 0.7700),
    "adversarial": (0.0500, 0.7500),
    "mfd": (0.0148, 0.8001),
    "bade": (0.0100, 0.8150),
    "bade[strength=auto]": (0.0180, 0.8170),
    HOSTILE: (0.0600, 0.7300),
}
WOBBLE = {"adversarial": (0.0, 0.05, -0.03, 0.02, -0.04)}
STEADY = (0.0, 0.001, -0.001, 0.002, -0.002)
SHIFTED = (0.001, -0.002, 0.002, 0.0, -0.001)

# (task, method, seed) -> how it ended instead of well.
ENDINGS = {
    (SEX, "adversarial", 2): Status.FAILED,
    (SEX, HOSTILE, 4): Status.TIMEOUT,
    (RACE, "mfd", 1): Status.SKIPPED,
    (RACE, "bade", 3): None,
}

TRACK = TrackInfo(
    name="debiasing",
    metrics=[
        MetricInfo(name="odds", title="Odds", unit="%", better="lower",
                   definition="Mean over classes of the gap in recall between the groups.",
                   formula="1/|Y| · Σ_y | P(Ŷ=y | Y=y, B=0) − P(Ŷ=y | Y=y, B=1) |"),
        MetricInfo(name="eacc", title="EAcc", unit="%", better="higher",
                   definition="Mean accuracy over the cells of target and group."),
        MetricInfo(name="accuracy", title="Accuracy", unit="%", better="higher",
                   definition="Share of test samples classified rightly."),
        MetricInfo(name="auc", title="AUC", unit="", better="higher",
                   definition="Area under the ROC curve."),
    ],
    rank_by=["odds", "eacc"],
    ranking="Odds and EAcc decide, with equal weight.",
    selection="The epoch with the best mean rank of Odds and EAcc on validation data.",
)  # fmt: skip


def planned_task(name: str, **changes: object) -> PlannedTask:
    task = PlannedTask(
        name=name, track="debiasing", data="adult", data_title="Adult (census income)",
        data_hash="sha256:" + "0f" * 32, official=True, target="income_over_50k",
        bias=name.partition("|")[2], classes=["at most 50k", "over 50k"],
        groups=["female", "male"], sizes={"train": 32561, "validation": 4000, "test": 16281},
        notes=["Rows with missing values are kept; missing is a category of its own."],
        training={"epochs": 10, "batch_size": 256, "optimizer": "adam", "selection": "validation"},
        published=name,
    )  # fmt: skip
    return task.model_copy(update=changes)


def planned_method(label: str) -> PlannedMethod:
    name = label.partition("[")[0]
    return PlannedMethod(
        label=label, name=name, track="debiasing",
        summary=f"What {name} does, in one line that says how it differs from its baselines.",
        paper="Somebody and others (2024), section 4", url="https://example.org/paper",
        parameters={"temperature": 1.0, "strength": "auto" if "auto" in label else "full"},
        revision=1,
    )  # fmt: skip


def key_of(task: str, method: str, seed: int) -> str:
    tasks, methods = [SEX, RACE], list(CENTRES)
    return f"{tasks.index(task)}{methods.index(method):02d}{seed:02d}" + "ab" * 8


def plan_of(tasks: list[PlannedTask], methods: list[str]) -> Plan:
    return Plan(
        suite=SUITE,
        title="Adult: income, without the bias of sex and race",
        description="Eight debiasing methods on the census data of their papers, five seeds each.",
        sweep="5e3f0c",
        command="bench --suite adult --out results",
        tracks=[TRACK],
        tasks=tasks,
        methods=[planned_method(label) for label in methods],
        trials=[
            PlannedTrial(key=key_of(t.name, m, s), task=t.name, method=m, seed=s)
            for t in tasks
            for m in methods
            for s in SEEDS
        ],
    )


def environment(**changes: object) -> Environment:
    found = Environment(
        git_sha="4f2a" * 10, git_dirty=False, versions={"torch": "2.13.0", "numpy": "2.4.0"},
        platform="Linux 6.1 x86_64", processor="Some CPU", cores=16, threads=4, device="cpu",
    )  # fmt: skip
    return found.model_copy(update=changes)


def metrics_of(method: str, seed: int) -> dict[str, float]:
    odds, eacc = CENTRES[method]
    wobble = WOBBLE.get(method, STEADY)
    return {
        "odds": odds + wobble[seed],
        "eacc": eacc + SHIFTED[seed],
        "accuracy": 0.85 + STEADY[seed],
        "auc": 0.9 + SHIFTED[seed],
    }


def result_of(trial: PlannedTrial, status: Status = Status.OK) -> Result:
    well = status is Status.OK
    began = START + timedelta(minutes=10 * trial.seed)
    shared = 20.0 if trial.method in ("mfd", "bade") else 0.0
    metrics = metrics_of(trial.method, trial.seed) if well else {}
    undefined = {}
    if well and trial.method == "mfd":
        metrics.pop("auc")
        undefined["auc"] = "the method gives no scores"
    return Result(
        key=trial.key, suite=SUITE, track="debiasing", task=trial.task, method=trial.method,
        method_name=trial.method.partition("[")[0], parameters={"temperature": 1.0}, revision=1,
        seed=trial.seed, training={"epochs": 10}, data_hash="sha256:" + "0f" * 32, status=status,
        reason=None if well else REASONS[status],
        traceback=TRACEBACK if status is Status.FAILED else None,
        metrics=metrics, undefined=undefined,
        cost=Cost(seconds=12.5 + trial.seed, shared_seconds=shared, peak_memory_mib=512.0),
        environment=environment(), started=began, finished=began + timedelta(minutes=5),
    )  # fmt: skip


REASONS = {
    Status.FAILED: "ValueError: loss is NaN after step 40 <b>",
    Status.TIMEOUT: "longer than 600 s",
    Status.SKIPPED: "needs images; these are columns",
}
TRACEBACK = 'Traceback (most recent call last):\n  File "x.py", line 1\nValueError: <i>NaN</i>\n'

TwoTasks = tuple[Plan, dict[str, Result]]


def sweep(sex: PlannedTask, race: PlannedTask) -> TwoTasks:
    plan = plan_of([sex, race], list(CENTRES))
    results = {}
    for trial in plan.trials:
        ending = ENDINGS.get((trial.task, trial.method, trial.seed), Status.OK)
        if ending is not None:
            results[trial.key] = result_of(trial, ending)
    return plan, results


def store_of(root: Path, plan: Plan, results: dict[str, Result]) -> Path:
    store = Store(root)
    store.write_plan(plan)
    for result in results.values():
        store.write(result)
    return root

"""Planning: what a trial's key depends on, what is run again, what stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bench.data.colouring import CorrelationOptions
from bench.data.dataset import Library
from bench.data.prepared import Meta
from bench.errors import UsageError
from bench.learning.settings import Training
from bench.method import make, method_class
from bench.models.pretrained import MIRROR_ALONE, WeightsFolder
from bench.result import Result, Scalar, Status, Store
from bench.runner.plan import Sweep, TrialSpec, select, spec, sweep
from bench.suites.reader import Suite
from bench.suites.tasks import TaskSpec
from bench.tracks.debiasing.contract import DebiasingOptions
from bench.tracks.registry import tracks

TRAINING = Training(backbone="small_cnn")
PARITY = TaskSpec(
    "digits", "parity|ink", CorrelationOptions(), TRAINING, "debiasing", DebiasingOptions()
)
DIGIT = replace(PARITY, task="digit|ink", options=CorrelationOptions(correlation=1))
STANDARD, BADE, AUTO = make("standard", {}), make("bade", {}), make("bade", {"strength": "auto"})
SUITE = Suite("toy", "Toy", "", (0, 1), (PARITY, DIGIT), (STANDARD, BADE, AUTO))
OTHER_TRAINING = {
    "backbone": "mlp",
    "epochs": 11,
    "batch_size": 129,
    "learning_rate": 2e-4,
    "selection": "last",
    "rule": "rank",
    "flip": True,
    "shift": 1,
}


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A library with the digits prepared; read only."""
    made = Library(tmp_path_factory.mktemp("library"))
    made.prepare("digits")
    return made


@pytest.fixture
def meta(digits: Library) -> Meta:
    found = digits.meta("digits")
    assert found is not None
    return found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


def outcome(trial: TrialSpec, status: Status) -> Result:
    now = datetime.now(UTC)
    return Result(
        key=trial.key,
        suite=trial.suite,
        track="debiasing",
        task=trial.task.name,
        method=trial.method.label,
        method_name=trial.method.name,
        parameters={},
        revision=1,
        seed=trial.seed,
        training={},
        data_hash=trial.data_hash,
        status=status,
        started=now,
        finished=now,
    )


def planned(digits: Library, store: Store, suite: Suite = SUITE, **chosen: Any) -> Sweep:
    made = sweep(select(suite, **chosen), digits, store, "bench --suite toy")
    store.write_plan(made.plan)
    return made


def in_plan(made: Sweep) -> set[tuple[str, str, int]]:
    return {(trial.task, trial.method, trial.seed) for trial in made.plan.trials}


# What decides a key


def key(
    task: TaskSpec,
    method: Any,
    seed: int,
    meta: Meta | None,
    suite: str = "toy",
    weights: WeightsFolder = MIRROR_ALONE,
) -> str:
    return spec(suite, task, method, seed, meta, weights).key


def test_the_key_changes_with_everything_that_decides_the_numbers(
    meta: Meta, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_data = meta.model_copy(update={"hash": "0" * 64})
    keys = [
        key(PARITY, BADE, 0, meta),
        key(PARITY, BADE, 0, new_data),
        key(PARITY, BADE, 0, None),
        key(replace(PARITY, task="digit|ink"), BADE, 0, meta),
        key(replace(PARITY, options=CorrelationOptions(correlation=0.7)), BADE, 0, meta),
        key(PARITY, STANDARD, 0, meta),
        key(PARITY, AUTO, 0, meta),
        key(PARITY, make("bade", {"temperature": 2}), 0, meta),
        key(PARITY, BADE, 1, meta),
    ]
    monkeypatch.setattr(method_class("bade"), "revision", 99)
    keys.append(key(PARITY, BADE, 0, meta))
    monkeypatch.undo()
    monkeypatch.setitem(tracks(), "debiasing", replace(tracks()["debiasing"], revision=99))
    keys.append(key(PARITY, BADE, 0, meta))
    assert len(set(keys)) == len(keys) == 11


@pytest.mark.parametrize("field", [f for f in Training.model_fields if f != "weights"])
def test_the_key_changes_with_each_training_setting(meta: Meta, field: str) -> None:
    other = Training.model_validate(TRAINING.model_dump() | {field: OTHER_TRAINING[field]})
    assert key(replace(PARITY, training=other), BADE, 0, meta) != key(PARITY, BADE, 0, meta)


def test_the_key_changes_with_the_content_of_the_weights_and_not_with_their_name(
    meta: Meta, tmp_path: Path
) -> None:
    def with_weights(name: str, content: bytes) -> str:
        (tmp_path / name).write_bytes(content)
        training = TRAINING.model_copy(update={"weights": str(tmp_path / name)})
        return key(replace(PARITY, training=training), BADE, 0, meta)

    one = with_weights("a.safetensors", b"one")
    assert one == with_weights("b.safetensors", b"one")
    assert one != with_weights("c.safetensors", b"other")
    assert one != key(PARITY, BADE, 0, meta)


@pytest.mark.parametrize(
    ("method", "fields", "file"),
    [
        ("perceptual_dro", {"cost": "lpips"}, "lpips_v0.1_squeeze.pth"),
        ("perceptual_dro", {"cost": "pieapp"}, "PieAPPv0.1.pth"),
        ("ppgd", {"network": "alex"}, "alexnet-owt-7be5be79.pth"),
        ("lpa", {}, "squeezenet1_1-b8a52dc0.pth"),
        ("dro", {"attack": "dists"}, "dists_weights.pt"),
    ],
)
def test_the_key_changes_with_the_weights_that_a_method_compares_images_by(
    meta: Meta,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    fields: dict[str, Scalar],
    file: str,
) -> None:
    monkeypatch.delenv("BENCH_MIRROR", raising=False)
    (tmp_path / "raw" / "weights").mkdir(parents=True)
    keys, plain, weights = [], [], WeightsFolder(tmp_path)
    for content in (None, b"one", b"other"):
        if content:
            (tmp_path / "raw" / "weights" / file).write_bytes(content)
        keys.append(key(PARITY, make(method, fields), 0, meta, weights=weights))
        plain.append(key(PARITY, make("pgd", {}), 0, meta, weights=weights))
    assert len(set(keys)) == 3
    assert len(set(plain)) == 1


def test_the_key_changes_with_nothing_else(meta: Meta) -> None:
    same = key(PARITY, BADE, 0, meta)
    assert key(PARITY, make("bade", {"strength": 1}), 0, meta) == same
    assert key(PARITY, BADE, 0, meta, suite="another") == same
    assert key(replace(PARITY, varied=("epochs",)), BADE, 0, meta) == same
    spelt_out = Training.model_validate({**TRAINING.model_dump(), "epochs": 10})
    assert key(replace(PARITY, training=spelt_out), BADE, 0, meta) == same
    noted = meta.model_copy(update={"notes": ["another note"], "title": "Another title"})
    assert key(PARITY, BADE, 0, noted) == same


# What is run


def test_every_task_method_and_seed_is_planned_in_a_stable_order(
    digits: Library, store: Store
) -> None:
    made = planned(digits, store)
    assert len(made.to_do) == 2 * 3 * 2
    assert [(t.task, t.method, t.seed) for t in made.plan.trials] == [
        (task, method, seed)
        for task in ("digits parity|ink", "digits digit|ink [correlation=1]")
        for method in ("standard", "bade", "bade[strength=auto]")
        for seed in (0, 1)
    ]
    backwards = replace(SUITE, seeds=(1, 0))
    assert planned(digits, store, backwards).plan.trials == made.plan.trials
    assert planned(digits, store).plan == made.plan


def test_one_seed_of_everything_comes_before_the_next_seed(digits: Library, store: Store) -> None:
    seeds = [trial.seed for trial in planned(digits, store).to_do]
    assert seeds == [0] * 6 + [1] * 6


def test_finished_trials_are_dropped_and_failed_ones_tried_again(
    digits: Library, store: Store
) -> None:
    first = planned(digits, store)
    for trial, status in zip(first.to_do, Status, strict=False):
        store.write(outcome(trial, status))
    again = planned(digits, store)
    ran = dict(zip(Status, first.to_do, strict=False))
    left = {trial.key for trial in again.to_do}
    assert ran[Status.OK].key not in left
    assert ran[Status.SKIPPED].key not in left
    assert {ran[Status.FAILED].key, ran[Status.TIMEOUT].key} <= left
    assert (again.finished, len(again.to_do), again.retried) == (2, 10, 2)
    assert again.plan.trials == first.plan.trials


def test_what_another_suite_has_finished_is_not_run_again(digits: Library, store: Store) -> None:
    first = planned(digits, store, named=["bade", "standard"], seeds=[0])
    for trial, status in zip(first.to_do, (Status.OK, Status.SKIPPED, Status.FAILED), strict=False):
        store.write(outcome(trial, status).model_copy(update={"method": "called otherwise"}))
    renamed = (replace(PARITY, varied=("epochs",)), DIGIT)
    other = planned(digits, store, replace(SUITE, name="other", tasks=renamed), seeds=[0])
    assert [result.status for result in other.taken] == [Status.OK, Status.SKIPPED]
    assert {result.suite for result in other.taken} == {"other"}
    specs = {trial.key: trial for trial in other.plan.trials}
    for result in other.taken:
        assert result.task == specs[result.key].task != PARITY.name
        assert result.method == specs[result.key].method
    assert (other.finished, len(other.to_do), other.retried) == (0, 4, 0)
    assert planned(digits, store).taken == ()


def test_a_result_that_is_damaged_in_another_suite_is_not_taken(
    digits: Library, store: Store
) -> None:
    first, *others = planned(digits, store, named=["bade"], seeds=[0]).to_do
    for trial in (first, *others):
        store.write(outcome(trial, Status.OK))
    store.path(SUITE.name, first.key).write_text("{")
    found = planned(digits, store, replace(SUITE, name="other"), named=["bade"], seeds=[0])
    assert [result.key for result in found.taken] == [trial.key for trial in others] != []
    assert [trial.key for trial in found.to_do] == [first.key]


def test_trials_of_an_earlier_plan_stay_while_they_mean_the_same(
    digits: Library, store: Store
) -> None:
    first = planned(digits, store, named=["bade"], seeds=[0, 7])
    second = planned(digits, store, named=["standard"])
    assert second.kept == len(first.plan.trials) == 8
    assert in_plan(first) < in_plan(second)
    assert {trial.method.label for trial in second.to_do} == {"standard"}


def test_trials_that_mean_something_else_today_leave_the_plan(
    digits: Library, store: Store
) -> None:
    planned(digits, store, named=["bade"])
    longer = replace(PARITY, training=TRAINING.model_copy(update={"epochs": 99}))
    second = planned(digits, store, replace(SUITE, tasks=(longer, DIGIT)), named=["standard"])
    assert second.kept == 4
    assert {task for task, method, _ in in_plan(second) if method != "standard"} == {DIGIT.name}


def test_trials_of_a_task_or_method_that_is_gone_leave_the_plan(
    digits: Library, store: Store
) -> None:
    first = planned(digits, store)
    without = first.plan.model_copy(deep=True)
    for method in without.methods:
        if method.label == "bade":
            method.name = "gone"
    store.write_plan(without)
    second = planned(digits, store, replace(SUITE, tasks=(PARITY,)), named=["standard"])
    assert in_plan(second) == {
        (PARITY.name, method, seed)
        for method in ("standard", "bade[strength=auto]")
        for seed in (0, 1)
    }


def test_data_that_is_not_prepared_is_planned_without_its_facts(
    library: Library, store: Store
) -> None:
    made = planned(library, store)
    assert len(made.to_do) == 12
    assert made.plan.tasks[0].data_hash is None
    assert made.plan.tasks[0].sizes == {}
    assert not library.folder.exists()


def test_the_plan_says_what_the_pages_need(digits: Library, store: Store, meta: Meta) -> None:
    task, second = planned(digits, store).plan.tasks
    assert (task.target, task.bias, task.groups) == ("parity", "ink", ["orange", "teal"])
    assert task.data_hash == meta.hash
    assert task.sizes == {"train": 900, "validation": 450, "test": 447}
    assert "correlated with parity at 1 in train" in second.notes[-1]
    assert task.training["epochs"] == 10


# What is selected


@pytest.mark.parametrize(
    ("wanted", "labels"),
    [
        ([], ["standard", "bade", "bade[strength=auto]"]),
        (["standard"], ["standard"]),
        (["bade"], ["bade", "bade[strength=auto]"]),
        (["bade[strength=auto]"], ["bade[strength=auto]"]),
        (["bade[strength=auto]", "bade"], ["bade[strength=auto]", "bade"]),
        (["mfd"], ["mfd"]),
        (["mfd[weight=1e-05]", "standard"], ["mfd[weight=1e-05]", "standard"]),
        (["bade[temperature=4,strength=0.5]"], ["bade[strength=0.5,temperature=4]"]),
    ],
)
def test_methods_are_chosen_by_label_or_file_name(wanted: list[str], labels: list[str]) -> None:
    assert [method.label for method in select(SUITE, named=wanted).methods] == labels


@pytest.mark.parametrize(
    ("tasks", "chosen"),
    [
        ([], [PARITY, DIGIT]),
        (["digits"], [PARITY, DIGIT]),
        (["digit|ink"], [DIGIT]),
        (["digits digit|ink [correlation=1]"], [DIGIT]),
        (["digit|ink", "parity|ink"], [PARITY, DIGIT]),
    ],
)
def test_tasks_are_chosen_by_name_question_or_data_set(
    tasks: list[str], chosen: list[TaskSpec]
) -> None:
    assert list(select(SUITE, tasks=tasks).tasks) == chosen


def test_seeds_of_the_command_line_go_before_those_of_the_suite() -> None:
    assert select(SUITE).seeds == (0, 1)
    assert select(SUITE, seeds=[4, 2]).seeds == (4, 2)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"named": ["baed"]}, '--methods: unknown method "baed". Did you mean "bade"?'),
        ({"named": ["bade[strenght=1]"]}, 'bade: unknown field "strenght". Did you mean "stre'),
        ({"named": ["bade[strength=2]"]}, "bade.strength: Input should be less than or equal"),
        ({"named": ["bade[strength=1"]}, '--methods: "bade[strength=1" has no closing bracket'),
        ({"tasks": ["parity"]}, '--tasks: unknown task "parity". Did you mean "digits parity|i'),
    ],
)
def test_an_unknown_name_gets_a_suggestion(chosen: dict[str, list[str]], message: str) -> None:
    with pytest.raises(UsageError) as error:
        select(SUITE, **chosen)  # type: ignore[arg-type]
    assert str(error.value).startswith(message)


def test_who_a_task_names_plays_it_and_nobody_else(digits: Library, store: Store) -> None:
    suite = replace(SUITE, tasks=(replace(PARITY, methods=("bade",)), DIGIT))
    planned = sweep(select(suite), digits, store, "bench").plan
    players = {(trial.task, trial.method) for trial in planned.trials}
    assert players == {
        (PARITY.name, "bade"),
        (PARITY.name, AUTO.label),
        *((DIGIT.name, method.label) for method in SUITE.methods),
    }


def test_players_do_not_change_keys(meta: Meta) -> None:
    named = replace(PARITY, methods=("standard",))
    assert key(named, STANDARD, 0, meta) == key(PARITY, STANDARD, 0, meta)

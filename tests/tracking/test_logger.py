"""The process that logs: killed, orphaned, and with MLflow changed behind its back."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.result import Plan
from bench.tracking import experiment
from bench.tracking.background import Background
from bench.tracking.tracker import Tracker, default_uri
from tests.tracking.tracking_examples import make_plan, make_result, make_results, stored

PARENT = """
import sys, time
from pathlib import Path
from bench.tracking.background import Background
background = Background(None, Path(sys.argv[1]))
while not background.ready:
    background._hear(1)
print(background.process.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all tests, each with a suite of its own: making a database takes seconds."""
    return tmp_path_factory.mktemp("logger") / "results"


@pytest.fixture(scope="module")
def background(out: Path) -> Iterator[Background]:
    with Background(None, out) as process:
        yield process


@pytest.fixture(scope="module")
def tracker(out: Path) -> Tracker:
    return Tracker(default_uri(out), out)


def client(out: Path) -> Any:
    from mlflow import MlflowClient  # noqa: PLC0415 - costs seconds

    return MlflowClient(default_uri(out))


def wait_for(happened: Callable[[], object]) -> None:
    begun = time.monotonic()
    while not happened():
        assert time.monotonic() - begun < 90
        time.sleep(0.05)


def log_half(background: Background, plan: Plan) -> None:
    """Log the first two trials, as a sweep does while it runs."""
    for trial in plan.trials[:2]:
        background.trial(plan.suite, trial.key)

    def done() -> bool:
        background._hear(0.1)
        return background.logged in (1, 2) and len(standing(background.out, plan.suite)) == 3

    wait_for(done)


def standing(out: Path, suite: str) -> dict[str, Any]:
    """The runs of a suite that are not deleted, by name."""
    mlflow = client(out)
    found = mlflow.get_experiment_by_name(suite)
    runs = [] if found is None else mlflow.search_runs([found.experiment_id])
    assert len({run.info.run_name for run in runs}) == len(runs)
    return {run.info.run_name: run for run in runs}


def test_a_killed_logger_starts_again_at_the_end(background: Background, out: Path) -> None:
    plan = stored(out, "killed")
    log_half(background, plan)
    assert background.process
    background.process.kill()
    background.process.wait()
    for trial in plan.trials[2:]:
        background.trial("killed", trial.key)
    assert background.finish("killed") == ""
    assert len(standing(out, "killed")) == 7


def test_the_logger_ends_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        logger = psutil.Process(int(parent.stdout.readline()))
        assert logger.ppid() == parent.pid
        parent.send_signal(signal.SIGKILL)
    assert psutil.wait_procs([logger], timeout=5)[1] == []


def test_an_experiment_deleted_during_a_sweep_comes_back(background: Background, out: Path) -> None:
    plan = stored(out, "deleted")
    log_half(background, plan)
    mlflow = client(out)
    mlflow.delete_experiment(mlflow.get_experiment_by_name("deleted").experiment_id)
    background.trial("deleted", plan.trials[2].key)
    assert background.finish("deleted") == ""
    assert mlflow.get_experiment_by_name("deleted").lifecycle_stage == "active"
    assert len(standing(out, "deleted")) == 7


def test_an_experiment_renamed_during_a_sweep_is_left_and_made_again(
    background: Background, out: Path
) -> None:
    plan = stored(out, "renamed")
    log_half(background, plan)
    mlflow = client(out)
    old = mlflow.get_experiment_by_name("renamed").experiment_id
    mlflow.rename_experiment(old, "mine now")
    background.trial("renamed", plan.trials[2].key)
    assert background.finish("renamed") == ""
    assert len(standing(out, "renamed")) == 7
    assert mlflow.get_experiment(old).name == "mine now"


@pytest.mark.parametrize("kind", ["sweep", "trial"])
def test_runs_deleted_during_a_sweep_come_back(
    background: Background, out: Path, kind: str
) -> None:
    plan = stored(out, f"without-{kind}")
    log_half(background, plan)
    for run in standing(out, plan.suite).values():
        if run.data.tags["bench.kind"] == kind:
            client(out).delete_run(run.info.run_id)
    background.trial(plan.suite, plan.trials[2].key)
    assert background.finish(plan.suite) == ""
    runs = standing(out, plan.suite)
    assert len(runs) == 7
    parents = {run.data.tags.get("mlflow.parentRunId") for run in runs.values()} - {None}
    assert parents == {runs["A small suite"].info.run_id}


def test_artifacts_of_a_run_that_was_replaced_are_removed(tracker: Tracker, out: Path) -> None:
    plan = make_plan("replaced")
    results = make_results(plan)
    tracker.log_all(plan, results)
    results[-1] = make_result(plan, plan.trials[-1])
    tracker.log_all(plan, results)
    trials = {
        run.info.run_id
        for run in standing(out, "replaced").values()
        if run.data.tags["bench.kind"] == "trial"
    }
    kept = out / "mlartifacts" / "replaced"
    assert {path.parent.parent.name for path in kept.rglob("result.json")} == trials
    assert trials == {path.name for path in kept.iterdir()}


def test_what_a_link_leads_to_is_not_removed_with_a_run(
    tracker: Tracker, out: Path, tmp_path: Path
) -> None:
    plan = make_plan("linked")
    results = make_results(plan)
    tracker.log_all(plan, results)
    failed = standing(out, "linked")["mfd · sex · seed 1"].info.run_id
    folder = out / "mlartifacts" / "linked" / failed
    shutil.move(folder, tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    results[-1] = make_result(plan, plan.trials[-1])
    tracker.log_all(plan, results)
    assert (tmp_path / "elsewhere" / "artifacts" / "result.json").exists()


TABLES = {
    "runs": "experiment_id = {0}",
    "tags": "run_uuid in {1}",
    "params": "run_uuid in {1}",
    "metrics": "run_uuid in {1}",
    "latest_metrics": "run_uuid in {1}",
    "datasets": "experiment_id = {0}",
    "inputs": "destination_id in {1}",
    "input_tags": "input_uuid in (select input_uuid from inputs where destination_id in {1})",
}


def rows(out: Path, number: str) -> dict[str, list[tuple[Any, ...]]]:
    """All that the database holds of an experiment, with the names of runs instead of their ids."""
    runs = f"(select run_uuid from runs where experiment_id = {number})"  # noqa: S608
    with closing(sqlite3.connect(out / "mlflow.db")) as database:
        named = dict(
            database.execute("select run_uuid, name from runs where experiment_id = ?", [number])
        )
        found = {}
        for table, where in TABLES.items():
            query = f"select * from {table} where {where.format(number, runs)}"  # noqa: S608
            answer = database.execute(query)
            columns = [column[0] for column in answer.description]
            found[table] = sorted(
                tuple(comparable(*cell, named) for cell in zip(columns, row, strict=True))
                for row in answer
            )
    return found


def comparable(column: str, value: Any, named: dict[str, str]) -> str:
    """A cell as text: ids that are drawn say only that they are there."""
    if column in ("input_uuid", "dataset_uuid", "source_id", "experiment_id"):
        return f"{column} {len(str(value)) if column != 'experiment_id' else ''}"
    text = repr(value)
    for run_id, name in named.items():
        text = text.replace(run_id, f"<{name}>")
    return f"{column} {text}"


def test_rows_are_those_that_the_client_of_mlflow_writes(
    tracker: Tracker, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan("same")
    results = make_results(plan)
    long = {"p": "x" * 7000, "odd": float("nan")}
    results[0] = make_result(plan, plan.trials[0], parameters=long)
    mlflow = client(out)
    written = []
    for ours in (False, True):
        with monkeypatch.context() as patch:
            if not ours:
                patch.setattr(experiment, "DATABASES", ("none",))
            tracker.log_all(plan, results)
        number = mlflow.get_experiment_by_name("same").experiment_id
        written.append(rows(out, number))
        mlflow.rename_experiment(number, f"same, ours: {ours}")
    by_client, by_us = written
    assert all(by_client.values())
    for table in TABLES:
        assert by_us[table] == by_client[table], table

"""MLflow shows what the result files say: once, in full, and again after any mishap."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bench.result import Plan
from bench.tracking import tracker as tracking
from bench.tracking.tracker import Tracker, TrackingUnavailable, default_uri
from tests.tracking.tracking_examples import (
    DATA_HASH,
    NOON_MS,
    SHA,
    free_port,
    make_plan,
    make_result,
    make_results,
)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all tests, each with a suite of its own: making a database takes seconds."""
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def tracker(out: Path) -> Tracker:
    return Tracker(default_uri(out), out)


@pytest.fixture(scope="module")
def twice(tracker: Tracker) -> Plan:
    """A suite logged as a sweep does it, and everything again."""
    plan = make_plan("twice")
    results = make_results(plan)
    for result in results:
        tracker.log(plan, result)
    tracker.log_all(plan, results)
    tracker.log(plan, results[0])
    tracker.log_all(plan, results)
    return plan


def client(tracker: Tracker) -> Any:
    from mlflow import MlflowClient  # noqa: PLC0415 - costs seconds

    return MlflowClient(tracker.uri)


def runs(tracker: Tracker, suite: str, where: str = "", deleted: bool = False) -> list[Any]:
    mlflow = client(tracker)
    experiment = mlflow.get_experiment_by_name(suite).experiment_id
    return list(mlflow.search_runs([experiment], where, run_view_type=2 if deleted else 1))


def only(found: list[Any]) -> Any:
    assert len(found) == 1
    return found[0]


def one_trial(tracker: Tracker, suite: str, method: str, seed: int) -> Any:
    where = f"tags.suite = '{suite}' and tags.method = '{method}' and tags.seed = '{seed}'"
    return only(runs(tracker, suite, where))


def test_logging_twice_leaves_one_run_each(tracker: Tracker, twice: Plan) -> None:
    kinds = [run.data.tags["bench.kind"] for run in runs(tracker, "twice")]
    assert sorted(kinds) == ["summary"] * 2 + ["sweep"] + ["trial"] * 4


def test_logging_twice_throws_no_run_away(tracker: Tracker, twice: Plan) -> None:
    assert runs(tracker, "twice", deleted=True) == []


def test_a_sweep_is_one_parent_run_over_its_trials_with_the_means_beside(
    tracker: Tracker, twice: Plan
) -> None:
    parent = only(runs(tracker, "twice", "tags.`bench.kind` = 'sweep'"))
    assert parent.info.run_name == "A small suite"
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["bench.sweep"] == "twice-sweep-1"
    assert parent.data.tags["command"] == "bench --suite twice"
    assert parent.data.tags["trials"] == "3 ok, 1 failed"
    children = runs(tracker, "twice", f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    assert [run.data.tags["bench.kind"] for run in children] == ["trial"] * 4
    summaries = runs(tracker, "twice", "tags.`bench.kind` = 'summary'")
    assert ["mlflow.parentRunId" in run.data.tags for run in summaries] == [False, False]


def test_a_trial_shows_its_settings_numbers_and_origin(tracker: Tracker, twice: Plan) -> None:
    run = one_trial(tracker, "twice", "bade", 1)
    assert run.info.run_name == "bade · sex · seed 1"
    assert run.data.params == {
        "strength": "2.5",
        "layer": "None",
        "training.epochs": "3",
        "chosen.epoch": "2",
        "seed": "1",
    }
    assert run.data.metrics == {
        "odds": 0.3,
        "recall_1": 0.25,  # MLflow allows no @ in names
        "used/seconds": 4.0,
        "used/shared_seconds": 1.5,
        "used/total_seconds": 5.5,
        "used/peak_memory_mib": 100.0,
        "training/loss": 0.25,
    }
    expected = {
        "track": "debiasing",
        "task": "sex",
        "method_name": "bade",
        "status": "ok",
        "revision": "3",
        "git_sha": SHA,
        "mlflow.source.git.commit": SHA,
        "bench.trial_key": "twicebade1",
    }
    assert expected.items() <= run.data.tags.items()
    assert "reason" not in run.data.tags


def test_a_trial_keeps_the_time_at_which_it_ran(tracker: Tracker, twice: Plan) -> None:
    run = one_trial(tracker, "twice", "bade", 0)
    assert (run.info.start_time, run.info.end_time) == (NOON_MS, NOON_MS + 4000)


def test_a_trial_names_its_data_with_hash(tracker: Tracker, twice: Plan) -> None:
    entry = only(one_trial(tracker, "twice", "mfd", 0).inputs.dataset_inputs)
    assert (entry.dataset.name, entry.dataset.digest) == ("adult", "d" * 36)
    assert json.loads(entry.dataset.source)["hash"] == DATA_HASH
    assert [(tag.key, tag.value) for tag in entry.tags] == [("mlflow.data.context", "training")]


def test_a_curve_has_a_step_an_epoch_and_leaves_gaps_out(tracker: Tracker, twice: Plan) -> None:
    run = one_trial(tracker, "twice", "bade", 0)
    history = client(tracker).get_metric_history(run.info.run_id, "training/loss")
    assert sorted((point.step, point.value) for point in history) == [(0, 1.0), (2, 0.25)]


def test_a_failed_trial_says_so_and_why(tracker: Tracker, twice: Plan) -> None:
    run = only(runs(tracker, "twice", "tags.status = 'failed'"))
    assert run.info.status == "FAILED"
    assert run.data.tags["reason"] == "out of memory"
    assert run.data.tags["bench.trial_key"] == "twicemfd1"
    assert "odds" not in run.data.metrics


def test_a_summary_has_mean_spread_and_count_of_what_succeeded(
    tracker: Tracker, twice: Plan
) -> None:
    where = "tags.`bench.kind` = 'summary' and tags.suite = 'twice' and tags.method = 'bade'"
    run = only(runs(tracker, "twice", where))
    assert run.data.metrics["mean/odds"] == pytest.approx(0.2)
    assert run.data.metrics["std/odds"] == pytest.approx(0.02**0.5)  # sqrt((.1^2 + .1^2) / (2 - 1))
    assert run.data.metrics["n/odds"] == 2
    assert run.data.metrics["mean/used/total_seconds"] == 5.5
    assert run.data.tags["seeds"] == "0, 1"


def test_a_summary_of_one_success_has_no_spread(tracker: Tracker, twice: Plan) -> None:
    where = "tags.`bench.kind` = 'summary' and tags.method = 'mfd'"
    run = only(runs(tracker, "twice", where))
    assert run.data.metrics["mean/odds"] == 0.5
    assert run.data.metrics["n/odds"] == 1
    assert "std/odds" not in run.data.metrics
    assert run.data.tags["trials"] == "1 ok, 1 failed"


def test_a_retried_trial_replaces_its_failure(tracker: Tracker) -> None:
    plan = make_plan("retried")
    results = make_results(plan)
    tracker.log_all(plan, results)
    results[-1] = make_result(plan, plan.trials[-1])
    tracker.log_all(plan, results)
    assert len(runs(tracker, "retried")) == 7
    run = one_trial(tracker, "retried", "mfd", 1)
    assert (run.info.status, run.data.metrics["odds"]) == ("FINISHED", 0.7)
    where = "tags.`bench.kind` = 'summary' and tags.method = 'mfd'"
    summary = only(runs(tracker, "retried", where)).data.metrics
    assert (summary["mean/odds"], summary["n/odds"]) == (pytest.approx(0.6), 2)
    parent = only(runs(tracker, "retried", "tags.`bench.kind` = 'sweep'"))
    assert parent.data.tags["trials"] == "4 ok"


def test_logging_cut_short_is_made_good(tracker: Tracker) -> None:
    plan = make_plan("cut")
    result = make_results(plan)[0]
    tracker.log(plan, result)
    half = one_trial(tracker, "cut", "bade", 0)
    client(tracker).update_run(half.info.run_id, status="RUNNING")
    tracker.log(plan, result)
    whole = one_trial(tracker, "cut", "bade", 0)
    assert whole.info.status == "FINISHED"
    assert whole.info.run_id != half.info.run_id


def test_a_second_run_of_the_same_trial_is_removed(tracker: Tracker) -> None:
    plan = make_plan("double")
    result = make_results(plan)[0]
    tracker.log(plan, result)
    first = one_trial(tracker, "double", "bade", 0)
    client(tracker).create_run(first.info.experiment_id, tags=first.data.tags)
    tracker.log(plan, result)
    assert one_trial(tracker, "double", "bade", 0).info.run_id == first.info.run_id


def test_an_interrupted_sweep_says_what_is_missing_until_resumed(tracker: Tracker) -> None:
    plan = make_plan("resumed")
    results = make_results(plan)

    def sweep() -> Any:
        return only(runs(tracker, "resumed", "tags.`bench.kind` = 'sweep'"))

    tracker.log_all(plan, results[:1])
    assert (sweep().info.status, sweep().data.tags["trials"]) == ("KILLED", "1 ok, 3 missing")
    tracker.log(plan, results[1])
    assert sweep().info.status == "RUNNING"
    tracker.log_all(plan, results)
    assert (sweep().info.status, sweep().data.tags["trials"]) == ("FINISHED", "3 ok, 1 failed")


def test_a_trial_follows_its_plan_to_another_sweep(tracker: Tracker) -> None:
    result = make_results(make_plan("moving"))[0]
    for sweep in ("sweep-1", "sweep-2"):
        tracker.log(make_plan("moving", sweep), result)
    run = one_trial(tracker, "moving", "bade", 0)
    parent = client(tracker).get_run(run.data.tags["mlflow.parentRunId"])
    assert parent.data.tags["bench.sweep"] == "moving-sweep-2"


def test_a_deleted_experiment_comes_back(tracker: Tracker) -> None:
    plan = make_plan("deleted")
    results = make_results(plan)
    tracker.log_all(plan, results)
    mlflow = client(tracker)
    mlflow.delete_experiment(mlflow.get_experiment_by_name("deleted").experiment_id)
    tracker.log_all(plan, results)
    assert len(runs(tracker, "deleted")) == 7


def test_more_curve_points_and_parameters_than_a_batch_holds(tracker: Tracker) -> None:
    plan = make_plan("large")
    trial = plan.trials[0]
    curves = {"loss": [float(step) for step in range(1100)]}
    parameters = {f"p{number}": number for number in range(130)}
    tracker.log(plan, make_result(plan, trial, curves=curves, parameters=parameters))
    run = one_trial(tracker, "large", "bade", 0)
    assert run.data.metrics["training/loss"] == 1099
    assert run.data.params["p129"] == "129"


def test_nothing_to_log_touches_nothing(tmp_path: Path) -> None:
    tracker = Tracker("", tmp_path)
    tracker.log_all(make_plan("empty"), [])
    assert list(tmp_path.iterdir()) == []


def assert_unavailable(uri: str, out: Path, within: float = 5.0) -> str:
    plan = make_plan("away")
    environment = dict(os.environ)
    begin = time.monotonic()
    with pytest.raises(TrackingUnavailable) as caught:
        Tracker(uri, out).log_all(plan, make_results(plan))
    assert time.monotonic() - begin < within
    assert dict(os.environ) == environment
    message = str(caught.value)
    assert "\n" not in message
    assert "bench log" in message
    return message


def test_a_server_that_is_away_is_told_within_seconds(
    twice: Plan, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    uri = f"http://me:secret@127.0.0.1:{free_port()}"
    message = assert_unavailable(uri, tmp_path, within=15.0)
    assert "Connection refused" in message
    assert "secret" not in message
    assert capfd.readouterr() == ("", "")


def test_a_proxy_that_stands_between_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://me:secret@127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://me:secret@127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    said = tracking.unavailable("http://127.0.0.1:5000", "refused")
    assert "through the proxy of HTTP_PROXY; NO_PROXY=127.0.0.1 would not" in said
    assert "secret" not in said
    assert "proxy" not in tracking.unavailable("sqlite:///x.db", "locked")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert "proxy" not in tracking.unavailable("http://127.0.0.1:5000", "refused")


def test_a_locked_database_is_told_within_seconds(
    out: Path, twice: Plan, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tracking, "SECONDS_FOR_A_LOCK", 0.2)
    with closing(sqlite3.connect(out / "mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "locked" in assert_unavailable(default_uri(out), out)
    assert capfd.readouterr() == ("", "")


def test_a_broken_database_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mlflow.db").write_text("not a database, but long enough to look like one" * 100)
    assert "not a database" in assert_unavailable(default_uri(tmp_path), tmp_path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "uri", ["nonsense://here", "postgresql://u:secret@127.0.0.1:1/db", "http:"]
)
def test_a_uri_that_leads_nowhere_is_told(twice: Plan, uri: str, tmp_path: Path) -> None:
    assert "secret" not in assert_unavailable(uri, tmp_path, within=15.0)


def test_importing_the_module_does_not_import_mlflow() -> None:
    code = "import sys, bench.tracking.tracker; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

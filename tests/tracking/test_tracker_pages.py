"""What a sweep's runs keep beside numbers, and what becomes of runs that it no longer asks for."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from bench.reports.site import build
from bench.result import Plan, Store
from bench.tracking.tracker import RUNS, Tracker, default_uri
from tests.tracking.tracking_examples import NOON_MS, make_plan, make_result, make_results

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def tracker(out: Path) -> Tracker:
    return Tracker(default_uri(out), out)


def runs(tracker: Tracker, suite: str, where: str) -> list[Any]:
    from mlflow import MlflowClient  # noqa: PLC0415 - costs seconds

    client = MlflowClient(tracker.uri)
    experiment = client.get_experiment_by_name(suite).experiment_id
    return list(client.search_runs([experiment], where))


def kept(tracker: Tracker, out: Path, run: Any) -> dict[str, bytes]:
    """The artifacts of a run by path, as a server started on this folder would serve them."""
    folder = out / "mlartifacts" / run.info.artifact_uri.removeprefix("mlflow-artifacts:/")
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def names(found: list[Any]) -> set[str]:
    return {run.info.run_name for run in found}


def changed(plan: Plan) -> Plan:
    """The plan after a parameter of bade changed: another label, other keys, the same sweep."""
    new = plan.methods[0].model_copy(update={"label": "bade[strength=3]"})
    trials = [
        t.model_copy(update={"method": new.label, "key": f"new{t.key}"})
        if t.method == "bade"
        else t
        for t in plan.trials
    ]
    return plan.model_copy(update={"methods": [new, plan.methods[1]], "trials": trials})


def test_runs_that_a_sweep_no_longer_asks_for_are_tagged(tracker: Tracker) -> None:
    old = make_plan("stale")
    tracker.log_all(old, make_results(old))
    assert names(runs(tracker, "stale", "tags.stale = 'yes'")) == set()
    new = changed(old)
    tracker.log_all(new, [make_result(new, trial) for trial in new.trials])
    assert names(runs(tracker, "stale", "tags.stale = 'yes'")) == {
        "bade · sex · seed 0", "bade · sex · seed 1", "bade · sex · summary",
    }  # fmt: skip
    current = names(runs(tracker, "stale", "tags.stale = 'no' and tags.`bench.kind` = 'summary'"))
    assert current == {"bade[strength=3] · sex · summary", "mfd · sex · summary"}


def test_a_run_that_is_asked_for_again_is_current_again(tracker: Tracker) -> None:
    old = make_plan("again")
    results = make_results(old)
    tracker.log_all(old, results)
    new = changed(old)
    tracker.log_all(new, [make_result(new, trial) for trial in new.trials])
    before = {run.info.run_id for run in runs(tracker, "again", "tags.stale = 'yes'")}
    tracker.log_all(old, results)
    now = {run.info.run_id for run in runs(tracker, "again", "tags.stale = 'no'")}
    assert len(before) == 3
    assert before <= now  # the same runs, and none written anew
    assert "bade[strength=3] · sex · summary" in names(runs(tracker, "again", "tags.stale = 'yes'"))


def test_another_sweeps_runs_are_not_stale(tracker: Tracker) -> None:
    for sweep in ("one", "two"):
        plan = make_plan("sweeps", sweep)
        renamed = [t.model_copy(update={"key": f"{sweep}{t.key}"}) for t in plan.trials]
        plan = plan.model_copy(update={"trials": renamed})
        tracker.log_all(plan, make_results(plan))
    assert runs(tracker, "sweeps", "tags.stale = 'yes'") == []


def test_means_stand_above_the_seeds_they_are_means_of(tracker: Tracker) -> None:
    plan = make_plan("order")
    tracker.log_all(plan, make_results(plan))
    listed = runs(tracker, "order", "tags.method = 'bade'")  # latest first, as the UI lists them
    assert listed[0].info.run_name == "bade · sex · summary"
    assert listed[0].info.start_time == NOON_MS + 4000


def test_the_results_know_which_run_shows_them(tracker: Tracker, out: Path) -> None:
    plan = make_plan("known")
    results = make_results(plan)
    Store(out).write_plan(plan)
    tracker.log_all(plan, results)
    told = json.loads((out / "known" / RUNS).read_text())
    assert told.pop("tracking") == ""  # the database beside the results
    experiment = told.pop("experiment")
    found = runs(tracker, "known", "tags.`bench.kind` = 'trial'")
    assert {run.info.experiment_id for run in found} == {experiment}
    assert told == {run.data.tags["bench.trial_key"]: run.info.run_id for run in found}
    before = (out / "known" / RUNS).read_bytes()
    tracker.log_all(plan, results)
    assert (out / "known" / RUNS).read_bytes() == before


def test_page_figures_and_pictures_are_kept_with_the_sweep(
    tracker: Tracker, out: Path, tmp_path: Path
) -> None:
    plan = make_plan("pages")
    picture = base64.b64encode(PNG).decode()
    pictured = plan.methods[0].model_copy(update={"picture": picture})
    plan = plan.model_copy(update={"methods": [pictured, plan.methods[1]]})
    store = Store(tmp_path / "results")
    store.write_plan(plan)
    results = make_results(plan)
    for result in results:
        store.write(result)
    build(store.root, tmp_path / "site")
    tracker.log_all(plan, results)
    tracker.attach(plan, tmp_path / "site")

    (sweep,) = runs(tracker, "pages", "tags.`bench.kind` = 'sweep'")
    files = kept(tracker, out, sweep)
    page = tmp_path / "site" / "pages" / "index.html"
    assert files["pages/index.html"] == page.read_bytes()
    assert files["pictures/debiasing-bade.png"] == PNG
    assert "pages/badge.json" in files
    assert not [name for name in files if "trials" in name]

    page.write_text("new")
    tracker.attach(plan, tmp_path / "site")
    assert kept(tracker, out, sweep)["pages/index.html"] == b"new"


def test_equal_pages_are_not_kept_again(tracker: Tracker, out: Path, tmp_path: Path) -> None:
    plan = make_plan("once")
    tracker.log_all(plan, make_results(plan))
    (tmp_path / "once").mkdir()
    (tmp_path / "once" / "index.html").write_text("page")
    tracker.attach(plan, tmp_path)
    (sweep,) = runs(tracker, "once", "tags.`bench.kind` = 'sweep'")
    location = sweep.info.artifact_uri.removeprefix("mlflow-artifacts:/")
    copy = out / "mlartifacts" / location / "pages" / "index.html"
    copy.write_text("untouched")
    tracker.attach(plan, tmp_path)
    assert copy.read_text() == "untouched"


def test_without_pages_nothing_is_attached(tmp_path: Path) -> None:
    Tracker("", tmp_path / "out").attach(make_plan("none"), tmp_path)
    assert not (tmp_path / "out").exists()

"""Results on disk: whole or not at all, and a finished one is never lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from bench.errors import BenchError
from bench.result import Cost, Result, Status, Store, write_atomically
from bench.tracks.registry import tracks
from tests.tracking.tracking_examples import make_plan, make_result

PLAN = make_plan("toy")


def result(**changes: object) -> Result:
    return make_result(PLAN, PLAN.trials[0], **changes)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


def test_a_result_is_read_back_as_it_was_written(store: Store) -> None:
    written = result()
    path = store.write(written)
    assert path == store.root / "toy" / "trials" / f"{written.key}.json"
    assert store.read("toy", written.key) == written
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_plan_is_read_back_and_its_suite_listed(store: Store) -> None:
    assert store.read_plan("toy") is None
    assert store.suites() == []
    store.write_plan(PLAN)
    store.write_plan(make_plan("another"))
    assert store.read_plan("toy") == PLAN
    assert store.suites() == ["another", "toy"]


def test_a_plan_from_before_tracks_declared_their_words_is_still_read(store: Store) -> None:
    info = tracks()["debiasing"].info
    plan = PLAN.model_copy(update={"tracks": [info]})
    written = json.loads(plan.model_dump_json())
    for name in ("reference", "bias_title", "figures", "questions"):
        del written["tracks"][0][name]
    for metric in written["tracks"][0]["metrics"]:
        del metric["formula"], metric["headline"]
    write_atomically(store.root / plan.suite / "plan.json", json.dumps(written))
    earlier = store.read_plan(plan.suite)
    assert earlier is not None
    assert [m.name for m in earlier.tracks[0].metrics] == [m.name for m in info.metrics]
    assert earlier.tracks[0].reference is None


def test_results_come_in_the_order_asked_for_and_only_those_that_exist(store: Store) -> None:
    for trial in PLAN.trials[:2]:
        store.write(make_result(PLAN, trial))
    first, second = (trial.key for trial in PLAN.trials[:2])
    found = store.read_all("toy", [second, "missing", first])
    assert [one.key for one in found] == [second, first]


def test_a_write_that_fails_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "one.json"
    write_atomically(path, "old")

    def full_disk(_: int) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("finished", [Status.OK, Status.SKIPPED])
@pytest.mark.parametrize("unfinished", [Status.FAILED, Status.TIMEOUT])
def test_an_unfinished_result_never_overwrites_a_finished_one(
    store: Store, finished: Status, unfinished: Status
) -> None:
    kept = result(status=finished)
    store.write(kept)
    store.write(result(status=unfinished, reason="late", metrics={}))
    assert store.read("toy", kept.key) == kept


@pytest.mark.parametrize("later", [Status.OK, Status.SKIPPED, Status.FAILED])
def test_a_failure_is_replaced_by_what_came_later(store: Store, later: Status) -> None:
    store.write(result(status=Status.FAILED, reason="first"))
    store.write(result(status=later, reason="second"))
    found = store.read("toy", PLAN.trials[0].key)
    assert found is not None
    assert (found.status, found.reason) == (later, "second")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_metric_that_is_no_number_is_refused(number: float) -> None:
    with pytest.raises(ValidationError, match="finite number"):
        result(metrics={"odds": number})
    with pytest.raises(ValidationError, match="finite number"):
        Cost(seconds=number)
    with pytest.raises(ValidationError, match="finite number"):
        result(curves={"loss": [1.0, number]})


def test_a_gap_in_a_curve_is_none(store: Store) -> None:
    store.write(result(curves={"loss": [1.0, None, 0.5]}))
    found = store.read("toy", PLAN.trials[0].key)
    assert found is not None
    assert found.curves == {"loss": [1.0, None, 0.5]}


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="accuracyy"):
        result(accuracyy=1)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "Invalid JSON"),
        (b'{"schema_version": 1, "key"', "Invalid JSON"),
        (b"{}", "key: Field required"),
        (b"\xff\xfe\x00", "Invalid JSON"),
    ],
)
def test_a_damaged_result_is_named_with_what_to_do(store: Store, content: bytes, why: str) -> None:
    path = store.write(result())
    path.write_bytes(content)
    with pytest.raises(BenchError) as error:
        store.read("toy", PLAN.trials[0].key)
    assert str(error.value).startswith(f"{path}: not a readable result (")
    assert why in str(error.value)
    assert "(: " not in str(error.value)
    assert str(error.value).endswith(
        "Run the suite again, or move the file away: its trial is then run anew."
    )


def test_a_damaged_plan_is_named(store: Store) -> None:
    store.write_plan(PLAN)
    path = store.root / "toy" / "plan.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"trials": "many"}))
    with pytest.raises(BenchError, match=r"plan.json: not a readable plan \(trials: "):
        store.read_plan("toy")


def test_cleaning_removes_what_killed_writers_left_and_nothing_else(store: Store) -> None:
    kept = store.write(result())
    store.write_plan(PLAN)
    for place in (kept.parent / ".abc.tmp", store.root / "toy" / ".def.tmp"):
        place.write_text("half")
    store.clean()
    left = sorted(path.name for path in (store.root / "toy").rglob("*") if path.is_file())
    assert left == sorted([kept.name, "plan.json"])


@pytest.mark.parametrize(
    ("status", "final"),
    [("ok", True), ("skipped", True), ("failed", False), ("timeout", False)],
)
def test_only_failures_and_timeouts_are_tried_again(status: str, final: bool) -> None:
    assert Status(status).is_final is final


def test_shared_work_is_charged_to_each_who_needs_it() -> None:
    assert Cost(seconds=2.0, shared_seconds=3.0).total_seconds == 5.0

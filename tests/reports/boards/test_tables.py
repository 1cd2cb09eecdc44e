"""The long form: every planned trial, and no number where there is none."""

from __future__ import annotations

import csv
import io
import json

import pandas as pd
import pytest

from bench.reports.boards.tables import COLUMNS, long_form, to_csv, to_json
from bench.result import Status
from tests.reports.synthetic_sweep import CENTRES, HOSTILE, RACE, REASONS, SEX, TwoTasks, key_of

METRICS = 4 + 6
"""Four of the track, six of cost."""


@pytest.fixture(scope="module")
def frame(two_tasks: TwoTasks) -> pd.DataFrame:
    return long_form(*two_tasks)


def rows(frame: pd.DataFrame, **where: object) -> pd.DataFrame:
    for column, value in where.items():
        frame = frame[frame[column] == value]
    return frame


def test_every_planned_trial_is_there_with_every_metric(frame: pd.DataFrame) -> None:
    assert list(frame.columns) == COLUMNS
    assert len(frame) == 2 * len(CENTRES) * 5 * METRICS
    counts = frame.drop_duplicates("key").status.value_counts().to_dict()
    assert counts == {"ok": 76, "failed": 1, "timeout": 1, "skipped": 1, "missing": 1}


@pytest.mark.parametrize(
    ("key", "status", "reason"),
    [
        (key_of(SEX, "adversarial", 2), "failed", f"failed: {REASONS[Status.FAILED]}"),
        (key_of(SEX, HOSTILE, 4), "timeout", "timeout: longer than 600 s"),
        (key_of(RACE, "mfd", 1), "skipped", "skipped: needs images; these are columns"),
        (key_of(RACE, "bade", 3), "missing", "not run yet"),
    ],
)  # fmt: skip
def test_a_trial_without_numbers_has_reasons(
    frame: pd.DataFrame, key: str, status: str, reason: str
) -> None:
    mine = rows(frame, key=key, metric="odds")
    assert mine.status.item() == status
    assert mine.value.isna().item()
    assert mine.reason.item() == reason


def test_seconds_are_metrics_and_a_failure_cost_some(frame: pd.DataFrame) -> None:
    mine = rows(frame, key=key_of(SEX, "mfd", 0)).set_index("metric").value
    assert mine["seconds"] == 12.5
    assert mine["shared_seconds"] == 20.0
    assert mine["total_seconds"] == 32.5
    assert mine["peak_memory_mib"] == 512.0
    assert rows(frame, key=key_of(SEX, "adversarial", 2), metric="seconds").value.item() == 14.5
    assert rows(frame, key=key_of(RACE, "mfd", 1), metric="seconds").value.isna().item()


def test_what_does_not_exist_is_an_empty_cell_in_csv(frame: pd.DataFrame) -> None:
    lines = list(csv.DictReader(io.StringIO(to_csv(frame))))
    assert len(lines) == len(frame)
    for line in lines:
        assert (line["value"] == "") == (line["reason"] != "")
        assert line["value"].lower() not in {"nan", "n/a", "none", "inf"}
    undefined = [r for r in lines if r["reason"] == "the method gives no scores"]
    assert {(r["method"], r["metric"], r["value"]) for r in undefined} == {("mfd", "auc", "")}


def test_what_does_not_exist_is_null_in_json(frame: pd.DataFrame) -> None:
    records = json.loads(to_json(frame), parse_constant=pytest.fail)
    assert len(records) == len(frame)
    assert all(type(r["value"]) in (float, type(None)) for r in records)
    assert all((r["value"] is None) == (r["reason"] is not None) for r in records)
    assert all(type(r["seed"]) is int for r in records)


def test_files_say_when_selection_used_the_test_set(frame: pd.DataFrame) -> None:
    assert set(rows(frame, task=RACE).selection) == {"test"}
    assert set(rows(frame, task=SEX).selection) == {"validation"}
    assert set(rows(frame, task=RACE).official_data) == {False}


def test_a_plan_without_trials_gives_empty_but_valid_files(two_tasks: TwoTasks) -> None:
    empty = long_form(two_tasks[0].model_copy(update={"trials": []}), {})
    assert to_csv(empty).strip() == ",".join(COLUMNS)
    assert json.loads(to_json(empty)) == []

"""What MLflow should show, decided without MLflow."""

from __future__ import annotations

import pytest

from bench.tracking.views import summary_views, trial_view
from tests.tracking.tracking_examples import make_plan, make_result


@pytest.mark.parametrize(
    ("status", "shown"),
    [("ok", "FINISHED"), ("failed", "FAILED"), ("timeout", "KILLED"), ("skipped", "FINISHED")],
)
def test_how_a_trial_ended_is_told_twice(status: str, shown: str) -> None:
    plan = make_plan("statuses")
    view = trial_view(plan, make_result(plan, plan.trials[0], status=status))
    assert (view.status, view.tags["status"]) == (shown, status)


def test_a_summary_without_success_is_a_failure_without_numbers() -> None:
    plan = make_plan("none")
    results = [make_result(plan, trial, status="failed") for trial in plan.trials]
    for view in summary_views(plan, results):
        assert (view.status, view.metrics, view.tags["trials"]) == ("FAILED", {}, "2 failed")


def test_a_view_changes_its_digest_with_anything_it_shows() -> None:
    plan = make_plan("digest")
    trial = plan.trials[0]
    changes = [
        {},
        {"metrics": {"odds": 0.11}},
        {"curves": {}},
        {"status": "failed"},
        {"revision": 4},
    ]
    digests = {trial_view(plan, make_result(plan, trial, **change)).digest for change in changes}
    assert len(digests) == len(changes)
    assert trial_view(plan, make_result(plan, trial)).digest in digests


def test_a_judge_may_measure_seconds_of_its_own() -> None:
    plan = make_plan("seconds")
    view = trial_view(plan, make_result(plan, plan.trials[0], metrics={"seconds": 0.5}))
    assert (view.metrics["seconds"], view.metrics["used/seconds"]) == (0.5, 4.0)


def test_a_task_that_the_plan_no_longer_knows_still_names_its_data() -> None:
    plan = make_plan("gone")
    view = trial_view(plan, make_result(plan, plan.trials[0], task="race"))
    assert view.data is not None
    assert view.data["name"] == "race"

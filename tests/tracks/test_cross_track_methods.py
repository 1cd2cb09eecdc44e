"""Cross-track methods: trainers on a debiasing task, debiasing methods on many groups."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from bench.data.dataset import Library, data_set
from bench.learning.settings import Training
from bench.method import make
from bench.models.pretrained import MIRROR_ALONE
from bench.result import Status, Store
from bench.runner.plan import select, sweep
from bench.runner.trial import Workspace, run_trial
from bench.suites.reader import read_suite
from bench.tracks.debiasing import judge
from bench.tracks.debiasing.contract import DebiasingOptions
from bench.tracks.debiasing.session import DebiasingSession
from bench.tracks.robust_fairness import FairTrainer, GroupTask
from bench.tracks.session import PreparedTask

SUITE = """
title: Cross-track methods
description: One table over two tracks.
seeds: 1
training: {backbone: small_cnn, epochs: 1, batch_size: 64, learning_rate: 1.0e-3}
tasks:
  - {data: digits, task: parity|ink, methods: [standard, dro]}
  - {data: digits, task: digit|stroke, methods: [standard, reweighting, dro, jtt]}
  - {data: digits, task: value|ink, methods: [dro]}
methods:
  - standard
  - reweighting
  - dro: {attack: pgd, steps: 2, t_1: 1, t_2: 1}
  - jtt
"""


def prepared(library: Library, task: str) -> PreparedTask:
    data = data_set("digits")
    options = data.options()
    meta = library.ensure("digits")
    return PreparedTask(
        name=f"digits {task}", data=data, meta=meta, parts=library.splits("digits", task, options),
        definition=data.tasks[task], options=DebiasingOptions(),
        training=Training(backbone="small_cnn", epochs=1, batch_size=64), attack=None, seed=0,
        device=torch.device("cpu"), scope={"seed": 0}, cache=library.folder / "cache",
        weights=MIRROR_ALONE,
    )  # fmt: skip


def test_a_trainer_is_judged_by_the_debiasing_track(library: Library) -> None:
    session = DebiasingSession(prepared(library, "parity|ink"))
    method = make("group_reweighting", {})
    evaluation = session.evaluate(method)
    assert {"odds", "eacc", "tpr_0"} <= evaluation.metrics.keys()
    assert "slope" not in evaluation.metrics
    assert {"odds", "eacc"} <= session.context.curves.keys()
    assert isinstance(method, FairTrainer)
    task = GroupTask.like(session.task)
    assert task.groups == ("orange", "teal")
    assert task.train is session.task.train
    outputs = session.context.predict(method.train(task, session.context), session.test.inputs)
    assert judge.judge(outputs, session.test) == evaluation.metrics


@pytest.fixture
def run(tmp_path: Path) -> Callable[[], dict[tuple[str, str], tuple[Status, dict[str, float]]]]:
    """Runs the suite in this process: (task, method) -> status and metrics."""

    def run_all() -> dict[tuple[str, str], tuple[Status, dict[str, float]]]:
        path = tmp_path / "cross_track.yaml"
        path.write_text(SUITE)
        library = Library(tmp_path / "data")
        library.ensure("digits")
        place = Workspace(tmp_path / "data", tmp_path / "out", "cpu", 1)
        planned = sweep(select(read_suite(path)), library, Store(place.out), "bench")
        found = {}
        for spec in planned.to_do:
            result = run_trial(spec, place)
            found[spec.task.task, spec.method.name] = (result.status, result.metrics)
        return found

    return run_all


def test_one_suite_holds_both_tracks_and_every_named_method_runs(
    run: Callable[[], dict[tuple[str, str], tuple[Status, dict[str, float]]]],
) -> None:
    found = run()
    assert set(found) == {
        ("parity|ink", "standard"), ("parity|ink", "dro"), ("value|ink", "dro"),
        ("digit|stroke", "standard"), ("digit|stroke", "reweighting"), ("digit|stroke", "dro"),
        ("digit|stroke", "jtt"),
    }  # fmt: skip
    skipped = {key for key, (status, _) in found.items() if status is Status.SKIPPED}
    assert skipped == {("value|ink", "dro")}  # a regression
    assert all(status is Status.OK for key, (status, _) in found.items() if key not in skipped)
    assert all("slope" in metrics for (task, _), (_, metrics) in found.items() if "stroke" in task)
    assert all("odds" in metrics for (task, _), (_, metrics) in found.items() if "parity" in task)
    groups = {metrics["groups"] for (task, _), (_, metrics) in found.items() if "stroke" in task}
    assert groups == {10}

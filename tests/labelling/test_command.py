"""`bench label` from a suite to a page, and from the page's answers to a result."""

from __future__ import annotations

import io
import json
import os
import shlex
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from bench.cli import main
from bench.data.dataset import Library, data_set
from bench.errors import BenchError, UsageError
from bench.labelling.command import LabelRequest, command_afterwards, opened, the_method, the_task
from bench.labelling.session import locked
from bench.result import Store
from bench.suites.reader import Suite, read_suite

SUITE = """
title: Small
seeds: 2
training: {backbone: small_cnn, epochs: 2, batch_size: 64, learning_rate: 1.0e-3, selection: last}
tasks:
  - {data: digits, task: "digit|ink", attack: {badnets: {rate: 0.5}}}
methods:
  - labor: {clustering: kmeans}
  - labor: {clustering: kmeans, clusters_per_class: 3}
  - no_defence
"""
TASK = "digits digit|ink under badnets[rate=0.5]"
LABOR = "labor[clustering=kmeans]"


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    (tmp_path / "small.yaml").write_text(SUITE)
    return read_suite(tmp_path / "small.yaml")


def wanted(folder: Path, **other: object) -> LabelRequest:
    fields = {
        "suite": "small.yaml", "task": "badnets", "method": LABOR, "seed": 1, "settings": (),
        "overrides": {}, "tags": folder / "tags.json", "data": folder / "data",
        "out": folder / "results", "device": "cpu", "threads": 1, "host": "127.0.0.1", "port": 0,
    }  # fmt: skip
    return LabelRequest(**{**fields, **other})  # type: ignore[arg-type]


def test_a_task_is_found_by_a_part_of_its_name(suite: Suite) -> None:
    assert the_task(suite, "badnets").name == TASK
    assert the_task(suite, TASK).name == TASK
    with pytest.raises(UsageError, match=r"--task: choose one of 'digits digit\|ink under"):
        the_task(suite, "")
    with pytest.raises(UsageError, match='--task: unknown task "mnist"'):
        the_task(suite, "mnist")


def test_a_suite_without_attacks_has_nothing_to_label() -> None:
    with pytest.raises(UsageError, match="adult has no task with an attack"):
        the_task(read_suite(Path("benchmarks/suites/adult.yaml")), "")


def test_a_method_must_ask_somebody_and_be_one(suite: Suite) -> None:
    assert the_method(suite, LABOR).label == LABOR
    assert the_method(suite, "labor[most=7]").parameters["most"] == 7
    with pytest.raises(UsageError, match=r"--method: choose one of 'labor.clustering=kmeans.', "):
        the_method(suite, "labor")
    with pytest.raises(UsageError, match="no_defence does not ask a person"):
        the_method(suite, "no_defence")
    with pytest.raises(UsageError, match=r'unknown method "labr"\. Did you mean "labor"'):
        the_method(suite, "labr")


def test_the_command_afterwards_is_about_this_task_and_seed(suite: Suite, tmp_path: Path) -> None:
    asked = wanted(tmp_path, tags=Path("my tags.json"), settings=("training.epochs=3",))
    words = command_afterwards(asked, the_task(suite, "badnets"), the_method(suite, LABOR))
    assert words == [
        "bench", "--suite", "small.yaml", "--tasks", TASK, "--seeds", "1-1", "--methods",
        "labor[clustering=kmeans,annotator=recorded,tags=my tags.json]",
        "--set", "training.epochs=3",
    ]  # fmt: skip


def test_the_answers_of_a_person_who_sees_the_trigger_become_a_result(
    suite: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    task, method = the_task(suite, "badnets"), the_method(suite, LABOR)
    asked = wanted(Path(), tags=Path("tags.json"), data=Path("data"), out=Path("results"))
    labelling, show = opened(asked, suite, task, method, Console(quiet=True))

    corners = []
    for row in range(60):
        pixels = np.asarray(Image.open(io.BytesIO(show(row).picture)))
        corners.append((pixels[-100:, -100:] == 255).all())
    assert 10 < sum(corners) < 50  # half of the pictures carry the white square

    options = data_set("digits").options()
    truth = Library(Path("data")).splits("digits", "digit|ink", options)["train"].y
    while now := labelling.next_sample:
        labelling.answer(labelling.step, labelling.queue.classes[truth[now.row]])

    command = ["label", "small.yaml", "--task", "badnets", "--method", LABOR, "--seed", "1",
               "--port", "0"]  # fmt: skip
    with closed(bench(*command)) as page:
        assert page.stdout is not None
        lines = [page.stdout.readline() for _ in range(3)]
        assert (
            lines[1]
            == f"10 clusters, at most 200 inspections; {labelling.step} are in tags.json already.\n"
        )
        address = lines[2].removeprefix("Open ").partition(" ")[0]
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with opener.open(address, timeout=20) as answer:
            assert "Done: every cluster has its inspections" in answer.read().decode()
        refused = pytest.raises(BenchError, match="another `bench label` is writing")
        with refused, locked(Path("tags.json")):
            pass
        page.send_signal(signal.SIGINT)
        last, errors = page.communicate(timeout=60)
    assert (page.returncode, errors) == (0, "")
    said, _, further = last.partition(" Then run: ")
    assert said == f"{labelling.step} tags are in tags.json."

    words = [*shlex.split(further), "--no-track", "--no-report", "--jobs", "1"]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 0
    store = Store(Path("results"))
    plan = store.read_plan("small")
    assert plan is not None
    [result] = store.read_all("small", [trial.key for trial in plan.trials])
    assert result.metrics["looks"] == labelling.inspections == len(json.loads(
        Path("tags.json").read_text())["tags"])  # fmt: skip


@contextmanager
def closed(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def bench(*arguments: str) -> subprocess.Popen[str]:
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen(
        [sys.executable, "-m", "bench", *arguments],
        env={**os.environ, "PYTHONPATH": str(root / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

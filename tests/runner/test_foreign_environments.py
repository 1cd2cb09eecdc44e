"""One plan has one set of result keys, whoever makes it, wherever, and in what environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.data.dataset import Library
from bench.labelling.command import the_method, the_task, the_trial
from bench.result import Store
from bench.runner.plan import select, spec, sweep
from bench.runner.trial import Workspace
from bench.suites.reader import Suite, read_suite

SUITE = """
title: Weights
description: Keys count the classifier's weights, the judge's, and those of the method's network.
seeds: 1
training: {epochs: 1, batch_size: 64, learning_rate: 1.0e-3}
tasks:
  - {data: digits, task: digit|ink, track: imperceptibility, training: {backbone: small_cnn}}
  - data: digits
    task: digit|ink
    attack: badnets
    training: {backbone: vgg16, weights: published, selection: last}
methods: [lpa, labor]
"""
FILES = ("squeezenet1_1-b8a52dc0.pth", "lpips_v0.1_squeeze.pth", "vgg16-397923af.pth")


def with_weights(folder: Path, content: str) -> Path:
    """A data folder with files of weights, which planning hashes and does not read."""
    (folder / "raw" / "weights").mkdir(parents=True)
    for name in FILES:
        (folder / "raw" / "weights" / name).write_text(f"{content} {name}")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = with_weights(tmp_path_factory.mktemp("own") / "data", "own")
    Library(folder).prepare("digits")
    return folder


@pytest.fixture
def suite_file(tmp_path: Path) -> Path:
    path = tmp_path / "weights.yaml"
    path.write_text(SUITE)
    return path


@pytest.fixture
def suite(suite_file: Path) -> Suite:
    return read_suite(suite_file, {})


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with other weights in ./data, to which the environment also points."""
    folder = tmp_path / "elsewhere"
    with_weights(folder / "data", "foreign")
    monkeypatch.setenv("BENCH_DATA", str(folder / "data"))
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.chdir(folder)
    return folder


def planned(suite: Suite, data: Path, tmp_path: Path) -> dict[tuple[str, str], str]:
    """Keys of a sweep by task and method."""
    plan = sweep(select(suite), Library(data), Store(tmp_path / "results"), "bench").plan
    return {(trial.task, trial.method): trial.key for trial in plan.trials}


def printed(suite_file: Path, *options: str) -> dict[tuple[str, str], str]:
    """The first eight digits of keys by task and method, as `bench --dry-run` prints them."""
    command = [sys.executable, "-m", "bench", "--suite", str(suite_file), "--dry-run", *options]
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    text = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    lines = re.findall(r"(?m)^([0-9a-f]{8})  to do +(.+) · (.+) · seed 0$", text.stdout)
    return {(task, method): key for key, task, method in lines}


def test_the_keys_of_this_suite_depend_on_the_folder_of_weights(
    suite: Suite, data: Path, foreign: Path, tmp_path: Path
) -> None:
    """Otherwise the next tests could not fail."""
    Library(foreign / "data").prepare("digits")
    own, other = (planned(suite, folder, tmp_path) for folder in (data, foreign / "data"))
    assert len(own) == 3
    assert own.keys() == other.keys()
    assert not set(own.values()) & set(other.values())


def test_python_and_bench_label_plan_the_keys_of_bench_wherever_they_run(
    suite: Suite,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.setenv("BENCH_DATA", str(data))
    keys = planned(suite, data, tmp_path)
    request.getfixturevalue("foreign")
    assert planned(suite, data, tmp_path) == keys
    place = Workspace(data, tmp_path / "results", "cpu", 1)
    for task in suite.tasks:
        for method in suite.methods:
            if method.track == task.track:
                meta = Library(data).meta(task.data, task.options)
                by_hand = spec(suite.name, task, method, 0, meta, place.weights)
                assert by_hand.key == keys[task.name, method.label]
    task, method = the_task(suite, "badnets"), the_method(suite, "labor")
    assert the_trial(suite, task, method, 0, place).key == keys[task.name, method.label]


@pytest.mark.usefixtures("foreign")
def test_the_command_prints_the_keys_of_python_whatever_the_environment_says(
    suite: Suite, suite_file: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {name: key[:8] for name, key in planned(suite, data, tmp_path).items()}
    assert printed(suite_file, "--data", str(data)) == keys
    monkeypatch.setenv("BENCH_DATA", str(data))  # the option's other spelling
    assert printed(suite_file) == keys

"""kill -9 at random moments: nothing finished is lost, nothing is run twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.reports.boards.tables import COSTS
from bench.runner.template import CHILD, KEEP_FREED, TEMPLATE

SUITE = """
title: Small trials
seeds: 3
training: {backbone: small_cnn, epochs: 2, batch_size: 64, learning_rate: 1.0e-3}
tasks:
  - {data: digits, task: parity|ink}
methods: [standard, undersampling, mfd, bade]
"""
TRIALS = 12
KILLS = int(os.environ.get("KILLS", "40"))
"""How many `make kill` does."""


def start(folder: Path, *options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "bench", "--suite", "small.yaml", "--jobs", "2", *options],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def finished(folder: Path) -> dict[str, tuple[str, str]]:
    """Key -> status and moment of every result on disk; each must be whole."""
    found = {}
    for path in (folder / "results" / "small" / "trials").glob("*.json"):
        result = json.loads(path.read_text())
        found[result["key"]] = (result["status"], result["finished"])
    return found


def below(parent: subprocess.Popen[bytes], name: str) -> list[psutil.Process]:
    """The processes of a sweep that have this name."""
    processes = []
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(parent.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if child.name() == name:
                    processes.append(child)
    return processes


def table(folder: Path) -> list[dict[str, Any]]:
    """What the pages show, less what a clock measured."""
    rows = json.loads((folder / "site" / "small" / "results.json").read_text())
    rows = rows["results"] if isinstance(rows, dict) else rows
    return [row for row in rows if row["metric"] not in COSTS]


def kill_at_random(folder: Path, luck: random.Random, kind: str, *options: str) -> None:
    """Start a sweep and kill its parent, its template or one of its trials somewhere on the way.

    Only the death of the parent may end the sweep.
    """
    sweep = start(folder, *options)
    with suppress(subprocess.TimeoutExpired):
        sweep.communicate(timeout=luck.uniform(0.5, 10))
    if sweep.poll() is not None:
        return
    everything = [*below(sweep, TEMPLATE), *below(sweep, CHILD)]
    if kind != "parent":
        for process in below(sweep, kind)[:1]:
            process.send_signal(signal.SIGKILL)
        _, errors = sweep.communicate(timeout=300)
        assert sweep.returncode in (0, 1), errors.decode()
        assert b"Traceback" not in errors, errors.decode()
        return
    sweep.kill()
    sweep.communicate()
    _, survivors = psutil.wait_procs(everything, timeout=20)
    assert not survivors, "trials outlived their parent"


@pytest.mark.parametrize(
    ("kills", "options"),
    [
        pytest.param(KILLS, (), marks=pytest.mark.slow),
        (3, ("--no-track",)),
    ],  # MLflow takes its time
)
def test_kill_nine_costs_the_running_trials_and_nothing_else(
    tmp_path: Path, kills: int, options: tuple[str, ...]
) -> None:
    calm, stormy = tmp_path / "calm", tmp_path / "stormy"
    for folder in (calm, stormy):
        folder.mkdir()
        (folder / "small.yaml").write_text(SUITE)
    undisturbed = start(calm, *options)
    undisturbed.communicate(timeout=600)
    assert undisturbed.returncode == 0

    luck = random.Random(kills)
    settled: dict[str, tuple[str, str]] = {}
    for number in range(kills):
        kill_at_random(stormy, luck, ("parent", CHILD, TEMPLATE)[number % 3], *options)
        now = finished(stormy)
        for key, outcome in settled.items():
            assert now[key] == outcome, "a finished trial was lost or run again"
        settled = {key: outcome for key, outcome in now.items() if outcome[0] == "ok"}
        if len(settled) == TRIALS and number < kills - 1:
            # All done before all kills were spent: take some results away and go on.
            for key in luck.sample(sorted(settled), TRIALS // 2):
                (stormy / "results" / "small" / "trials" / f"{key}.json").unlink()
                del settled[key]

    last = start(stormy, *options)
    _, errors = last.communicate(timeout=600)
    assert last.returncode == 0, errors.decode()
    now = finished(stormy)
    assert len(now) == TRIALS
    assert all(now[key] == outcome for key, outcome in settled.items())
    assert not list(stormy.rglob("*.tmp"))
    assert table(stormy) == table(calm)


def pause(sweep: subprocess.Popen[bytes]) -> None:
    """Give a sweep some time, for asking without pause would cost it a core; it must not end."""
    with suppress(subprocess.TimeoutExpired):
        pytest.fail(f"the sweep ended too early, with {sweep.wait(0.05)}")


def begun(folder: Path, *options: str) -> subprocess.Popen[bytes]:
    """A sweep of which one trial has finished."""
    (folder / "small.yaml").write_text(SUITE)
    sweep = start(folder, "--no-track", *options)
    deadline = time.monotonic() + 120
    while not finished(folder):
        assert time.monotonic() < deadline, "no trial ever finished"
        pause(sweep)
    return sweep


def one(sweep: subprocess.Popen[bytes], name: str) -> psutil.Process:
    """A process of the sweep with this name, as soon as there is one."""
    deadline = time.monotonic() + 60
    while not (processes := below(sweep, name)):
        assert time.monotonic() < deadline, f"there was no {name}"
        pause(sweep)
    return processes[0]


def test_a_killed_trial_costs_only_itself_and_the_sweep_goes_on(tmp_path: Path) -> None:
    sweep = begun(tmp_path, "--set", "training.epochs=20")
    trial = one(sweep, CHILD)
    assert trial.environ().items() >= KEEP_FREED.items()
    trial.send_signal(signal.SIGKILL)
    _, errors = sweep.communicate(timeout=300)
    statuses = sorted(status for status, _ in finished(tmp_path).values())
    assert len(statuses) == TRIALS, errors.decode()
    assert statuses.count("failed") <= 1
    assert sweep.returncode == statuses.count("failed")


def test_a_killed_template_costs_nothing_but_time(tmp_path: Path) -> None:
    sweep = begun(tmp_path, "--set", "training.epochs=20")
    for _ in range(2):
        template = one(sweep, TEMPLATE)
        template.send_signal(signal.SIGKILL)
        template.wait(20)
    _, errors = sweep.communicate(timeout=300)
    assert sweep.returncode == 0, errors.decode()
    assert [status for status, _ in finished(tmp_path).values()] == ["ok"] * TRIALS

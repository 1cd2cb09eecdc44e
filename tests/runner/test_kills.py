"""kill -9 at random moments: nothing finished is lost, nothing is run twice."""

from __future__ import annotations

import json
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
from bench.runner.engine import KEEP_FREED

SUITE = """
title: Small trials
seeds: 3
training: {backbone: small_cnn, epochs: 2, batch_size: 64, learning_rate: 1.0e-3}
tasks:
  - {data: digits, task: parity|ink}
methods: [standard, undersampling, mfd, bade]
"""
TRIALS = 12


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


def workers(parent: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Processes that run trials."""
    with suppress(psutil.NoSuchProcess):
        children = psutil.Process(parent.pid).children()
        return [child for child in children if "spawn_main" in " ".join(child.cmdline())]
    return []


def table(folder: Path) -> list[dict[str, Any]]:
    """What the pages show, less what a clock measured."""
    rows = json.loads((folder / "site" / "small" / "results.json").read_text())
    rows = rows["results"] if isinstance(rows, dict) else rows
    return [row for row in rows if row["metric"] not in COSTS]


def kill_at_random(folder: Path, luck: random.Random, kind: str, *options: str) -> None:
    """Start a sweep and kill its parent, or one of its workers, somewhere on the way."""
    sweep = start(folder, *options)
    with suppress(subprocess.TimeoutExpired):
        sweep.communicate(timeout=luck.uniform(2, 14))
    if sweep.poll() is not None:
        return
    if kind == "worker" and (alive := workers(sweep)):
        luck.choice(alive).send_signal(signal.SIGKILL)
        sweep.communicate(timeout=300)
        return
    orphans = workers(sweep)
    sweep.kill()
    sweep.communicate()
    _, survivors = psutil.wait_procs(orphans, timeout=20)
    assert not survivors, "workers outlived their parent"


@pytest.mark.parametrize(
    ("kills", "options"),
    [pytest.param(20, (), marks=pytest.mark.slow), (4, ("--no-track",))],  # MLflow takes its time
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
        kill_at_random(stormy, luck, ("parent", "worker")[number % 2], *options)
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


def test_a_killed_worker_costs_only_its_trial_and_the_sweep_goes_on(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SUITE)
    sweep = start(tmp_path, "--no-track")
    deadline = time.monotonic() + 120
    while not finished(tmp_path):
        assert time.monotonic() < deadline, "no trial ever finished"
        pause(sweep)
    first = workers(sweep)
    first[0].send_signal(signal.SIGKILL)
    while not (replaced := set(workers(sweep)) - set(first)):
        assert time.monotonic() < deadline, "the killed worker was not replaced"
        pause(sweep)
    for worker in (first[1], *replaced):
        assert worker.environ().items() >= KEEP_FREED.items()
    _, errors = sweep.communicate(timeout=300)
    statuses = sorted(status for status, _ in finished(tmp_path).values())
    assert len(statuses) == TRIALS, errors.decode()
    assert statuses.count("failed") <= 1
    assert sweep.returncode == statuses.count("failed")

"""A whole sweep beside a server that misbehaves: all its trials, its pages, and one sentence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bench.speed.overhead import METHOD, SUITE
from tests.tracking.broken_servers import NOBODY, WAYS, listening

TRIALS = 4
LOGGER = "bench.tracking.logger"
QUICK = ("drip_the_body",)


def start(folder: Path, trials: int, *options: str) -> subprocess.Popen[str]:
    """`bench --suite` with trials that do nothing."""
    (folder / "methods").mkdir()
    (folder / "methods" / "nothing.py").write_text(METHOD)
    (folder / "nothing.yaml").write_text(SUITE.format(trials=trials))
    return subprocess.Popen(
        [sys.executable, "-m", "bench", "--suite", "nothing.yaml", "--jobs", "2", *options],
        cwd=folder,
        env=os.environ
        | {
            "BENCH_METHODS": str(folder / "methods"),
            "MLFLOW_HTTP_REQUEST_TIMEOUT": "1",
            "TMPDIR": str(folder),  # one that is killed leaves its temporary folder
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def results(folder: Path) -> list[Path]:
    return list((folder / "results" / "nothing" / "trials").glob("*.json"))


def loggers(parent: int) -> list[psutil.Process]:
    """The processes of a sweep that log."""
    return [child for child in psutil.Process(parent).children() if LOGGER in child.cmdline()]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow)
        for name in (*WAYS, *NOBODY)
    ],
)
def test_a_sweep_ends_well_whatever_the_server_does(tmp_path: Path, name: str) -> None:
    if name in NOBODY:
        process = start(tmp_path, TRIALS, "--tracking-uri", NOBODY[name]())
        said, _ = process.communicate(timeout=120)
    else:
        with listening(WAYS[name]) as uri:
            process = start(tmp_path, TRIALS, "--tracking-uri", uri)
            said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    statuses = [json.loads(path.read_text())["status"] for path in results(tmp_path)]
    assert statuses == ["ok"] * TRIALS
    assert (tmp_path / "site" / "nothing" / "index.html").exists()
    sentences = [line for line in said.splitlines() if line.startswith("MLflow at ")]
    assert len(sentences) == 1, said
    assert f"{TRIALS} of {TRIALS} results were not logged" in sentences[0]
    assert "Traceback" not in said


def test_no_logger_outlives_a_sweep_that_was_killed(tmp_path: Path) -> None:
    with start(tmp_path, 2000) as sweep:
        begun = time.monotonic()
        while len(results(tmp_path)) < 3:
            assert sweep.poll() is None
            assert time.monotonic() - begun < 60
            time.sleep(0.05)
        found = loggers(sweep.pid)
        sweep.send_signal(signal.SIGKILL)
    assert len(found) == 1
    assert psutil.wait_procs(found, timeout=5)[1] == []

"""Whole sweeps through the real command, with methods that misbehave."""

from __future__ import annotations

import csv
import json
import os
import pty
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from textwrap import dedent

import pytest

SUITE = """
title: Misbehaving methods
seeds: 2
training: {backbone: small_cnn, epochs: 1, batch_size: 64, learning_rate: 1.0e-3}
tasks:
  - {data: digits, task: parity|ink}
methods: [standard, crash]
"""

METHOD = '''
"""A method for tests: %(name)s."""

import os
import signal
import time
from dataclasses import dataclass
from typing import ClassVar

import torch

from bench.errors import Skip
from bench.method import Paper
from bench.tracks.debiasing import Debiaser


@dataclass(frozen=True)
class Misbehaving(Debiaser):
    """Nobody (2026), section 0."""

    paper: ClassVar[Paper] = Paper("Nobody (2026)", "None")

    def fit(self, task, context):
        %(body)s
'''

BODIES = {
    "crash": 'raise RuntimeError("the flux capacitor is empty")',
    "slow": "time.sleep(600)",
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "hungry": "hold = [torch.ones(2**24) for _ in range(200) if not time.sleep(0.05)]",
    "telling": '[context.report_progress("step", i + 1, 4) or time.sleep(0.8) for i in range(4)]; '
    'raise Skip("told enough")',
    "picky": 'raise Skip("needs left-handed data")',
    "diverging": "return context.train(task.new_model(), task.train, "
    'lambda model, batch: model(batch.x).sum() * float("nan"))',
}


class Bench:
    """The command in a folder of its own, with the methods above at hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        plugins = folder / "private"
        plugins.mkdir()
        for name, body in BODIES.items():
            (plugins / f"{name}.py").write_text(METHOD % {"name": name, "body": body})
        (folder / "odd.yaml").write_text(SUITE)
        self.environment = {**os.environ, "BENCH_METHODS": str(plugins), "COLUMNS": "200"}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "bench", "--suite", "odd.yaml", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, track: bool = False) -> subprocess.CompletedProcess[str]:
        options = arguments if track else ("--no-track", *arguments)
        process = self.start(*options)
        output, errors = process.communicate(timeout=300)
        return subprocess.CompletedProcess(options, process.returncode, output, errors)

    def results(self) -> dict[tuple[str, int], dict]:
        found = [
            json.loads(path.read_text())
            for path in (self.folder / "results" / "odd" / "trials").glob("*.json")
        ]
        return {(result["method"], result["seed"]): result for result in found}


def read_until(process: subprocess.Popen[str], text: str) -> None:
    """Read what a running command prints up to a line with `text`."""
    assert process.stdout
    for line in process.stdout:
        if text in line:
            return
    pytest.fail(f"the command ended without saying {text!r}")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_crash_stays_where_it_happened_and_is_told(bench: Bench) -> None:
    done = bench.run("--jobs", "2")
    assert done.returncode == 1, done.stderr
    results = bench.results()
    assert {key: r["status"] for key, r in results.items()} == {
        ("standard", 0): "ok",
        ("standard", 1): "ok",
        ("crash", 0): "failed",
        ("crash", 1): "failed",
    }
    failed = results["crash", 0]
    assert failed["reason"] == "RuntimeError: the flux capacitor is empty"
    assert "in fit" in failed["traceback"]
    assert failed["metrics"] == {}
    page = (bench.folder / "site" / "odd" / "index.html").read_text()
    assert "the flux capacitor is empty" in page
    assert "2 trials failed" in done.stdout


def test_every_way_to_end_has_its_status_and_reason(bench: Bench) -> None:
    done = bench.run(
        "--methods", "slow,killed,hungry,picky,diverging,standard",
        "--seeds", "1", "--jobs", "2", "--timeout", "12", "--memory-limit", "3000",
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    ended = {method: (r["status"], r["reason"]) for (method, _), r in bench.results().items()}
    assert ended["standard"] == ("ok", None)
    assert ended["picky"] == ("skipped", "needs left-handed data")
    assert ended["slow"] == ("timeout", "took longer than 12 seconds")
    assert ended["killed"][0] == "failed"
    assert "SIGKILL" in ended["killed"][1]
    assert ended["hungry"] == ("failed", "its process grew over the memory limit of 3000 MiB")
    assert ended["diverging"] == ("failed", "diverged: the loss was nan in epoch 1")


def test_another_suite_takes_over_what_this_one_has_finished(bench: Bench) -> None:
    bench.run("--methods", "standard,picky", "--seeds", "1")
    (bench.folder / "even.yaml").write_text(SUITE.replace("Misbehaving", "The same"))
    done = bench.run("--suite", "even.yaml", "--methods", "standard,picky", "--seeds", "2")
    assert done.returncode == 0, done.stderr
    assert "0 finished, 2 from other suites, 2 to do" in done.stdout
    results = bench.folder / "results"
    for path in (results / "odd" / "trials").glob("*.json"):
        there = json.loads(path.read_text())
        here = json.loads((results / "even" / "trials" / path.name).read_text())
        assert here == there | {"suite": "even"}
    assert len(list((results / "even" / "trials").glob("*.json"))) == 4


def test_on_a_terminal_running_trials_say_how_far_they_are(bench: Bench) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "bench", "--suite", "odd.yaml", "--no-track",
         "--methods", "telling", "--seeds", "1", "--jobs", "1"],
        cwd=bench.folder, env={**bench.environment, "TERM": "xterm"}, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    with suppress(OSError):  # Linux's way to say that the other end is closed
        while part := os.read(ours, 4096):
            seen += part
    os.close(ours)
    assert process.wait(60) == 0, seen
    shown = seen.decode()
    assert "1 running" in shown
    assert [f"step {i} of 4" in shown for i in (2, 4)] == [True, True]
    assert "told enough" in shown


def test_a_second_start_runs_nothing_finished_and_retries_what_failed(bench: Bench) -> None:
    bench.run("--methods", "standard,crash,picky", "--seeds", "1")
    before = {key: r["finished"] for key, r in bench.results().items()}
    again = bench.run("--methods", "standard,crash,picky", "--seeds", "1")
    after = {key: r["finished"] for key, r in bench.results().items()}
    assert "2 finished, 1 to do, 1 of them failed before" in again.stdout
    assert after["standard", 0] == before["standard", 0]
    assert after["picky", 0] == before["picky", 0]
    assert after["crash", 0] > before["crash", 0]


def test_fail_fast_stops_at_the_first_failure(bench: Bench) -> None:
    done = bench.run("--methods", "crash,standard", "--jobs", "1", "--seeds", "3", "--fail-fast")
    assert done.returncode == 1
    assert len(bench.results()) < 6
    assert "5 trials not run" in done.stdout


def test_the_same_seed_gives_the_same_numbers_whatever_the_number_of_jobs(bench: Bench) -> None:
    chosen = ("--methods", "standard,adversarial,mfd,rnf,bade", "--seeds", "1")
    bench.run(*chosen, "--jobs", "1")
    first = {key: (r["metrics"], r["curves"]) for key, r in bench.results().items()}
    assert len(first) == 5
    bench.run(*chosen, "--jobs", "2", "--out", "again")
    for path in (bench.folder / "again" / "odd" / "trials").glob("*.json"):
        result = json.loads(path.read_text())
        assert (result["metrics"], result["curves"]) == first[result["method"], 0]


def test_a_damaged_result_is_run_again(bench: Bench) -> None:
    chosen = ("--methods", "standard", "--seeds", "2", "--no-track")
    bench.run(*chosen)
    path, other = sorted((bench.folder / "results" / "odd" / "trials").glob("*.json"))
    path.write_text("")
    kept = other.read_bytes()
    again = bench.run(*chosen)
    assert again.returncode == 0, again.stderr
    assert "1 finished, 1 to do" in again.stdout
    assert json.loads(path.read_text())["status"] == "ok"
    assert other.read_bytes() == kept


def test_shared_work_is_built_once_and_charged_to_all(bench: Bench) -> None:
    bench.run("--methods", "standard,mfd,rnf", "--seeds", "1", "--jobs", "2")
    shared = {r["cost"]["shared_seconds"] for r in bench.results().values()}
    assert len(shared) == 1
    assert shared.pop() > 0
    assert len(list((bench.folder / "results" / "cache").glob("*.safetensors"))) == 1


def test_two_sweeps_in_one_folder_are_refused(bench: Bench) -> None:
    first = bench.start("--methods", "slow", "--seeds", "1", "--no-track")
    try:
        read_until(first, "to do")
        second = bench.run("--methods", "standard", "--seeds", "1")
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.communicate()
    assert second.returncode == 2
    assert second.stderr.startswith("bench: another bench run is using results")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_sweep_at_once_and_leaves_nothing_half_written(
    bench: Bench, number: signal.Signals, code: int
) -> None:
    process = bench.start("--methods", "standard,slow", "--seeds", "1", "--jobs", "2", "--no-track")
    read_until(process, "standard · seed 0")
    process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == code
    assert "same command resumes" in output
    assert list(bench.results()) == [("standard", 0)]
    assert not list(bench.folder.rglob("*.tmp"))


def test_results_csv_never_holds_a_number_for_a_failed_trial(bench: Bench) -> None:
    bench.run("--seeds", "1")
    with (bench.folder / "site" / "odd" / "results.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["method"] == "crash"]
    assert {row["status"] for row in rows} == {"failed"}
    assert {row["value"] for row in rows if row["metric"] in ("odds", "eacc")} <= {""}


def test_a_sweep_is_logged_to_mlflow_as_it_runs(bench: Bench) -> None:
    done = bench.run("--methods", "standard,crash", "--seeds", "1", track=True)
    assert done.returncode == 1, done.stderr
    code = dedent("""
        from mlflow.tracking import MlflowClient
        client = MlflowClient("sqlite:///results/mlflow.db")
        [experiment] = [e for e in client.search_experiments() if e.name == "odd"]
        runs = client.search_runs([experiment.experiment_id])
        print(sorted((r.data.tags["bench.kind"], r.info.status) for r in runs))
    """)
    read = subprocess.run(
        [sys.executable, "-c", code], cwd=bench.folder, capture_output=True, text=True, check=True
    )
    assert read.stdout.strip() == str([
        ("summary", "FAILED"), ("summary", "FINISHED"),
        ("sweep", "FINISHED"), ("trial", "FAILED"), ("trial", "FINISHED"),
    ])  # fmt: skip


def test_an_unreachable_tracking_server_costs_one_line_and_nothing_else(bench: Bench) -> None:
    done = bench.run(
        "--methods", "standard", "--tracking-uri", "http://127.0.0.1:9", "--seeds", "2", track=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("bench log") == 1
    assert [r["status"] for r in bench.results().values()] == ["ok", "ok"]

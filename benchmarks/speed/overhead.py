"""What a trial costs beyond its own work: a sweep of trials that do nothing, logged to MLflow.

    python -m bench.speed.overhead [--trials 500] [--jobs 2]

A plug-in method returns a constant model at once, on `digits`, one trial a seed. The sweep is the
real command, from planning to MLflow and pages, in a temporary folder.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.disk.files import temporary_folder
from bench.ending import conclude_typer
from bench.runner.template import environment

METHOD = '''
"""A method that does nothing."""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from bench.method import Paper
from bench.tracks.debiasing import Debiaser


class Constant(nn.Module):
    def forward(self, x):
        return x.new_zeros(len(x), 2).float()


@dataclass(frozen=True)
class Nothing(Debiaser):
    """Nobody (2026), section 0."""

    paper: ClassVar[Paper] = Paper("Nobody (2026)", "None")

    def fit(self, task, context):
        return Constant()
'''
SUITE = """
title: Trials that do nothing
seeds: {trials}
training: {{backbone: small_cnn, epochs: 1, batch_size: 64, learning_rate: 1.0e-3}}
tasks:
  - {{data: digits, task: parity|ink}}
methods: [nothing]
"""
EVERY_SECONDS = 0.2


def peak_mib(process: int) -> float:
    """The most memory that a process has held so far, by Linux; 0 where it is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


def measure(trials: int, jobs: int, folder: Path) -> tuple[float, float]:
    """Run a sweep in a folder; its wall-clock in seconds, and its parent's peak memory in MiB."""
    (folder / "methods").mkdir()
    (folder / "methods" / "nothing.py").write_text(METHOD)
    (folder / "nothing.yaml").write_text(SUITE.format(trials=trials))
    command = [sys.executable, "-m", "bench", "--suite", "nothing.yaml", "--jobs", f"{jobs}"]
    begin, peak = time.monotonic(), 0.0
    methods = {"BENCH_METHODS": str(folder / "methods")}
    with tempfile.TemporaryFile() as output, environment(methods):
        process = subprocess.Popen(  # noqa: S603 - our own command, no shell
            command,
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        while process.poll() is None:
            peak = max(peak, peak_mib(process.pid))
            time.sleep(EVERY_SECONDS)
        seconds = time.monotonic() - begin
        output.seek(0)
        said = output.read().decode()
    if process.returncode or "MLflow at" in said:
        raise RuntimeError(f"the sweep ended with {process.returncode}:\n{said}")
    return seconds, peak


def main(trials: int = 500, jobs: int = 2) -> None:
    """Measure and print what a trial costs."""
    with temporary_folder("bench-speed-") as folder:
        seconds, peak = measure(trials, jobs, folder)
    table = Table("trials", "jobs", "wall-clock, s", "s a trial", "peak of the parent, MiB")
    table.add_row(
        f"{trials:,}", f"{jobs}", f"{seconds:.0f}", f"{seconds / trials:.3f}", f"{peak:.0f}"
    )
    Console(width=110).print(table)


if __name__ == "__main__":
    conclude_typer(main)

"""The display of a running sweep: live on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bench import heartbeat
from bench.errors import printable
from bench.outside.terminal import one_line
from bench.result import Result, Status, TrackInfo
from bench.runner.engine import Job

STYLES = {
    Status.OK: "green",
    Status.FAILED: "red",
    Status.TIMEOUT: "red",
    Status.SKIPPED: "yellow",
}

LONGEST_REPORT = 200
"""Characters of a report of progress; a live display has a line a trial."""


class Progress:
    """Counts trials and shows them: done, running, failed, and the time left.

    Args:
        console: where to write; a live display on a terminal, else a line a trial.
        total: trials of this run.
        tracks: the tracks of the trials, with their metrics.
        heartbeats: folder in which running trials report their progress, a file each.
    """

    def __init__(
        self, console: Console, total: int, tracks: Sequence[TrackInfo], heartbeats: Path
    ) -> None:
        self.console, self.total, self.heartbeats = console, total, heartbeats
        self.tracks = {track.name: track for track in tracks}
        self.begin = time.monotonic()
        self.running: dict[str, tuple[Job, float]] = {}
        self.ended: list[Status] = []
        self.live = Live(self, console=console, transient=True, refresh_per_second=4)

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.console.is_terminal:
            self.live.stop()

    def started(self, job: Job) -> None:
        """Show a trial as running from now on."""
        self.running[job.key] = (job, time.monotonic())

    def finished(self, result: Result) -> None:
        """Print the line of a trial that ended."""
        self.running.pop(result.key, None)
        self.ended.append(result.status)
        place = f"{len(self.ended):>{len(str(self.total))}}/{self.total}"
        line = Text(f"{place}  ")
        line.append(f"{result.status:8}", STYLES[result.status])
        line.append(printable(f"{result.task} · {result.method} · seed {result.seed}"))
        line.append(f"  {result.cost.seconds:.1f} s", "dim")
        if result.status is Status.OK:
            line.append(f"  {headline(result, self.tracks[result.track])}")
        if result.reason:
            line.append(f"  {printable(result.reason)}", STYLES[result.status])
        if not self.console.is_terminal:
            line.append(f"  left: {self.time_left()}", "dim")
        self.console.print(line, soft_wrap=True)

    def failed(self) -> int:
        """Trials of this run that failed or timed out."""
        return sum(status in (Status.FAILED, Status.TIMEOUT) for status in self.ended)

    def time_left(self) -> str:
        """An estimate, in words, from the mean time of the trials that ended."""
        if not self.ended:
            return "unknown"
        pace = (time.monotonic() - self.begin) / len(self.ended)
        return duration(pace * (self.total - len(self.ended)))

    def __rich__(self) -> Group:
        bar = Table.grid(padding=(0, 2))
        bar.add_row(
            ProgressBar(total=max(1, self.total), completed=len(self.ended), width=30),
            f"{len(self.ended)} of {self.total} done",
            f"{len(self.running)} running",
            Text(f"{self.failed()} failed", "red" if self.failed() else "dim"),
            f"{self.time_left()} left",
        )
        now = time.monotonic()
        return Group(bar, *(self._line(job, now - since) for job, since in self.running.values()))

    def _line(self, job: Job, seconds: float) -> Text:
        line = one_line(f"  {job.title}  {duration(seconds)}", "dim")
        if report := heartbeat.read(self.heartbeats / job.key):
            line.append(f"  {printable(report, LONGEST_REPORT)}", "cyan")
        return line


def headline(result: Result, track: TrackInfo) -> str:
    """The track's headline metrics that a result has: rates in per cent, others as they are."""
    shown = [metric for metric in track.metrics if metric.headline]
    return ", ".join(
        f"{m.name} {100 * value:.1f}" if m.unit == "%" else f"{m.name} {value:.4f}"
        for m in shown
        if (value := result.metrics.get(m.name)) is not None
    )


def duration(seconds: float) -> str:
    """Seconds for people: 48 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"

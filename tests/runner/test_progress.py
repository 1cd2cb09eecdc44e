"""The display of a running sweep, as a person sees it: on a terminal, and in a file."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from bench.result import Result
from bench.runner import progress as displays
from bench.runner.engine import Job
from bench.runner.progress import Progress, duration
from bench.tracks.registry import tracks
from tests.tracking.tracking_examples import make_plan, make_result

TRACKS = [track.info for track in tracks().values()]


class Screen(io.StringIO):
    """A terminal: keeps what stands on it after the control sequences that rich uses."""

    def __init__(self) -> None:
        super().__init__()
        self.state: tuple[list[str], int, int] = ([""], 0, 0)  # lines, row and column of the cursor

    def write(self, text: str) -> int:
        lines, row, column = list(self.state[0]), *self.state[1:]
        for part in re.findall(r"\x1b\[[\d;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
            if part == "\n":
                row, column = row + 1, 0
                lines += [""] * (row + 1 - len(lines))
            elif part == "\r":
                column = 0
            elif not part.startswith("\x1b"):
                end = column + len(part)
                lines[row] = lines[row].ljust(column)[:column] + part + lines[row][end:]
                column = end
            elif part.endswith("A"):
                row -= int(part[2:-1] or 1)
            elif part.endswith("K"):
                lines[row] = ""
        self.state = (lines, row, column)  # at once: the display is drawn by a thread of its own
        return len(text)

    @property
    def shown(self) -> str:
        return "\n".join(line.rstrip() for line in self.state[0]).strip()


class Clock:
    """Stands in for the module `time`."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    stopped = Clock()
    monkeypatch.setattr(displays, "time", stopped)
    return stopped


@pytest.fixture
def job() -> Callable[[str, int], Job]:
    """Trials of a small suite."""

    def trial(method: str, seed: int) -> Job:
        task = "digits parity|ink"
        known = {"key": f"{method}{seed}", "task": task, "method": method, "seed": seed}
        return Job(known, b"")

    return trial


def ended(job: Job, status: str = "ok", **changes: object) -> Result:
    plan = make_plan("toy")
    return make_result(plan, plan.trials[0], **job.known, status=status, **changes)


def on_terminal(screen: Screen) -> Console:
    return Console(file=screen, force_terminal=True, color_system=None, width=100, height=30)


def test_running_trials_stand_below_the_counts_with_their_time_and_their_last_report(
    tmp_path: Path, clock: Clock, job: Callable[[str, int], Job]
) -> None:
    screen = Screen()
    with Progress(on_terminal(screen), 4, TRACKS, tmp_path) as progress:
        progress.started(job("standard", 0))
        clock.seconds += 62
        progress.started(job("bade", 0))
        (tmp_path / "bade0").write_text("teacher, epoch 3 of 10")
        clock.seconds += 5
        progress.live.refresh()
        counts, first, second = screen.shown.splitlines()
        for words in ("0 of 4 done", "2 running", "0 failed", "unknown left"):
            assert words in counts
        assert first.split("  ")[1:] == ["digits parity|ink · standard · seed 0", "1 min 7 s"]
        assert second.split("  ")[1:] == [
            "digits parity|ink · bade · seed 0", "5 s", "teacher, epoch 3 of 10"
        ]  # fmt: skip


def test_a_trial_that_ends_leaves_one_line_above_the_counts(
    tmp_path: Path, clock: Clock, job: Callable[[str, int], Job]
) -> None:
    screen = Screen()
    with Progress(on_terminal(screen), 3, TRACKS, tmp_path) as progress:
        for method in ("standard", "bade"):
            progress.started(job(method, 0))
            clock.seconds += 30
            metrics = {"odds": 0.123}
            progress.finished(ended(job(method, 0), metrics=metrics))
        progress.live.refresh()
        first, second, counts = screen.shown.splitlines()
        assert first.startswith("1/3  ok")
        assert "digits parity|ink · standard · seed 0" in first
        assert "odds 12.3" in first
        assert second.startswith("2/3  ok")
        # Two trials took a minute together, so one more takes half of that.
        for words in ("2 of 3 done", "0 running", "0 failed", "30 s left"):
            assert words in counts


@pytest.mark.parametrize(("status", "failures"), [("failed", 1), ("timeout", 1), ("skipped", 0)])
def test_a_trial_that_did_not_end_well_says_why_and_is_counted(
    tmp_path: Path,
    clock: Clock,
    job: Callable[[str, int], Job],
    status: str,
    failures: int,
) -> None:
    screen = Screen()
    with Progress(on_terminal(screen), 2, TRACKS, tmp_path) as progress:
        progress.started(job("bade", 1))
        clock.seconds += 1
        reason = "no such luck"
        progress.finished(ended(job("bade", 1), status, metrics={"odds": 0.123}, reason=reason))
        progress.live.refresh()
        line, counts = screen.shown.splitlines()
        assert line.startswith(f"1/2  {status}")
        assert line.endswith(reason)
        assert "odds" not in line
        assert f"{failures} failed" in counts
    assert progress.failed() == failures


def test_after_an_interruption_only_the_lines_of_trials_stay(
    tmp_path: Path, clock: Clock, job: Callable[[str, int], Job]
) -> None:
    screen = Screen()

    def interrupted() -> None:
        with Progress(on_terminal(screen), 5, TRACKS, tmp_path) as progress:
            progress.finished(ended(job("standard", 0)))
            progress.started(job("standard", 1))
            progress.live.refresh()
            assert len(screen.shown.splitlines()) == 3
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    [line] = screen.shown.splitlines()
    assert line.startswith("1/5  ok")


def test_without_a_terminal_each_trial_is_a_line_with_the_time_left_and_no_control_sequence(
    tmp_path: Path, clock: Clock, job: Callable[[str, int], Job]
) -> None:
    file = io.StringIO()
    with Progress(Console(file=file, width=40), 12, TRACKS, tmp_path) as progress:
        progress.started(job("bade", 0))
        clock.seconds += 600
        progress.finished(ended(job("bade", 0)))
    assert "\x1b" not in file.getvalue()
    [line] = file.getvalue().splitlines()  # longer than the file is wide, and not broken
    assert line.startswith(" 1/12  ok")
    assert line.endswith("left: 1 h 50 min")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_durations_are_written_for_people(seconds: float, words: str) -> None:
    assert duration(seconds) == words

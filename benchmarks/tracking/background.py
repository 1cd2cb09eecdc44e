"""Logging to MLflow from a process of its own, which a sweep never waits for until its end.

A server that is slow, hangs or answers nonsense costs the trials nothing: the parent only writes
keys into a pipe, and never waits for room in it. At the end it waits while there is progress, and
gives up after a stated time. Everything about MLflow, its import, its memory, its settings in the
environment, stays in that process, which ends with its parent.
"""

from __future__ import annotations

import json
import math
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

import bench
from bench.result import Plan, Store
from bench.tracking.tracker import (
    TIMEOUT,
    TrackingUnavailable,
    default_uri,
    has_page,
    quiet_environment,
    unavailable,
)

OURS = str(Path(bench.__file__).parents[1])
"""Where the process finds this package, however its parent found it."""
SECONDS_TO_START = 60.0
"""How long the process may take to import MLflow, which from a cold disk is half a minute."""
SECONDS_FOR_A_FILE = 60.0
"""The deadline of a step where the store is a file: nothing but this machine can be slow then."""
SECONDS_A_RUN = 0.25
"""What the end of a sweep waits for a run, beyond the deadline of a step, if there is progress."""
SECONDS_BETWEEN_LINES = 10.0
"""How often progress is said where there is no terminal."""
Show = Callable[[int], None]
"""Shows how many runs are up to date."""


class Background:
    """A process that logs. Nothing here raises an error, whatever becomes of that process.

    Args:
        uri: The store; the default one where it is empty.
        out: The results folder.
    """

    def __init__(self, uri: str | None, out: Path) -> None:
        self.uri, self.out = uri or default_uri(out), out
        self.environment = quiet_environment()
        of_server = _seconds(self.environment[TIMEOUT])
        self.seconds = SECONDS_FOR_A_FILE if self.uri.startswith("sqlite:") else of_server
        self.sent = 0
        """Trials that were sent to be logged."""
        self.logged = self.shown = 0
        """Trials that are logged, and runs that the end of the sweep found or made right."""
        self.process: subprocess.Popen[bytes] | None = None
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def trial(self, suite: str, key: str) -> None:
        """Have a trial logged that ended; this returns at once."""
        self.sent += 1
        self._send(suite=suite, trial=key)
        self._hear(0)

    def finish(self, suite: str, runs: float = math.inf, show: Show = lambda shown: None) -> str:
        """Have a whole suite brought up to date.

        Args:
            suite: Its name.
            runs: How many runs there are, for the longest time to wait where there is progress.
            show: Called now and then with the number of runs that are up to date.

        Returns:
            Why it did not succeed, or an empty text.
        """
        if not self._alive():
            self.stop()
            self._start()
        self._send(suite=suite, all=True)
        return self._wait(self.seconds + SECONDS_A_RUN * runs, show)

    def pages(self, suite: str, site: Path) -> str:
        """Have a suite's pages attached; returns why it did not succeed, or an empty text."""
        self._send(suite=suite, pages=str(site.absolute()))
        return self._wait(math.inf, lambda shown: None)

    def stop(self) -> None:
        """End the process, whatever it does."""
        if self.process is None:
            return
        self.process.kill()
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                with suppress(OSError):  # what was not sent is not wanted any more
                    stream.close()
        with suppress(subprocess.TimeoutExpired):  # a kernel may keep it, at a network disk
            self.process.wait(1)
        self.process = None

    def _start(self) -> None:
        self.unsent = self.unread = b""
        self.ready, self.answer = False, None
        path = os.pathsep.join(filter(None, [OURS, self.environment.get("PYTHONPATH")]))
        command = [sys.executable, "-P", "-m", "bench.tracking.logger", str(os.getpid())]
        try:
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter, no shell
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self.environment | {"PYTHONPATH": path},
                start_new_session=True,  # Ctrl-C reaches the parent alone, which decides
            )
        except OSError:
            return
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                os.set_blocking(stream.fileno(), False)
        # Not as an argument: the address may hold a password, and everybody may list processes.
        self._send(uri=self.uri, out=str(self.out.absolute()), seconds=self.seconds)

    def _alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def _send(self, **command: Any) -> None:
        self.unsent += json.dumps(command).encode() + b"\n"
        self._push()

    def _push(self) -> None:
        """Write what the pipe has room for; the rest waits here."""
        if self.process is None or self.process.stdin is None or not self.unsent:
            return
        with suppress(OSError):  # the pipe is full, or nobody reads it any more
            self.unsent = self.unsent[os.write(self.process.stdin.fileno(), self.unsent) :]

    def _hear(self, seconds: float) -> bool:
        """Read answers, waiting for the first at most so long; False where none came."""
        if self.process is None or self.process.stdout is None:
            return False
        self._push()
        pipe = self.process.stdout.fileno()
        if not select.select([pipe], [], [], seconds)[0]:
            return False
        with suppress(OSError):
            self.unread += os.read(pipe, 2**16)
        *lines, self.unread = self.unread.split(b"\n")
        for line in lines:
            said = json.loads(line)
            self.ready = self.ready or "ready" in said
            self.answer = said.get("answer", self.answer)
            self.logged, self.shown = said.get("logged", self.logged), said.get("shown", self.shown)
        return bool(lines)

    def _wait(self, longest: float, show: Show) -> str:
        """Wait for an answer while there is progress, and not longer than `longest`."""
        self.answer = None
        begun = heard = time.monotonic()
        while self.answer is None:
            was_ready = self.ready
            if self._hear(0.1):
                heard = time.monotonic()
                show(self.shown)
            elif not self._alive():
                return "the process that logs has ended"
            if not was_ready:
                if time.monotonic() - begun > SECONDS_TO_START:
                    return f"its client did not start within {SECONDS_TO_START:g} seconds"
                begun = heard = begun if not self.ready else time.monotonic()
            elif time.monotonic() - heard > self.seconds:
                return f"no answer within {self.seconds:g} seconds"
            elif time.monotonic() - begun > longest:
                return f"not done within {longest:.0f} seconds"
        return self.answer


def _seconds(text: str) -> float:
    try:
        return max(1.0, float(text))
    except ValueError:
        return 10.0


@contextmanager
def progress(console: Console, runs: int) -> Iterator[Show]:
    """A bar on a terminal, and elsewhere a line now and then, for as long as the block takes."""
    if console.is_terminal:
        columns = TextColumn("MLflow"), BarColumn(), MofNCompleteColumn()
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("", total=runs)
            yield lambda shown: bar.update(task, completed=min(shown, runs))
        return
    said = time.monotonic()

    def show(shown: int) -> None:
        nonlocal said
        if time.monotonic() - said > SECONDS_BETWEEN_LINES:
            said = time.monotonic()
            console.print(f"MLflow: {shown:,} of {runs:,} runs.", highlight=False)

    yield show


def log_suite(background: Background, store: Store, plan: Plan, console: Console) -> None:
    """Bring a suite's results up to date, and show how far that is.

    Raises:
        TrackingUnavailable: MLflow cannot be written to, or not before the deadline; the message
            says how many results were not logged.
    """
    results = sum(store.path(plan.suite, trial.key).exists() for trial in plan.trials)
    if not results:
        return
    runs = results + len({(trial.task, trial.method) for trial in plan.trials})
    with progress(console, runs) as show:
        cause = background.finish(plan.suite, runs, show)
    if cause:
        # During a sweep only its own trials count: what was logged before is there already.
        new = background.sent or results
        missing = new - min(new, background.logged)
        what = f"{missing:,} of {new:,} results" if missing else "Means over seeds"
        raise TrackingUnavailable(unavailable(background.uri, cause, f"{what} were not logged. "))


def attach_pages(background: Background, plan: Plan, site: Path) -> None:
    """Attach a suite's page, with its figures and tables, to the run of its sweep.

    Raises:
        TrackingUnavailable: MLflow cannot be written to, or not before the deadline.
    """
    if has_page(plan, site) and (cause := background.pages(plan.suite, site)):
        missing = "The suite's page was not attached. "
        raise TrackingUnavailable(unavailable(background.uri, cause, missing))

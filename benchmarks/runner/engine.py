"""The local engine: every trial in a process of its own, within its limits, with a result."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from bench.errors import BenchError
from bench.result import Cost, Result, Status, Store
from bench.runner.template import Begun, Call, Template, TemplateDied, how_it_ended, packed

WORK = "bench.runner.trial:work"
DISK_FULL_EXIT = 74
"""Exit code of a trial's process whose result found no room (EX_IOERR of sysexits.h)."""
CANNOT_WRITE_EXIT = 73
"""Exit code of one that could not write its result for another reason (EX_CANTCREAT)."""
POLL_SECONDS = 0.1
CALM_SECONDS = 1.0
"""How long to wait for events where no limit has to be watched."""
SECONDS_TO_DIE = 5.0
"""How long a killed process may take to end before its template is taken for dead as well."""
ROOM = 2**20
"""Bytes that a results folder must have room for, or else no trial's result will find any."""
ATTEMPTS = 3
"""How often a trial is started whose template died while it ran."""


@dataclass(frozen=True)
class Job:
    """A trial to run, as the process that schedules it sees it: nothing in it needs torch.

    Attributes:
        known: the fields of its result that are known before it runs.
        payload: what its own process needs, pickled.
    """

    known: Mapping[str, Any]
    payload: bytes

    @property
    def key(self) -> str:
        """The trial's key."""
        return str(self.known["key"])

    @property
    def title(self) -> str:
        """Its task, method and seed in one line."""
        return f"{self.known['task']} · {self.known['method']} · seed {self.known['seed']}"


@dataclass(frozen=True)
class Limits:
    """What a trial may use.

    Attributes:
        seconds: Wall-clock time, or None for no limit.
        memory_mib: Resident memory of its process in MiB, or None for no limit.
    """

    seconds: float | None = None
    memory_mib: float | None = None


@dataclass
class _Running:
    """A trial that was started.

    Attributes:
        before: the result file that it had then.
        began: reading of the monotonic clock when its process began, or None before.
        verdict: why it was killed: its status and the reason.
        killed: reading of the monotonic clock when it was killed.
    """

    job: Job
    before: tuple[int, int] | None
    started: datetime
    began: float | None = None
    pid: int = 0
    verdict: tuple[Status, str] | None = None
    killed: float = 0.0

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return 0.0 if self.began is None else time.monotonic() - self.began


class Engine:
    """Runs trials in children of a template and yields each result when it is on disk.

    A trial's process writes its result itself, the moment the trial ends, so that the death of the
    parent loses nothing finished. The parent writes those of trials that timed out or died.

    Args:
        template: starts the processes.
        store: the results.
        limits: time and memory of each trial.
        started: called with every trial that begins.
        heartbeats: folder where each running trial writes its progress, in a file named after its
            key.
    """

    def __init__(
        self,
        template: Template,
        store: Store,
        limits: Limits,
        started: Callable[[Job], None],
        heartbeats: Path,
    ) -> None:
        self.template, self.store, self.limits = template, store, limits
        self.started, self.heartbeats = started, heartbeats
        self._running: dict[int, _Running] = {}
        self._suspects: deque[Job] = deque()
        self._attempts: dict[str, int] = {}
        self._results: deque[Result] = deque()

    def run(self, jobs: Sequence[Job], at_once: int, fail_fast: bool = False) -> Iterator[Result]:
        """Run trials.

        Args:
            jobs: the trials, in order.
            at_once: how many may run at the same time.
            fail_fast: stop at the first trial that fails.

        Raises:
            BenchError: results can no longer be written.
        """
        waiting = deque(jobs)
        while waiting or self._suspects or self._running:
            try:
                self._start(waiting, at_once)
                self._keep_limits()
                self._hear()
                self._insist()
            except TemplateDied as death:
                self._recover(death)
            while self._results:
                yield (result := self._results.popleft())
                if fail_fast and result.status in (Status.FAILED, Status.TIMEOUT):
                    return

    def _start(self, waiting: deque[Job], at_once: int) -> None:
        """Start what may run now. A trial during which the template died runs alone."""
        while waiting and not self._suspects and len(self._running) < at_once:
            self._begin(waiting[0])
            waiting.popleft()
        if self._suspects and not self._running:
            self._begin(self._suspects[0])
            self._suspects.popleft()

    def _begin(self, job: Job) -> None:
        call = Call(WORK, packed(job.payload, self.heartbeats))
        before = self._file_of(job)
        number = self.template.start(call)
        self._running[number] = _Running(job, before, datetime.now(UTC))

    def _keep_limits(self) -> None:
        """Kill what has run for too long or holds too much memory."""
        seconds, mib = self.limits.seconds, self.limits.memory_mib
        for number, running in self._running.items():
            if running.verdict or running.began is None:
                continue
            if seconds is not None and running.seconds > seconds:
                running.verdict = Status.TIMEOUT, f"took longer than {seconds:g} seconds"
            elif mib is not None and _resident(running.pid) > mib:
                reason = f"its process grew over the memory limit of {mib:g} MiB"
                running.verdict = Status.FAILED, reason
            if running.verdict:
                running.killed = time.monotonic()
                self.template.signal(number)

    def _hear(self) -> None:
        """Note which processes began and ended, and keep the results of the latter."""
        self.template.wake()
        for event in self.template.events(POLL_SECONDS if self._deadlines() else CALM_SECONDS):
            running = self._running.get(event.job)
            if running is None:  # it was abandoned
                continue
            if isinstance(event, Begun):
                running.began, running.pid = time.monotonic(), event.pid
                self.started(running.job)
            else:
                self._results.append(self._outcome(self._running.pop(event.job), event.code))

    def _deadlines(self) -> bool:
        """Whether something may have to be done before the next event."""
        limited = self.limits.seconds is not None or self.limits.memory_mib is not None
        return limited or any(running.verdict for running in self._running.values())

    def _insist(self) -> None:
        """Replace a template of which a killed trial does not end, as if it had died."""
        now = time.monotonic()
        if any(r.verdict and now - r.killed > SECONDS_TO_DIE for r in self._running.values()):
            self.template.kill()

    def _outcome(self, running: _Running, code: int) -> Result:
        """The result of a trial whose process ended with an exit code."""
        reason = f"its process {how_it_ended(code)}"
        if code == -signal.SIGKILL:
            reason += " (by hand, or because the machine ran out of memory)"
        elif code >= 0:
            reason += " before the trial had a result"
        if code in (DISK_FULL_EXIT, CANNOT_WRITE_EXIT):
            reason = "its process could not write its result"
        if code == DISK_FULL_EXIT:  # which a trial may also have made up
            self._check_room(running.job)
        return self._of_killed(running, *(running.verdict or (Status.FAILED, reason)))

    def _of_killed(self, running: _Running, status: Status, reason: str) -> Result:
        """The result of a trial whose process is gone: its own, if it was written in time."""
        return self._written(running) or self._kept(running, status, reason)

    def _written(self, running: _Running) -> Result | None:
        """The result that a trial's process has written, perhaps just before it died."""
        if self._file_of(running.job) == running.before:
            return None
        with suppress(BenchError):  # not a result: it is replaced by one that says so
            return self.store.read(running.job.known["suite"], running.job.key)
        return None

    def _kept(self, running: _Running, status: Status, reason: str) -> Result:
        """Write the result of a trial whose process did not live to do so."""
        result = Result(
            **running.job.known,
            status=status,
            reason=reason,
            cost=Cost(seconds=running.seconds),
            started=running.started,
            finished=datetime.now(UTC),
        )
        try:
            self.store.write(result)
        except OSError as error:
            raise BenchError(self._unwritable(running.job, error)) from error
        return result

    def _check_room(self, job: Job) -> None:
        """Raise BenchError if the results folder is full."""
        try:
            with tempfile.TemporaryFile(dir=self.store.root) as file:
                file.write(bytes(ROOM))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise BenchError(self._unwritable(job, error)) from error

    def _unwritable(self, job: Job, error: OSError | None = None) -> str:
        cause = f" ({error.strerror})" if error else ""
        return (
            f"{self.store.root}: the result of {job.title} could not be written{cause}. The disk "
            "may be full. Finished trials are kept: make room, and the same command resumes."
        )

    def _file_of(self, job: Job) -> tuple[int, int] | None:
        """What tells the result file of a trial from one written before or after it."""
        try:
            stat = self.store.path(job.known["suite"], job.key).stat()
        except FileNotFoundError:
            return None
        except (BenchError, OSError):  # a link that leads out, or in a circle: no result of ours
            return 0, 0
        return stat.st_ino, stat.st_mtime_ns

    def _recover(self, death: TemplateDied) -> None:
        """Start a new template. Trials that ran are tried again, one at a time."""
        lost, self._running = list(self._running.values()), {}
        for running in lost:
            key = running.job.key
            self._attempts[key] = self._attempts.get(key, 0) + 1
            verdict = running.verdict
            if self._attempts[key] == ATTEMPTS:
                reason = f"the process that starts trials {death.how} whenever this trial ran"
                verdict = verdict or (Status.FAILED, reason)
            if verdict:
                self._results.append(self._of_killed(running, *verdict))
            elif written := self._written(running):
                self._results.append(written)
            else:
                self._suspects.append(running.job)
        self.template.restart()


def _resident(pid: int) -> float:
    """Resident memory of a process in MiB; 0 if it has just ended."""
    try:
        return float(psutil.Process(pid).memory_info().rss / 2**20)
    except psutil.Error:
        return 0.0

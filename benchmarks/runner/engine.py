"""The local engine: worker processes that survive crashes and keep time and memory limits."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import platform
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
import torch
from pebble import ProcessExpired, ProcessFuture, ProcessPool

from bench import heartbeat
from bench.result import Result, Status, Store
from bench.runner.plan import TrialSpec
from bench.runner.trial import Workspace, run_trial, unfinished

MEMORY_EXIT = 77
"""Exit code of a worker whose memory grew over its limit."""
POLL_SECONDS = 0.1
KEEP_FREED = {
    "MALLOC_MMAP_THRESHOLD_": str(2**25),  # the highest that glibc takes; larger blocks are mapped
    "MALLOC_TRIM_THRESHOLD_": str(2**30),  # bytes: more than a step of a small network frees
}
"""What lets glibc keep memory that a training step frees for the next one; others ignore it.

Without it, every step of a small network gives its memory back and faults it in again: half of its
processor time, as `python -m bench.speed.memory` measures.
"""


@dataclass(frozen=True)
class Limits:
    """What a trial may use.

    Attributes:
        seconds: Wall-clock time, or None for no limit.
        memory_mib: Resident memory of its process in MiB, or None for no limit.
    """

    seconds: float | None = None
    memory_mib: float | None = None


def run(
    specs: Sequence[TrialSpec],
    workspace: Workspace,
    jobs: int,
    limits: Limits,
    started: Callable[[TrialSpec], None],
    heartbeats: Path,
    fail_fast: bool = False,
) -> Iterator[Result]:
    """Run trials in `jobs` worker processes and yield each result when it is on disk.

    A worker writes its result itself, the moment the trial ends, so that the death of the parent
    loses nothing finished. The parent writes those of trials that timed out or were killed.

    Args:
        specs: The trials, in order.
        workspace: Folders and device; its `threads` are those of one worker.
        jobs: The number of worker processes.
        limits: Time and memory of each trial.
        started: Called with every trial that begins.
        heartbeats: Folder where each running trial writes its progress, in a file named after
            its key.
        fail_fast: Stop at the first trial that fails.
    """
    store = Store(workspace.out)
    with _workers(jobs, workspace.threads, limits.memory_mib) as pool:
        waiting = {
            pool.schedule(_work, (spec, workspace, heartbeats), timeout=limits.seconds): spec
            for spec in specs
        }
        begun: dict[ProcessFuture, datetime] = {}
        while waiting:
            for future, spec in waiting.items():
                if future not in begun and future.running():
                    begun[future] = datetime.now(UTC)
                    started(spec)
            for future in [future for future in waiting if future.done()]:
                since = begun.get(future, datetime.now(UTC))
                result = _outcome(future, waiting.pop(future), since, limits, store)
                yield result
                if fail_fast and result.status in (Status.FAILED, Status.TIMEOUT):
                    return
            time.sleep(POLL_SECONDS)


@contextmanager
def _workers(jobs: int, threads: int, memory_mib: float | None) -> Iterator[ProcessPool]:
    """Worker processes. Those that still work in the end are stopped."""
    context = multiprocessing.get_context("spawn")
    guard = (threads, memory_mib, os.getpid())
    with environment(KEEP_FREED):  # a worker that died is replaced at any time, in a thread
        pool = ProcessPool(jobs, context=context, initializer=_begin_worker, initargs=guard)
        try:
            yield pool
        finally:
            pool.stop()
            pool.join()


@contextmanager
def environment(defaults: Mapping[str, str]) -> Iterator[None]:
    """Set variables for child processes that start meanwhile; what the user has set stays."""
    added = {name: value for name, value in defaults.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def _outcome(
    future: ProcessFuture, spec: TrialSpec, begun: datetime, limits: Limits, store: Store
) -> Result:
    try:
        result: Result = future.result()
    except FutureTimeoutError:
        reason = f"took longer than {limits.seconds:g} seconds"
        result = unfinished(spec, Status.TIMEOUT, reason, begun)
    except ProcessExpired as error:
        reason = _cause_of_death(error.exitcode, limits)
        result = unfinished(spec, Status.FAILED, reason, begun)
    else:
        return result
    # The worker may have written its result just before it died or ran out of time. Only trials
    # without a final result are ever run, so a final one is of this very trial.
    written = store.read(spec.suite, spec.key)
    if written and written.status.is_final:
        return written
    store.write(result)
    return result


def _cause_of_death(exitcode: int | None, limits: Limits) -> str:
    if exitcode == MEMORY_EXIT:
        return f"its process grew over the memory limit of {limits.memory_mib:g} MiB"
    if exitcode is not None and exitcode < 0:
        name = signal.Signals(-exitcode).name
        hint = " (by hand, or because the machine ran out of memory)" if exitcode == -9 else ""
        return f"its process was killed by {name}{hint}"
    return f"its process ended with exit code {exitcode}"


class _Guard(threading.Thread):
    """A thread that ends its worker when memory grows over the limit or the parent is gone.

    Attributes:
        peak: Highest resident memory in MiB since a trial began.
    """

    def __init__(self, memory_mib: float | None, parent: int) -> None:
        super().__init__(daemon=True)
        self.memory_mib, self.parent = memory_mib, parent
        self.process = psutil.Process()
        self.peak = 0.0

    def run(self) -> None:
        while True:
            held = self.process.memory_info().rss / 2**20
            self.peak = max(self.peak, held)
            if self.memory_mib and held > self.memory_mib:
                os._exit(MEMORY_EXIT)
            if os.getppid() != self.parent:
                # Nothing waits for this trial any more; the next `bench` runs it again.
                os._exit(1)
            time.sleep(POLL_SECONDS)


_guards: list[_Guard] = []


def _begin_worker(threads: int, memory_mib: float | None, parent: int) -> None:
    """Set up a fresh worker. Only the parent reacts to Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    torch.set_num_threads(threads)
    with suppress(RuntimeError):  # only allowed before the first parallel work
        torch.set_num_interop_threads(1)
    guard = _Guard(memory_mib, parent)
    _guards[:] = [guard]
    guard.start()


def _work(spec: TrialSpec, workspace: Workspace, heartbeats: Path) -> Result:
    release_free_memory()  # else the peak of this trial would hold what an earlier one freed
    guard = _guards[0] if _guards else None
    if guard:
        guard.peak = 0.0
    with heartbeat.written_to(heartbeats / spec.key):
        result = run_trial(spec, workspace, lambda: guard.peak if guard else None)
    Store(workspace.out).write(result)
    return result


def release_free_memory() -> None:
    """Return the memory that KEEP_FREED lets this process keep; does nothing without glibc."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)

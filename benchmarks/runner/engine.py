"""The local engine: worker processes that survive crashes and keep time and memory limits."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import platform
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psutil
import torch
from pebble import ProcessExpired, ProcessFuture, ProcessPool

from bench import heartbeat
from bench.result import Result, Status, Store
from bench.runner import engine as local
from bench.runner.plan import TrialSpec
from bench.runner.trial import Workspace, run_trial, unfinished

MEMORY_EXIT = 77  # what a worker exits with that grew over its limit
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Limits:
    """What a trial may take.

    Attributes:
        seconds: wall-clock, or None.
        memory_mib: resident memory of its process, or None.
    """

    seconds: float | None = None
    memory_mib: float | None = None


@dataclass
class Running:
    """Trials under way, seen from the parent."""

    specs: dict[ProcessFuture, TrialSpec]
    begun: dict[ProcessFuture, datetime] = field(default_factory=dict)

    def notice(self, started: Callable[[TrialSpec], None]) -> None:
        """Find the trials that workers took up since the last look."""
        for future, spec in self.specs.items():
            if future not in self.begun and future.running():
                self.begun[future] = datetime.now(UTC)
                started(spec)

    def pop_done(self) -> list[tuple[ProcessFuture, TrialSpec]]:
        """Trials that ended since the last look."""
        done = [(future, spec) for future, spec in self.specs.items() if future.done()]
        for future, _ in done:
            del self.specs[future]
        return done


def run(
    specs: Sequence[TrialSpec],
    place: Workspace,
    jobs: int,
    limits: Limits,
    started: Callable[[TrialSpec], None],
    news_folder: Path,
    fail_fast: bool = False,
) -> Iterator[Result]:
    """Run trials in `jobs` worker processes and yield each result when it is on disk.

    A worker writes its result itself, the moment the trial ends, so that the death of the parent
    loses nothing finished. The parent writes those of trials that timed out or were killed.

    Args:
        specs: what to run, in order.
        place: where; its `threads` are what one worker gets.
        jobs: how many at once.
        limits: time and memory of each trial.
        started: told of every trial that begins.
        news_folder: where every running trial tells, in a file named after its key, how far it is.
        fail_fast: stop at the first trial that fails.
    """
    store = Store(place.out)
    context = multiprocessing.get_context("spawn")
    guard = (place.threads, limits.memory_mib, os.getpid())
    pool = ProcessPool(jobs, context=context, initializer=_begin_worker, initargs=guard)
    try:
        running = Running(
            {
                pool.schedule(_work, (spec, place, news_folder), timeout=limits.seconds): spec
                for spec in specs
            }
        )
        while running.specs:
            running.notice(started)
            for future, spec in running.pop_done():
                begun = running.begun.get(future, datetime.now(UTC))
                result = _outcome(future, spec, begun, limits, store)
                yield result
                if fail_fast and result.status in (Status.FAILED, Status.TIMEOUT):
                    return
            time.sleep(POLL_SECONDS)
    finally:
        pool.stop()
        pool.join()


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
    """Watches a worker from within: its memory, and whether its parent still lives."""

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
                # Nobody waits for this trial any more; the next start runs it again.
                os._exit(1)
            time.sleep(POLL_SECONDS)


_guards: list[_Guard] = []


def _begin_worker(threads: int, memory_mib: float | None, parent: int) -> None:
    """Set up a fresh worker. Ctrl-C is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    local.keep_freed()
    torch.set_num_threads(threads)
    with suppress(RuntimeError):  # only allowed before the first parallel work
        torch.set_num_interop_threads(1)
    guard = _Guard(memory_mib, parent)
    _guards[:] = [guard]
    guard.start()


def _work(spec: TrialSpec, place: Workspace, news_folder: Path) -> Result:
    local.give_back()
    guard = _guards[0] if _guards else None
    if guard:
        guard.peak = 0.0
    with heartbeat.written_to(news_folder / spec.key):
        result = run_trial(spec, place, lambda: guard.peak if guard else None)
    Store(place.out).write(result)
    return result


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
KEPT = 2**30
"""Bytes of free memory, at most, that stay with the process: those of small networks' steps."""
LARGEST_IN_HEAP = 2**25
"""Bytes; what is larger is always mapped alone. glibc takes no higher threshold."""


def keep_freed() -> bool:
    """Let this process keep up to KEPT bytes of what it frees. False where this is not glibc."""
    libc = _glibc()
    return libc is not None and bool(
        libc.mallopt(M_MMAP_THRESHOLD, LARGEST_IN_HEAP) and libc.mallopt(M_TRIM_THRESHOLD, KEPT)
    )


def give_back() -> None:
    """Hand free memory back, so that the next trial's peak is its own."""
    if libc := _glibc():
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None

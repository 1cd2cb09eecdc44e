"""The progress of a running trial, as a line that the sweep's display reads.

Each trial writes its line to a file of its own. A queue shared by all workers would stay locked if
one of them were killed while it wrote.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

EVERY_SECONDS = 0.5
_listener: ContextVar[Callable[[str], None] | None] = ContextVar("progress listener", default=None)
_activity: ContextVar[str] = ContextVar("what this process does", default="bench")


def report_progress(activity: str, done: int, total: int) -> None:
    """Report how far a long piece of work is. It costs almost no time, also without a listener.

    Args:
        activity: what is done, in a word or two ("classifier, epoch").
        done: number of the step under way, from 1, or of the steps that are done.
        total: number of steps.
    """
    report(f"{activity} {done} of {total}")


def report(line: str) -> None:
    """Report what happens where no steps can be counted ("waiting for the teacher")."""
    if listener := _listener.get():
        listener(line)


@contextmanager
def acting_as(activity: str) -> Iterator[None]:
    """Say in words what this process does ("mfd on adult, seed 0"), for whoever waits for it."""
    token = _activity.set(activity)
    try:
        yield
    finally:
        _activity.reset(token)


def activity() -> str:
    """What this process does, as the innermost `acting_as` says it."""
    return _activity.get()


@contextmanager
def written_to(path: Path) -> Iterator[None]:
    """Write reports of progress to a file, at most one in EVERY_SECONDS; remove it at the end."""
    last = 0.0

    def write(line: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < EVERY_SECONDS:
            return
        last = now
        with suppress(OSError):  # a full disk costs the display a line, and not the trial
            path.write_text(line, encoding="utf-8", errors="backslashreplace")

    token = _listener.set(write)
    try:
        yield
    finally:
        _listener.reset(token)
        with suppress(OSError):
            path.unlink(missing_ok=True)


def read(path: Path) -> str:
    """The last report; empty if there is none, or if the trial has just ended."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""

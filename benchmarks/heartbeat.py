"""How far a running trial is, in a line for whoever watches the sweep.

A line goes through a small file of its own: a worker may be killed at any moment, and a queue that
all share would stay locked by the one that died while it wrote.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

EVERY_SECONDS = 0.5
_listener: ContextVar[Callable[[str], None] | None] = ContextVar("listener to news", default=None)


def report_progress(doing: str, done: int, total: int) -> None:
    """Say how far a long piece of work is. Costs next to nothing, with or without listeners.

    Args:
        doing: in a word or two, "classifier, epoch".
        done: which of them is under way, from 1, or how many are done.
        total: how many there are.
    """
    if listener := _listener.get():
        listener(f"{doing} {done} of {total}")


@contextmanager
def written_to(path: Path) -> Iterator[None]:
    """Within, what is told is written to a file, at most once in EVERY_SECONDS; then it goes."""
    last = 0.0

    def write(line: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < EVERY_SECONDS:
            return
        last = now
        path.write_text(line, encoding="utf-8")

    token = _listener.set(write)
    try:
        yield
    finally:
        _listener.reset(token)
        path.unlink(missing_ok=True)


def read(path: Path) -> str:
    """The last line; empty where nothing was told, or the trial has just ended."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""

"""A lock file that keeps a second process from the same folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from bench.errors import BenchError


@contextmanager
def exclusive(lock: Path, protected: Path, busy: str) -> Iterator[None]:
    """Hold a lock file during the block.

    Args:
        lock: the lock file; its folder is created where necessary.
        protected: the file or folder that the lock protects, for error messages.
        busy: message where another process holds the lock.

    Raises:
        BenchError: another process holds the lock, or the folder cannot be written to.
    """
    if lock.is_symlink():  # to open it would empty the file that it leads to
        raise BenchError(f"{lock}: a link, which bench does not follow. Move it away.")
    file_lock = FileLock(lock, timeout=0)
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file_lock.acquire()
    except Timeout as error:
        raise BenchError(busy) from error
    except OSError as error:
        raise BenchError(f"{protected}: cannot write here ({error.strerror}).") from error
    try:
        yield
    finally:
        file_lock.release()

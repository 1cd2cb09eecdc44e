"""Lock files, and beside each a note of who holds it, for those who wait or are refused.

The lock alone decides. The note is removed when the lock is released, and one that a killed process
left is not believed.
"""

from __future__ import annotations

import errno
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from bench import heartbeat
from bench.errors import BenchError
from bench.result import Record

WITHOUT_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
REPORTED_EVERY = 0.5  # seconds between two reports of a process that waits


class Holder(Record):
    """Who holds a lock: a process, its machine, what it does in words, and since when."""

    process: int
    host: str
    activity: str
    since: str

    def __str__(self) -> str:
        elsewhere = f" on {self.host}" if self.host != platform.node() else ""
        return f"process {self.process}{elsewhere} ({self.activity}), since {self.since}"

    @property
    def is_alive(self) -> bool:
        """Whether the process exists; of one on another machine nobody here can say that not."""
        if self.host != platform.node():
            return True
        try:
            os.kill(self.process, 0)
        except PermissionError:  # it exists, and belongs to somebody else
            return True
        except (OSError, OverflowError):
            return False
        return True


def holder_of(lock: Path) -> Holder | None:
    """Who holds a lock that is held; None where nobody said so, or where only a dead one did."""
    try:
        holder = Holder.model_validate_json(_note(lock).read_bytes())
    except (OSError, ValidationError):
        return None
    return holder if holder.is_alive else None


@contextmanager
def exclusive(lock: Path, protected: Path, busy: str) -> Iterator[None]:
    """Hold a lock file during the block.

    Args:
        lock: the lock file; its folder is created where necessary.
        protected: the file or folder that the lock protects, for error messages.
        busy: message where another process holds the lock; who it is follows.

    Raises:
        BenchError: another process holds the lock, or the folder cannot be written to.
    """
    file_lock = _file_lock(lock, protected)
    if not _acquired(file_lock, 0, protected):
        holder = holder_of(lock)
        raise BenchError(f"{busy} It is {holder}." if holder else busy)
    with _held(file_lock, lock):
        yield


@contextmanager
def awaited(lock: Path, protected: Path, report: Callable[[Holder | None], None]) -> Iterator[None]:
    """Hold a lock file during the block, after waiting for it as long as it takes.

    Args:
        lock: as of `exclusive`.
        protected: as of `exclusive`.
        report: called now and then while another process holds the lock, with who that is.

    Raises:
        BenchError: the folder cannot be written to.
    """
    file_lock = _file_lock(lock, protected)
    while not _acquired(file_lock, REPORTED_EVERY, protected):
        report(holder_of(lock))
    with _held(file_lock, lock):
        yield


def _file_lock(lock: Path, protected: Path) -> FileLock:
    if lock.is_symlink():  # the note would be written where it leads to, and so would the lock
        raise BenchError(f"{lock}: a link, which bench does not follow. Move it away.")
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refused(error, protected) from error
    # A file that merely exists, filelock's own way out, would outlive a process that is killed.
    return FileLock(lock, fallback_to_soft=False)


def _acquired(file_lock: FileLock, timeout: float, protected: Path) -> bool:
    try:
        file_lock.acquire(timeout=timeout)
    except Timeout:
        return False
    except OSError as error:
        raise _refused(error, protected) from error
    return True


def _refused(error: OSError, protected: Path) -> BenchError:
    if error.errno in WITHOUT_LOCKS:
        return BenchError(
            f"{protected}: this file system knows no locks ({error.strerror}), so that two "
            "processes could overwrite each other's files. Choose a folder on another one."
        )
    return BenchError(f"{protected}: cannot write here ({error.strerror}).")


@contextmanager
def _held(file_lock: FileLock, lock: Path) -> Iterator[None]:
    note = _note(lock)
    holder = Holder(
        process=os.getpid(),
        host=platform.node(),
        activity=heartbeat.activity(),
        since=datetime.now().astimezone().isoformat(" ", "seconds"),
    )
    try:
        with suppress(OSError):  # on a full disk, who waits is told less
            note.write_text(holder.model_dump_json(), encoding="utf-8")
        yield
    finally:
        with suppress(OSError):
            note.unlink(missing_ok=True)
        file_lock.release()


def _note(lock: Path) -> Path:
    return lock.with_name(f"{lock.name}.holder")

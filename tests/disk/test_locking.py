"""Locks: one holds, the others are told who it is; a note that a dead process left is no lock."""

from __future__ import annotations

import errno
import multiprocessing
import os
import platform
import signal
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from bench.disk import locking
from bench.disk.locking import Holder, awaited, exclusive, holder_of
from bench.errors import BenchError
from bench.heartbeat import acting_as

FORK = multiprocessing.get_context("fork")


def hold(lock: Path, held: Event, finish: Event) -> None:
    with acting_as("bench --suite digits"), exclusive(lock, lock.parent, "busy."):
        held.set()
        finish.wait(60)


class Other:
    """Another process that holds a lock during the block."""

    def __init__(self, lock: Path) -> None:
        self.held, self.finish = FORK.Event(), FORK.Event()
        self.process = FORK.Process(target=hold, args=(lock, self.held, self.finish))

    def __enter__(self) -> Other:
        self.process.start()
        assert self.held.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.is_alive():  # an event waits for a killed process that waited for it
            self.finish.set()
        self.process.join(60)


def test_who_is_refused_learns_who_holds_the_lock_and_since_when(tmp_path: Path) -> None:
    lock = tmp_path / "new" / ".lock"
    with Other(lock) as other:
        said = rf"busy\. It is process {other.process.pid} \(bench --suite digits\), since 20"
        with pytest.raises(BenchError, match=said), exclusive(lock, tmp_path, "busy."):
            pass
        assert f"on {platform.node()}" not in str(holder_of(lock))
    assert [path.name for path in lock.parent.iterdir()] == [".lock"]
    with exclusive(lock, tmp_path, "busy."):
        pass


def test_who_waits_is_told_and_goes_on_when_the_other_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "REPORTED_EVERY", 0.05)
    lock, seen = tmp_path / ".lock", []
    with Other(lock) as other:

        def report(holder: Holder | None) -> None:
            seen.append(holder)
            other.finish.set()

        with awaited(lock, tmp_path, report):
            assert os.getpid() == getattr(holder_of(lock), "process", None)
    assert getattr(seen[0], "process", None) == other.process.pid
    assert holder_of(lock) is None


def test_the_note_of_a_killed_process_is_not_believed(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    with Other(lock) as other:
        assert other.process.pid
        os.kill(other.process.pid, signal.SIGKILL)
        other.process.join(60)
    assert (tmp_path / ".lock.holder").exists()
    assert holder_of(lock) is None
    with exclusive(lock, tmp_path, "busy."):
        pass


@pytest.mark.parametrize("note", [b"", b"{}", b"\xff", b'{"process": 1', b"[]"])
def test_a_damaged_note_says_nothing(tmp_path: Path, note: bytes) -> None:
    lock = tmp_path / ".lock"
    with Other(lock):
        (tmp_path / ".lock.holder").write_bytes(note)
        with pytest.raises(BenchError, match=r"^busy\.$"), exclusive(lock, tmp_path, "busy."):
            pass


def test_a_holder_on_another_machine_is_named_with_it() -> None:
    holder = Holder(process=2**30, host="elsewhere", activity="bench merge", since="today")
    assert holder.is_alive
    assert str(holder) == f"process {2**30} on elsewhere (bench merge), since today"


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSYS, "this file system knows no locks"),
        (errno.ENOLCK, "this file system knows no locks"),
        (errno.EOPNOTSUPP, "this file system knows no locks"),
        (errno.EROFS, "cannot write here (Read-only file system)."),
    ],
)
def test_a_lock_that_cannot_be_had_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    import fcntl  # noqa: PLC0415 - not on Windows

    def refused(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refused)
    with pytest.raises(BenchError) as error, exclusive(tmp_path / ".lock", tmp_path, "busy."):
        pass
    assert str(error.value).startswith(f"{tmp_path}: {said}")
    assert "\n" not in str(error.value)
    assert not (tmp_path / ".lock.holder").exists()


def test_a_full_disk_takes_the_note_and_not_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with exclusive(tmp_path / ".lock", tmp_path, "busy."):
        assert holder_of(tmp_path / ".lock") is None

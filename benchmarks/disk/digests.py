"""Digests of a folder's files, kept beside them: what is damaged, missing or foreign is named."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from bench.result import write_atomically

DIGESTS = "digests.json"
PIECE = 2**20  # bytes that are hashed at a time, because some files do not fit into memory
LARGE = 2**29  # bytes: checking them takes long enough to say how far it is
LINE_EVERY = 15.0  # seconds between lines of progress where there is no terminal

Advance = Callable[[int], object]
"""Takes the number of bytes that were read since its last call."""


def sha256_of(path: Path, advance: Advance | None = None) -> str:
    """SHA-256 of a file, in hexadecimal. The file is read in pieces."""
    digest, buffer = hashlib.sha256(), memoryview(bytearray(PIECE))
    with path.open("rb", buffering=0) as file:
        while size := file.readinto(buffer):
            digest.update(buffer[:size])
            if advance:
                advance(size)
    return digest.hexdigest()


def write_digests(folder: Path) -> None:
    """Write the digests of all files of a folder, after these have reached the disk."""
    paths = _files(folder)
    for path in paths:
        with path.open("rb") as file:
            os.fsync(file.fileno())
    text = json.dumps(dict(zip(_names(paths), _hashed(paths, None), strict=True)), indent=1)
    write_atomically(folder / DIGESTS, text + "\n")


def read_digests(folder: Path) -> dict[str, str] | None:
    """SHA-256 by name of file, or None where the folder has none.

    Raises:
        ValueError: their file is damaged.
    """
    path = folder / DIGESTS
    if not path.is_file():
        return None
    digests = json.loads(path.read_bytes())
    if not isinstance(digests, dict):
        raise ValueError("it is no list of digests")  # noqa: TRY004 - a damaged file
    return {str(name): str(digest) for name, digest in digests.items()}


def damages(folder: Path, digests: Mapping[str, str], advance: Advance | None) -> Iterator[str]:
    """A sentence about each file that is missing, cannot be read or is not as its digest says."""
    present = [folder / name for name in sorted(digests) if (folder / name).is_file()]
    for path, digest in zip(present, _hashed(present, advance), strict=True):
        if digest != digests[path.name]:
            what = "cannot be read" if not digest else "is not what was written (SHA-256 differs)"
            yield f"{path} {what}"
    for name in sorted(digests.keys() - set(_names(present))):
        yield f"{folder / name} is missing"


def foreign(folder: Path, digests: Mapping[str, str]) -> list[Path]:
    """Files of a folder that are not among those with a digest."""
    return [path for path in _files(folder) if path.name not in {*digests, DIGESTS}]


def size_of(folder: Path) -> int:
    """Bytes of a folder's files."""
    return sum(path.stat().st_size for path in _files(folder))


@contextmanager
def progress(activity: str, total: int) -> Iterator[Advance | None]:
    """Show how many of many bytes are read: as a bar, or in lines where there is no terminal."""
    console = Console(stderr=True)
    if total < LARGE:
        yield None
    elif not console.is_terminal:
        yield _Lines(activity, total).advance
    else:
        columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn()
        with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
            yield partial(bar.advance, bar.add_task(activity, total=total))


class _Lines:
    def __init__(self, activity: str, total: int) -> None:
        self.activity, self.total, self.done, self.last = activity, total, 0, time.monotonic()

    def advance(self, size: int) -> None:
        self.done += size
        if time.monotonic() - self.last > LINE_EVERY:
            self.last = time.monotonic()
            line = f"{self.activity}: {self.done / 1e9:.1f} of {self.total / 1e9:.1f} GB\n"
            sys.stderr.write(line)
            sys.stderr.flush()


def _hashed(paths: Sequence[Path], advance: Advance | None) -> list[str]:
    """The digest of each file, of several at once; empty where a file cannot be read."""

    def hashed(path: Path) -> str:
        try:
            return sha256_of(path, advance)
        except OSError:
            return ""

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(hashed, paths))


def _files(folder: Path) -> list[Path]:
    """A folder's files but for hidden ones and the digests."""
    listed = (path for path in folder.iterdir() if not path.name.startswith("."))
    return sorted(path for path in listed if path.is_file() and path.name != DIGESTS)


def _names(paths: Sequence[Path]) -> list[str]:
    return [path.name for path in paths]

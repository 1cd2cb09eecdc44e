"""Room for files, reserved before they are filled, and files that the user named."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from bench.errors import writing
from bench.result import write_atomically

CANNOT_RESERVE = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


def reserve(file: IO[bytes], size: int) -> None:
    """Have the disk set aside the first `size` bytes of a file, where it can do that.

    A memory map that is written to on a full disk kills the process without a word; and numpy says
    of a full disk only that fewer bytes were written than asked for.

    Raises:
        OSError: there is no room.
    """
    if not hasattr(os, "posix_fallocate") or not size:  # not on macOS
        return
    try:
        os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        if error.errno not in CANNOT_RESERVE:
            raise


def new_map(path: Path, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """A new .npy file of zeros as a memory map whose pages are all reserved.

    Raises:
        OSError: there is no room for it; the file is then removed.
    """
    try:
        array: npt.NDArray[Any] = np.lib.format.open_memmap(path, "w+", dtype, shape)
        with path.open("r+b") as file:
            reserve(file, path.stat().st_size)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return array


def write_named(path: Path, content: bytes) -> None:
    """Write a file that the user named, whole or not at all; a link or a device stays what it is.

    Raises:
        BenchError: it cannot be written.
    """
    with writing(path):
        target = path.resolve()
        if target.exists() and not target.is_file():  # /dev/stdout, a pipe
            with target.open("wb") as file:
                file.write(content)
        else:
            write_atomically(target, content)


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """A folder that is removed after the block. Raises BenchError if none can be made."""
    with writing("TMPDIR"):
        folder = tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True)
    with folder as name:
        yield Path(name)

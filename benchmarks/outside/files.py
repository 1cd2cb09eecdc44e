"""Files from outside: regular ones, within a size, and text in UTF-8."""

from __future__ import annotations

import stat
from pathlib import Path

from bench.errors import BenchError

MIB = 2**20


def content_of(path: Path, most: int, mistake: type[BenchError] = BenchError) -> bytes:
    """The content of a file of at most `most` bytes.

    A pipe would keep us waiting and a device never ends, so that only regular files are opened.

    Raises:
        BenchError: The file is missing, not regular, too large or not to be read; raised as the
            class `mistake`.
    """
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise mistake(f"{path}: no file. Move it away, or name another.")
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise mistake(f"{path}: cannot be read ({error.strerror or error}).") from error
    except ValueError as error:  # of a NUL in the path
        raise mistake(f"{path}: not a path ({error}). Correct its name.") from error
    if len(content) > most:
        raise mistake(f"{path}: larger than the {size(most)} that are read. Is it the right file?")
    return content


def text_of(path: Path, most: int, mistake: type[BenchError] = BenchError) -> str:
    """The text of a file as `content_of` reads it: no byte order mark, lines end in line feeds.

    Raises:
        BenchError: As `content_of` does, or the file is not text in UTF-8.
    """
    content = content_of(path, most, mistake)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise mistake(f"{path}, line {line}: not text in UTF-8. Save it as UTF-8.") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def size(count: int) -> str:
    """A number of bytes in words: "64 MiB", "128 KiB"."""
    return f"{count // MIB} MiB" if count >= MIB else f"{count // 1024} KiB"

"""Packed files are read in pieces and within bounds: no archive fills the memory or the disk.

An archive may unpack to 50 times its size and 256 MiB more, whatever its lists say: what is
unpacked is counted. It may hold two million files, and a file that is read into memory as a whole
may have 512 MiB. Nothing lifts these bounds. Who trusts an archive beyond them unpacks it by hand:
unpacked files and folders are read, too.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from bench.errors import DataError

MOST_EXPANDED = 50  # times the packed size; tables of numbers reach 15
ALWAYS_EXPANDED = 2**28  # bytes that an archive of any size may unpack to
MOST_MEMBERS = 2_000_000  # ImageNet's training pictures are 1.3 million
LARGEST_DIRECTORY = 2**28  # bytes of a zip's list of so many files, with names of 80 letters
LARGEST_MEMBER = 2**29  # bytes of a file that is read into memory
PIECE = 2**20  # bytes that are unpacked at a time
SMALL_PIECE = 2**12  # packed bytes at a time where unpacking knows no bound: these become 80 MB
DAMAGED = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, EOFError,
    OSError, ValueError, RuntimeError, LookupError, ArithmeticError, AttributeError, TypeError,
)  # fmt: skip
"""What Python's readers of archives raise for files that are damaged, encrypted or something else.
"""
BY_HAND = "If you trust it, unpack it by hand: unpacked files are read, too."


class Readable(Protocol):
    """An open file, as far as it is read here."""

    def read(self, size: int, /) -> bytes:
        """Read at most so many bytes; none at the end."""


def most_unpacked(packed: int) -> int:
    """Bytes that an archive of this size may unpack to."""
    return MOST_EXPANDED * packed + ALWAYS_EXPANDED


def bomb(path: Path | str, packed: int) -> DataError:
    """The error of an archive that unpacks to more than it may."""
    return DataError(
        f"{path}: unpacks to more than {most_unpacked(packed):,} bytes, {MOST_EXPANDED} times its "
        f"size and {ALWAYS_EXPANDED // 2**20} MiB: this may be an archive bomb. {BY_HAND}"
    )


def too_many(path: Path) -> DataError:
    """The error of an archive of more files than it may have."""
    return DataError(f"{path}: holds more than {MOST_MEMBERS:,} files. {BY_HAND}")


def read_whole(opened: Readable, where: str, largest: int = LARGEST_MEMBER) -> bytes:
    """The rest of an open file, in memory.

    Args:
        opened: the file, at its beginning.
        where: its name for messages.
        largest: bytes that it may have.

    Raises:
        DataError: it has more.
    """
    pieces, size = [], 0
    while piece := opened.read(PIECE):
        pieces.append(piece)
        if (size := size + len(piece)) > largest:
            raise DataError(f"{where}: has more than {largest:,} bytes, too many for such a file.")
    return b"".join(pieces)


def gunzipped(content: bytes, where: str) -> bytes:
    """The content of a .gz file. Raises DataError if it is damaged, or larger than it may be."""
    largest = min(LARGEST_MEMBER, most_unpacked(len(content)))
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as opened:
            return read_whole(opened, where, largest)
    except DAMAGED as error:
        raise DataError(f"{where}: cannot be unpacked ({error}). Fetch it again.") from error


@contextmanager
def opened_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip archive with a list of bearable length. Raises DataError or what DAMAGED names."""
    with _ZipBytes(path) as file, zipfile.ZipFile(file) as archive:
        yield archive


class _ZipBytes(io.BufferedReader):
    """A zip's bytes; its list of files is looked at before zipfile makes objects of it."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self.path = path

    def read(self, size: int | None = -1, /) -> bytes:
        """Read, but no list of more files than an archive may have."""
        if size is not None and size > LARGEST_DIRECTORY:
            raise too_many(self.path)
        content = super().read(size)
        if len(content) > PIECE and content.count(b"PK\1\2") > MOST_MEMBERS:
            raise too_many(self.path)
        return content


class ZipMember(io.RawIOBase):
    """A file in a zip archive, unpacked in pieces; damage is a DataError."""

    def __init__(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> None:
        if member.file_size > most_unpacked(member.compress_size):
            raise bomb(f"{path}: {member.filename}", member.compress_size)
        self.where = f"{path}: {member.filename}"
        bounded = member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        self.piece = PIECE if bounded else SMALL_PIECE
        with self._told():
            self.opened = archive.open(member)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Unpack a piece."""
        with self._told():
            piece = self.opened.read(min(len(buffer), self.piece))
        buffer[: len(piece)] = piece
        return len(piece)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except DAMAGED as error:
            raise DataError(f"{self.where} cannot be read ({error}). Fetch it again.") from error


class TarBytes:
    """The bytes of a tar archive without its compression, read from front to back and counted."""

    def __init__(self, path: Path) -> None:
        self.path, self.packed = path, path.stat().st_size
        self.file = path.open("rb")
        self.opened = _unpacked(self.file)
        self.position = 0

    def __enter__(self) -> TarBytes:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def read(self, size: int) -> bytes:
        """Read some bytes; only a damaged or hostile header asks for many at once."""
        if not 0 <= size <= PIECE:
            raise tarfile.ReadError(f"a header asks for {size:,} bytes")
        pieces: list[bytes] = []
        while size and (piece := self.opened.read(size)):
            pieces.append(piece)
            size -= len(piece)
            self.position += len(piece)
            if self.opened is not self.file and self.position > most_unpacked(self.packed):
                raise bomb(self.path, self.packed)
        return b"".join(pieces)

    def tell(self) -> int:
        """The number of bytes before the place that is read next."""
        return self.position

    def seek(self, position: int) -> None:
        """Go on to a place. Python's tarfile would follow one that lies behind, for ever."""
        if position < self.position:
            raise tarfile.ReadError("a header leads backwards")
        if self.opened is self.file:
            self.position = self.file.seek(position)
        while self.position < position and self.read(min(PIECE, position - self.position)):
            pass

    def read_to_the_end(self) -> None:
        """Compare the checksums that stand at the end of compressed files."""
        while self.opened is not self.file and self.read(PIECE):
            pass


def _unpacked(file: IO[bytes]) -> Readable:
    """The file without the compression that its first bytes show."""
    start = file.read(6)
    file.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)
    if start.startswith(b"BZh"):
        return bz2.BZ2File(file)
    if start.startswith((b"\xfd7zXZ", b"\x5d\x00\x00")):
        return lzma.LZMAFile(file)
    return file


def members_of(tar: TarBytes) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
    """The files of a tar archive, one after the other, and the archive to read each from.

    Raises:
        DataError: there are too many, or they are too large.
    """
    file: Any = tar
    opened: Any = tarfile.TarFile(fileobj=file)
    with opened as archive:
        count = 0
        while (member := archive.next()) is not None:
            archive.members.clear()  # or they would all stay in memory
            if (count := count + 1) > MOST_MEMBERS:
                raise too_many(tar.path)
            if member.isfile():
                yield member, archive

"""Files in a folder, a .zip or a .tar.gz: listed and read in place, without unpacking."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath

from bench.data.unpacking import (
    DAMAGED,
    LARGEST_MEMBER,
    TarBytes,
    ZipMember,
    bomb,
    members_of,
    most_unpacked,
    opened_zip,
    read_whole,
)  # fmt: skip
from bench.errors import DataError


class Archive(ABC):
    """A folder or archive of many files.

    Attributes:
        path: the folder or archive.
        names: names of its files with their folders, sorted, without those that macOS adds.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names = sorted(filter(self._included, self._list()))

    @abstractmethod
    def _list(self) -> list[str]:
        """Names of all files, in any order."""

    @abstractmethod
    def each(
        self, names: Collection[str], largest: int = LARGEST_MEMBER
    ) -> Iterator[tuple[str, bytes]]:
        """Name and content of these files, in the order that is fastest to read.

        The content is b"" where one file of an otherwise intact archive is damaged.

        Args:
            names: of the files to read.
            largest: bytes that one of them may have.

        Raises:
            DataError: the archive is damaged, unpacks to more than it may, or holds a larger file.
        """

    def stamp(self) -> list[str | int]:
        """Path, size and time of modification, which change when the archive does."""
        status = self.path.stat()
        return [str(self.path), status.st_size, status.st_mtime_ns]

    def _included(self, name: str) -> bool:
        """Whether a file is listed. Raises DataError if its path leaves the archive."""
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise DataError(
                f"{self.path}: {name} points out of the archive. Do not trust this file."
            )
        return "__MACOSX" not in path.parts and not path.name.startswith("._")

    def _broken(self, error: BaseException) -> DataError:
        return DataError(
            f"{self.path}: not a complete archive ({error}). It was probably cut short: fetch it "
            "again."
        )


class Folder(Archive):
    """An unpacked folder, without symbolic links."""

    def _list(self) -> list[str]:
        return [
            path.relative_to(self.path).as_posix()
            for path in self.path.rglob("*")
            if path.is_file() and not path.is_symlink()
        ]

    def each(
        self, names: Collection[str], largest: int = LARGEST_MEMBER
    ) -> Iterator[tuple[str, bytes]]:
        """Read the files in the order of their names."""
        for name in sorted(names):
            try:
                with (self.path / name).open("rb") as opened:
                    content = read_whole(opened, f"{self.path / name}", largest)
            except OSError:
                content = b""
            yield name, content


class Zip(Archive):
    """A zip archive."""

    def _list(self) -> list[str]:
        try:
            with opened_zip(self.path) as opened:
                infos = [info for info in opened.infolist() if not info.is_dir()]
        except DAMAGED as error:
            raise self._broken(error) from error
        packed = self.path.stat().st_size
        if sum(info.file_size for info in infos) > most_unpacked(packed):
            raise bomb(self.path, packed)
        return [info.filename for info in infos]

    def each(
        self, names: Collection[str], largest: int = LARGEST_MEMBER
    ) -> Iterator[tuple[str, bytes]]:
        """Read the files in the order that they have in the archive."""
        try:
            with opened_zip(self.path) as opened:
                infos = sorted(map(opened.getinfo, names), key=lambda info: info.header_offset)
                for info in infos:
                    if info.file_size > largest:
                        raise DataError(
                            f"{self.path}: {info.filename} has {info.file_size:,} bytes, more than "
                            f"the {largest:,} that such a file may have."
                        )
                    try:
                        member = io.BufferedReader(ZipMember(opened, info, self.path))
                        content = read_whole(member, f"{self.path}: {info.filename}", largest)
                    except DataError:
                        content = b""  # a wrong checksum costs one file, not the archive
                    yield info.filename, content
        except DAMAGED as error:
            raise self._broken(error) from error


class Tar(Archive):
    """A tar archive, compressed or not, without the links and devices in it."""

    def _list(self) -> list[str]:
        try:
            with TarBytes(self.path) as tar:
                names = [member.name for member, _ in members_of(tar)]
                tar.read_to_the_end()
                return names
        except DAMAGED as error:
            raise self._broken(error) from error

    def each(
        self, names: Collection[str], largest: int = LARGEST_MEMBER
    ) -> Iterator[tuple[str, bytes]]:
        """Read the archive from front to back, because its compression allows no jumps."""
        left = set(names)
        try:
            with TarBytes(self.path) as tar:
                for member, opened in members_of(tar):
                    if member.name not in left:
                        continue
                    left.remove(member.name)
                    where = f"{self.path}: {member.name}"
                    if member.size > largest:
                        raise DataError(
                            f"{where} has {member.size:,} bytes, more than the {largest:,} that "
                            "such a file may have."
                        )
                    content = opened.extractfile(member)
                    yield member.name, read_whole(content, where, largest) if content else b""
                    if not left:
                        break
        except DAMAGED as error:
            raise self._broken(error) from error


class Several(Archive):
    """Several archives as one; names of files begin with the name of their archive and a slash."""

    def __init__(self, archives: Mapping[str, Archive]) -> None:
        self.archives = dict(archives)
        super().__init__(next(iter(archives.values())).path.parent)

    def _list(self) -> list[str]:
        return [f"{key}/{name}" for key, archive in self.archives.items() for name in archive.names]

    def each(
        self, names: Collection[str], largest: int = LARGEST_MEMBER
    ) -> Iterator[tuple[str, bytes]]:
        """Read one archive after another."""
        for key, archive in self.archives.items():
            own = [name.removeprefix(f"{key}/") for name in names if name.startswith(f"{key}/")]
            for name, content in archive.each(own, largest):
                yield f"{key}/{name}", content

    def stamp(self) -> list[str | int]:
        """The stamps of all archives, one after another."""
        return [part for archive in self.archives.values() for part in archive.stamp()]


def open_archive(path: Path) -> Archive:
    """Open a folder, .zip or tar archive. Raises DataError if it is none of them, or cut short."""
    if path.is_dir():
        return Folder(path)
    if path.suffix == ".zip":
        return Zip(path)
    return Tar(path)

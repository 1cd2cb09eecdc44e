"""Files in a folder, a .zip or a .tar.gz: listed and read in place, without unpacking."""

from __future__ import annotations

import io
import os
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from bench.data.unpacking import (
    DAMAGED,
    LARGEST_MEMBER,
    MOST_MEMBERS,
    TarBytes,
    ZipMember,
    bomb,
    members_of,
    most_unpacked,
    opened_zip,
    read_whole,
    too_many,
)  # fmt: skip
from bench.errors import DataError

DRIVE = re.compile(r"[A-Za-z]:[\\/]")
IN_CACHE = re.compile(r"/(files/md5|\.dvc/cache)/[0-9a-f]{2}/[0-9a-f]{30}")
"""DVC's cache: md5 sums, of which the first two digits name a folder."""
LEFT_BY_PROGRAMS = {
    "__MACOSX", ".DS_Store", ".Spotlight-V100", ".Trashes", ".fseventsd", "Thumbs.db",
    "desktop.ini", "$RECYCLE.BIN", "@eaDir", ".ipynb_checkpoints", ".git", ".dvc",
}  # fmt: skip
"""Files and folders that systems and programs leave behind; they hold no data."""
Read = Iterator[tuple[Any, bytes]]


class Archive(ABC):
    """A folder or archive of many files, under names of one form.

    Names have forward slashes alone and no part that leads nowhere (`./`, `//`), whatever the
    program wrote that packed them. What systems leave behind is not listed.

    Attributes:
        path: the folder or archive.
        names: names of its files with their folders, sorted.
        repeated: names that it holds more than once; the first such file counts.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._members: dict[str, Any] = {}
        self._used: set[str] = set()
        repeated: dict[str, None] = {}
        for own, member in self._list():
            name = self._plain(own)
            if name is None:
                continue
            if name in self._members:
                repeated[name] = None
            self._members.setdefault(name, member)
        self.names = sorted(self._members)
        self.repeated = sorted(repeated)

    @abstractmethod
    def _list(self) -> Iterable[tuple[str, Any]]:
        """The name of each file as it is written, and what `_read` knows the file by."""

    @abstractmethod
    def _read(self, members: Collection[Any], largest: int) -> Read:
        """Files and their content, as `each` gives them, in the order that is fastest to read."""

    def each(
        self, names: Collection[str], largest: int = LARGEST_MEMBER
    ) -> Iterator[tuple[str, bytes]]:
        """Name and content of these files, each of them once, in any order.

        The content is b"" where one file of an otherwise intact archive is damaged.

        Args:
            names: of the files to read.
            largest: bytes that one of them may have.

        Raises:
            DataError: the archive is damaged, lacks one of the files, unpacks to more than it may,
                or holds a larger file.
        """
        left = dict.fromkeys(names)
        self.use(left)
        if absent := [name for name in left if name not in self._members]:
            raise DataError(f"{self.path}: has no {listed(absent)}.")
        name_of = {self._members[name]: name for name in left}
        for member, content in self._read(name_of.keys(), largest):
            name = name_of[member]
            if name in left:
                del left[name]
                yield name, content
        if left:
            raise DataError(
                f"{self.path}: {len(left):,} of {len(name_of):,} files could not be read from it: "
                f"{listed(list(left))}. It changed meanwhile, or is damaged: fetch it again."
            )

    def use(self, names: Iterable[str]) -> None:
        """Count files as used that `each` is not asked for, because they were read before."""
        self._used.update(names)

    def account(self) -> list[str]:
        """Notes on the files that were not used, by suffix, and on names that are there twice."""
        notes = []
        if unused := [name for name in self.names if name not in self._used]:
            suffixes = Counter(PurePosixPath(name).suffix.lower() or "no suffix" for name in unused)
            kinds = ", ".join(f"{count:,} {suffix}" for suffix, count in suffixes.most_common(6))
            more = ", ..." if len(suffixes) > 6 else ""
            notes.append(f"{len(unused):,} files of {self.path.name} are not used: {kinds}{more}.")
        if self.repeated:
            notes.append(
                f"{self.path.name} holds {len(self.repeated):,} files more than once, of which "
                f"the first counts: {listed(self.repeated)}."
            )
        return notes

    def stamp(self) -> list[str | int]:
        """Path, size and time of modification, which change when the archive does."""
        status = self.path.stat()
        return [str(self.path), status.st_size, status.st_mtime_ns]

    def _plain(self, own: str) -> str | None:
        """The name in its one form, or None for what is not listed.

        Raises:
            DataError: its path leaves the archive.
        """
        parts = [part for part in own.replace("\\", "/").split("/") if part not in ("", ".")]
        outside = own.startswith(("/", "\\")) or ".." in parts or DRIVE.match(own)
        if outside:
            raise DataError(
                f"{self.path}: {own} points out of the archive. Do not trust this file."
            )
        if not parts or LEFT_BY_PROGRAMS & set(parts) or parts[-1].startswith("._"):
            return None
        return "/".join(parts)

    def _broken(self, error: BaseException) -> DataError:
        return DataError(
            f"{self.path}: not a complete archive ({error}). It was probably cut short: fetch it "
            "again."
        )


class Folder(Archive):
    """An unpacked folder.

    Links are followed where they lead to something below `within` (the folder that holds the folder
    of data) or into DVC's cache, of which `dvc checkout` may make links.

    Args:
        path: the folder.
        within: folders that links may lead into; that of the path alone where none is given.
    """

    def __init__(self, path: Path, within: Sequence[Path] = ()) -> None:
        self.within = [folder.resolve() for folder in (path, *within)]
        super().__init__(path)

    def _list(self) -> Iterator[tuple[str, str]]:
        """Walk the folder; of folders that links lead to in a circle, each is seen once."""
        waiting = [(self.path, frozenset({self.path.resolve()}))]
        count = 0
        while waiting:
            folder, above = waiting.pop()
            for entry in os.scandir(folder):
                path = Path(entry.path)
                name = path.relative_to(self.path).as_posix()
                if entry.is_symlink() and self._plain(name.replace("\\", "_")) is not None:
                    self._check_link(path)
                if (count := count + 1) > MOST_MEMBERS:
                    raise too_many(self.path)
                if entry.is_dir():
                    real = path.resolve()
                    if real not in above:
                        waiting.append((path, above | {real}))
                elif entry.is_file():
                    yield name.replace("\\", "_"), name

    def _check_link(self, path: Path) -> None:
        """Raise DataError for a link that leads nowhere, or where no data of ours lies."""
        try:
            target = path.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise DataError(
                f"{path}: a link that leads nowhere ({path.readlink()}). Run `dvc checkout` where "
                "DVC made it, or put the file there."
            ) from error
        allowed = any(target.is_relative_to(folder) for folder in self.within)
        if not (allowed or IN_CACHE.search(target.as_posix())):
            raise DataError(
                f"{path}: a link that leaves the folder ({target}). Put the files themselves "
                f"there; links within {self.within[-1]} and into DVC's cache are followed."
            )

    def _read(self, members: Collection[str], largest: int) -> Read:
        """Read the files in the order of their names."""
        for name in sorted(members):
            try:
                with (self.path / name).open("rb") as opened:
                    content = read_whole(opened, f"{self.path / name}", largest)
            except OSError:
                content = b""
            yield name, content


class Zip(Archive):
    """A zip archive."""

    def _list(self) -> list[tuple[str, int]]:
        try:
            with opened_zip(self.path) as opened:
                infos = [info for info in opened.infolist() if not info.is_dir()]
        except DAMAGED as error:
            raise self._broken(error) from error
        packed = self.path.stat().st_size
        if sum(info.file_size for info in infos) > most_unpacked(packed):
            raise bomb(self.path, packed)
        return [(info.filename, info.header_offset) for info in infos]

    def _read(self, members: Collection[int], largest: int) -> Read:
        """Read the files in the order that they have in the archive."""
        try:
            with opened_zip(self.path) as opened:
                for info in sorted(opened.infolist(), key=lambda info: info.header_offset):
                    if info.is_dir() or info.header_offset not in members:
                        continue
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
                    yield info.header_offset, content
        except DAMAGED as error:
            raise self._broken(error) from error


class Tar(Archive):
    """A tar archive, compressed or not, without the links and devices in it."""

    def _list(self) -> list[tuple[str, int]]:
        try:
            with TarBytes(self.path) as tar:
                found = [(member.name, member.offset) for member, _ in members_of(tar)]
                tar.read_to_the_end()
                return found
        except DAMAGED as error:
            raise self._broken(error) from error

    def _read(self, members: Collection[int], largest: int) -> Read:
        """Read the archive from front to back, because its compression allows no jumps."""
        left = len(members)
        try:
            with TarBytes(self.path) as tar:
                for member, opened in members_of(tar):
                    if not left:
                        break
                    if member.offset not in members:
                        continue
                    left -= 1
                    where = f"{self.path}: {member.name}"
                    if member.size > largest:
                        raise DataError(
                            f"{where} has {member.size:,} bytes, more than the {largest:,} that "
                            "such a file may have."
                        )
                    content = opened.extractfile(member)
                    yield member.offset, read_whole(content, where, largest) if content else b""
        except DAMAGED as error:
            raise self._broken(error) from error


class Several(Archive):
    """Several archives as one; names of files begin with the name of their archive and a slash."""

    def __init__(self, archives: Mapping[str, Archive]) -> None:
        self.archives = dict(archives)
        super().__init__(next(iter(archives.values())).path.parent)

    def _list(self) -> list[tuple[str, tuple[str, str]]]:
        return [
            (f"{key}/{name}", (key, name))
            for key, archive in self.archives.items()
            for name in archive.names
        ]

    def _read(self, members: Collection[tuple[str, str]], largest: int) -> Read:
        """Read one archive after another."""
        for key, archive in self.archives.items():
            own = [name for other, name in members if other == key]
            for name, content in archive.each(own, largest):
                yield (key, name), content

    def use(self, names: Iterable[str]) -> None:
        """Count files of any of the archives as used."""
        for name in names:
            key, _, own = name.partition("/")
            self.archives[key].use([own])

    def stamp(self) -> list[str | int]:
        """The stamps of all archives, one after another."""
        return [part for archive in self.archives.values() for part in archive.stamp()]


def open_archive(path: Path, within: Sequence[Path] = ()) -> Archive:
    """Open a folder, .zip or tar archive, whatever its name says.

    Args:
        path: the folder or file.
        within: folders that links of a folder may lead into.

    Raises:
        DataError: it is none of them, or cut short.
    """
    if path.is_dir():
        return Folder(path, within)
    with path.open("rb") as opened:
        start = opened.read(4)
    if start.startswith(b"PK") or path.suffix == ".zip":
        return Zip(path)
    return Tar(path)


def listed(names: Sequence[str], shown: int = 5) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - shown:,} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more

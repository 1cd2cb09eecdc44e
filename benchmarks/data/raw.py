"""Raw files: where they are looked for, how they are fetched, whether they are official."""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import IO

from bench.data.archives import Archive, Folder, open_archive
from bench.errors import DataError
from bench.result import Record

MIRROR = "BENCH_MIRROR"
PIECE = 2**20  # bytes that are hashed at once: some files do not fit into memory


@dataclass(frozen=True)
class RawFile:
    """An upstream file.

    Attributes:
        name: as upstream has it.
        url: its address, or None where only a person may fetch it.
        sha256: official checksum.
        md5: official checksum where upstream publishes no SHA-256.
        others: patterns of names under which the same content may lie here ("UTKFace", unpacked).
        found: where a person finds it, in words.
        room: the folder it lies in where that is not the data set's own ("country").
    """

    name: str
    url: str | None = None
    sha256: str | None = None
    md5: str | None = None
    others: tuple[str, ...] = ()
    found: str = ""
    room: str = ""

    @property
    def checksum(self) -> str | None:
        """The official checksum with its kind ("md5:..."), or None where none is published."""
        if self.sha256:
            return f"sha256:{self.sha256}"
        return f"md5:{self.md5}" if self.md5 else None


class RawRecord(Record):
    """A raw file as it was found; `comparable` is false where no checksum is published."""

    name: str
    sha256: str
    official: bool
    comparable: bool = True

    @property
    def verdict(self) -> str:
        """In words, whether it is the official file."""
        if not self.comparable:
            return "cannot be compared: no checksum is published"
        return "official" if self.official else "NOT the official file"


class RawFolder:
    """The raw files of one data set: the mirror's folder first, else the one of downloads.

    A file may also stand inside a .zip in the folder; it is read without unpacking.
    """

    def __init__(self, name: str, files: tuple[RawFile, ...], downloads: Path) -> None:
        self.name, self.files = name, files
        self.downloads = downloads / name
        mirror = os.environ.get(MIRROR)
        self.folders = ([Path(mirror) / name] if mirror else []) + [self.downloads]

    def where(self, file: str) -> Path | None:
        """The file itself (or what stands for it), or the archive that holds it, or None."""
        for folder in self._folders(file):
            if place := self._outright(folder, file):
                return place
            for archive in sorted(folder.glob("*.zip")):
                if _member(archive, file):
                    return archive
        return None

    def missing(self) -> list[RawFile]:
        """Files that are nowhere."""
        return [file for file in self.files if self.where(file.name) is None]

    def read(self, file: str) -> bytes:
        """Content of a file. Raises DataError where it is missing, empty or in a broken archive."""
        place = self._found(file)
        content = place.read_bytes() if self._stands(place, file) else _extract(place, file)
        if not content.strip():
            raise DataError(f"{place}: {file} is empty. Fetch it again.")
        return content

    @contextmanager
    def stream(self, file: str) -> Iterator[IO[bytes]]:
        """A file opened to be read bit by bit, also within a .zip: some do not fit into memory.

        Raises:
            DataError: it is missing, or its archive is damaged.
        """
        place = self._found(file)
        if self._stands(place, file):
            with place.open("rb") as opened:
                yield opened
            return
        try:
            with zipfile.ZipFile(place) as archive, archive.open(_required(place, file)) as opened:
                yield opened
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise DataError(f"{place}: {file} cannot be read ({error}). Fetch it again.") from error

    def archive(self, file: str) -> Archive:
        """A .zip, .tar.gz or folder of many files. Raises DataError where it is missing or cut."""
        place = self._found(file)
        if not self._stands(place, file):
            raise DataError(f"{place}: take {file} out of it, and leave that packed.")
        return open_archive(place)

    def records(self) -> list[RawRecord]:
        """Every file with its checksum, and whether it is the official one."""
        records = []
        for file in self.files:
            digests = self._digests(file.name)
            official = file.checksum in {f"{kind}:{digest}" for kind, digest in digests.items()}
            records.append(
                RawRecord(
                    name=file.name,
                    sha256=digests["sha256"],
                    official=official,
                    comparable=file.checksum is not None,
                )
            )
        return records

    def download(self) -> list[Path]:
        """Fetch what is missing from upstream; a file with another checksum is not kept."""
        import pooch  # noqa: PLC0415 - pulls in requests, which only a download needs

        # Its own handler keeps the stderr of the moment when pooch was first imported.
        pooch.get_logger().handlers = [logging.StreamHandler()]
        fetched = []
        for file in self.missing():
            if file.url is None or file.checksum is None:
                raise DataError(f"{self.name}: {file.name} cannot be fetched by a program.")
            fetcher = pooch.HTTPDownloader(progressbar=sys.stderr.isatty() and _has_tqdm())
            try:
                path = pooch.retrieve(
                    file.url,
                    known_hash=file.checksum,
                    fname=file.name,
                    path=self._folders(file.name)[-1],
                    downloader=fetcher,
                )
            except (OSError, ValueError) as error:
                raise DataError(
                    f"{self.name}: could not fetch {file.name} from {file.url} "
                    f"({_one_line(error)}). Fetch it by hand into {self._folders(file.name)[-1]}, "
                    f"or set {MIRROR} to a folder that has {file.room or self.name}/{file.name}."
                ) from error
            fetched.append(Path(path))
        return fetched

    def _found(self, file: str) -> Path:
        place = self.where(file)
        if place is None:
            looked = " nor in ".join(map(str, self._folders(file)))
            raise DataError(
                f"{self.name}: {file} is {'neither' if len(self.folders) > 1 else 'not'} in "
                f"{looked}. "
                f"Run `bench data get {self.name}`, or set {MIRROR} to a folder that has it."
            )
        return place

    def _folders(self, file: str) -> list[Path]:
        """Where a file is looked for: the mirror's folder first, the downloads' last."""
        room = next((known.room for known in self.files if known.name == file), "")
        return [folder.parent / room for folder in self.folders] if room else self.folders

    def _outright(self, folder: Path, file: str) -> Path | None:
        """The file in a folder under its own name or one of its others."""
        if (folder / file).is_file():
            return folder / file
        others = next((known.others for known in self.files if known.name == file), ())
        return next((place for other in others for place in sorted(folder.glob(other))), None)

    def _stands(self, place: Path, file: str) -> bool:
        return place == self._outright(place.parent, file)

    def _pieces(self, file: str) -> Iterator[bytes]:
        with self.stream(file) as opened:
            while piece := opened.read(PIECE):
                yield piece

    def _digests(self, file: str) -> dict[str, str]:
        """SHA-256 and MD5; of a folder over names and contents."""
        sums = {"sha256": hashlib.sha256(), "md5": hashlib.md5(usedforsecurity=False)}
        place = self._found(file)
        for piece in _folder_pieces(place) if place.is_dir() else self._pieces(file):
            for digest in sums.values():
                digest.update(piece)
        return {kind: digest.hexdigest() for kind, digest in sums.items()}


def _folder_pieces(place: Path) -> Iterator[bytes]:
    folder = Folder(place)
    for name, content in folder.each(folder.names):
        yield f"{name}:{len(content)};".encode()
        yield content


def _member(archive: Path, file: str) -> str | None:
    try:
        with zipfile.ZipFile(archive) as opened:
            return next((n for n in opened.namelist() if Path(n).name == file), None)
    except zipfile.BadZipFile as error:
        raise DataError(
            f"{archive}: not a whole zip archive ({error}). It was probably cut short: "
            "fetch it again."
        ) from error


def _required(archive: Path, file: str) -> str:
    member = _member(archive, file)
    if member is None:
        raise DataError(f"{archive}: {file} is no longer in the archive.")
    return member


def _extract(archive: Path, file: str) -> bytes:
    member = _required(archive, file)
    try:
        with zipfile.ZipFile(archive) as opened:
            return opened.read(member)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise DataError(f"{archive}: {member} cannot be read ({error}). Fetch it again.") from error


def _has_tqdm() -> bool:
    from importlib.util import find_spec  # noqa: PLC0415

    return find_spec("tqdm") is not None


def _one_line(error: BaseException) -> str:
    return shorten(str(error), 160, placeholder=" ...")

"""Raw files: finding and fetching them, comparing their checksums, and counting faults in them."""

from __future__ import annotations

import errno
import hashlib
import io
import logging
import os
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from textwrap import shorten
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from bench.data.archives import Archive, Folder, listed, open_archive
from bench.data.unpacking import DAMAGED, PIECE, ZipMember, opened_zip, read_whole
from bench.errors import DataError
from bench.result import Record

Array = npt.NDArray[Any]

MIRROR = "BENCH_MIRROR"
OF_THE_DISK = {
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EEXIST,
    errno.ENOTDIR,
}  # fmt: skip
"""Errors of a download that say something of the folder it goes to, and nothing of its source."""
MAX_UNREADABLE = 0.01  # share of the files: more than a few unreadable ones are a bad download
ALWAYS_TOLERATED = 10  # so many unreadable files are tolerated however small the data set is
NAMED = 5  # names that a note lists
MOST_LISTED = 12  # names of what a folder holds


@dataclass(frozen=True)
class RawFile:
    """An upstream file.

    Attributes:
        name: its name upstream.
        url: its address, or None where only a person may fetch it.
        sha256: official checksum.
        md5: official checksum where upstream publishes no SHA-256.
        others: patterns of other names that the same content may have here ("UTKFace", unpacked).
        location: where a person finds it, in words.
        folder: name of the folder that holds it, where that is not the data set's own ("country").
    """

    name: str
    url: str | None = None
    sha256: str | None = None
    md5: str | None = None
    others: tuple[str, ...] = ()
    location: str = ""
    folder: str = ""

    @property
    def checksum(self) -> str | None:
        """The official checksum with its kind ("md5:..."), or None if none is published."""
        if self.sha256:
            return f"sha256:{self.sha256}"
        return f"md5:{self.md5}" if self.md5 else None


class RawRecord(Record):
    """The checksum of a raw file; `comparable`: whether an official one can be compared with it.

    `obstacle` says why it cannot: none is published, or the official archive was unpacked.
    """

    name: str
    sha256: str
    official: bool
    comparable: bool = True
    obstacle: str = "no checksum is published"

    @property
    def verdict(self) -> str:
        """Whether it is the official file, in words."""
        if not self.comparable:
            return f"cannot be compared: {self.obstacle}"
        return "official" if self.official else "NOT the official file"


class RawFolder:
    """The raw files of one data set, in the mirror's folder or in that of downloads.

    The mirror's folder, $BENCH_MIRROR/NAME, is searched first. A file may also be inside a .zip
    archive in one of the folders; it is then read without unpacking.
    """

    def __init__(self, name: str, files: tuple[RawFile, ...], downloads: Path) -> None:
        self.name, self.files = name, files
        self.downloads = downloads / name
        mirror = os.environ.get(MIRROR)
        self.folders = ([Path(mirror) / name] if mirror else []) + [self.downloads]
        self.opened: list[Archive] = []
        """The archives that were opened, which know what was used of them."""
        data = downloads.absolute().parent
        beside = {form.parent if form.parent != Path(form.anchor) else form
                  for form in (data, data.resolve())}  # fmt: skip
        self.tree = [*([Path(mirror)] if mirror else []), *sorted(beside)]
        """Where links in unpacked folders may lead: into what lies beside the folder of data."""

    def where(self, file: str) -> Path | None:
        """Path of the file, under any of its names, or of a .zip that contains it, or None."""
        for folder in self._folders(file):
            if path := self._unpacked(folder, file):
                return path
            for archive in sorted(folder.glob("*.zip")):
                if _member(archive, file):
                    return archive
        return None

    def missing(self) -> list[RawFile]:
        """The files that are in none of the folders."""
        return [file for file in self.files if self.where(file.name) is None]

    def holdings(self) -> str:
        """What else the folders hold, in a sentence: somebody may have files under other names."""
        sentences = []
        known = {self.where(file.name) for file in self.files}
        for folder in dict.fromkeys(f for file in self.files for f in self._folders(file.name)):
            names = sorted(
                f"{path.name}/" if path.is_dir() else path.name
                for path in (folder.iterdir() if folder.is_dir() else ())
                if not path.name.startswith(".") and path not in known
            )
            if names:
                sentences.append(f"{folder} holds {listed(names, MOST_LISTED)}.")
        return " ".join(sentences)

    def read(self, file: str) -> bytes:
        """Content of a file. Raises DataError if it is missing, empty or in a damaged archive."""
        try:
            with self.stream(file) as opened:
                content = read_whole(opened, f"{self._path(file)}")
        except OSError as error:
            raise DataError(f"{file}: cannot be read ({error}). Fetch it again.") from error
        if not content.strip():
            raise DataError(f"{self._path(file)}: {file} is empty. Fetch it again.")
        return content

    @contextmanager
    def stream(self, file: str) -> Iterator[IO[bytes]]:
        """Open a file, also inside a .zip, to be read in pieces. Raises DataError if missing."""
        path = self._path(file)
        if self._is_unpacked(path, file):
            with path.open("rb") as opened:
                yield opened
            return
        member = _member(path, file)
        if member is None:
            raise DataError(f"{path}: {file} is no longer in the archive.")
        with _opened(path) as archive:
            yield io.BufferedReader(ZipMember(archive, archive.getinfo(member), path), PIECE)

    def archive(self, file: str) -> Archive:
        """Open a .zip, .tar.gz or folder of many files. Raises DataError if missing or cut."""
        path = self._path(file)
        if not self._is_unpacked(path, file):
            raise DataError(f"{path}: take {file} out of it, and leave that file packed.")
        archive = open_archive(path, self.tree)
        self.opened.append(archive)
        return archive

    def account(self) -> list[str]:
        """Notes on what the opened archives hold and nobody used."""
        return [note for archive in self.opened for note in archive.account()]

    def records(self) -> list[RawRecord]:
        """The checksum of every file, and whether it is the official one."""
        records = []
        for file in self.files:
            digests = self._digests(file.name)
            official = file.checksum in {f"{kind}:{digest}" for kind, digest in digests.items()}
            obstacle = ""
            if file.checksum is None:
                obstacle = "no checksum is published"
            elif self._path(file.name).is_dir():
                obstacle = "it is unpacked, and the published checksum is that of the archive"
            records.append(
                RawRecord(
                    name=file.name,
                    sha256=digests["sha256"],
                    official=official,
                    comparable=not obstacle,
                    obstacle=obstacle,
                )
            )
        return records

    def stamps(self) -> dict[str, list[int]]:
        """Size and time of modification of each file: of a folder, all files' and the latest."""
        return {file.name: _stamp(self._path(file.name)) for file in self.files}

    def changed(self, stamps: Mapping[str, list[int]], records: Sequence[RawRecord]) -> list[str]:
        """The files whose content is not that of the records; without stamps nothing is known.

        Only files with another size or time than their stamp are read. Where one is missing, there
        is nothing to prepare anew from.
        """
        if not stamps or self.missing():
            return []
        now, known = self.stamps(), {record.name: record.sha256 for record in records}
        suspects = [name for name, stamp in now.items() if stamp != stamps.get(name)]
        return [name for name in suspects if self._digests(name)["sha256"] != known.get(name)]

    def download(self) -> list[Path]:
        """Fetch missing files from upstream and return their paths.

        Raises:
            DataError: a file has no address or official checksum, cannot be fetched, or has another
                checksum than the official one; it is then not kept.
        """
        import pooch  # noqa: PLC0415 - imports requests, which only a download needs

        # Its own handler keeps the stderr of the moment when pooch was first imported.
        pooch.get_logger().handlers = [logging.StreamHandler()]
        fetched = []
        for file in self.missing():
            if file.url is None or file.checksum is None:
                raise DataError(f"{self.name}: {file.name} cannot be fetched by a program.")
            progress_bar = sys.stderr.isatty() and find_spec("tqdm") is not None
            try:
                path = pooch.retrieve(
                    file.url,
                    known_hash=file.checksum,
                    fname=file.name,
                    path=self._folders(file.name)[-1],
                    downloader=pooch.HTTPDownloader(progressbar=progress_bar),
                )
            except (OSError, ValueError) as error:
                if isinstance(error, OSError) and error.errno in OF_THE_DISK:
                    raise DataError(
                        f"{self._folders(file.name)[-1]}: cannot write here ({error.strerror})."
                    ) from error
                reason = shorten(str(error), 160, placeholder=" ...")
                raise DataError(
                    f"{self.name}: could not fetch {file.name} from {file.url} ({reason}). Fetch "
                    f"it by hand into {self._folders(file.name)[-1]}, or set {MIRROR} to a folder "
                    f"that has {file.folder or self.name}/{file.name}. {self.holdings()}".rstrip()
                ) from error
            fetched.append(Path(path))
        return fetched

    def _path(self, file: str) -> Path:
        """As `where`. Raises DataError if the file is in none of the folders."""
        path = self.where(file)
        if path is None:
            searched = " nor in ".join(map(str, self._folders(file)))
            raise DataError(
                f"{self.name}: {file} is {'neither' if len(self.folders) > 1 else 'not'} in "
                f"{searched}. "
                f"Run `bench data get {self.name}`, or set {MIRROR} to a folder that has it. "
                f"{self.holdings()}".rstrip()
            )
        return path

    def _known(self, file: str) -> RawFile:
        return next((known for known in self.files if known.name == file), RawFile(file))

    def _folders(self, file: str) -> list[Path]:
        """The folders to search for a file: the mirror's first, that of downloads last."""
        name = self._known(file).folder
        return [folder.parent / name for folder in self.folders] if name else self.folders

    def _unpacked(self, folder: Path, file: str) -> Path | None:
        """The file in a folder, under its own name or one of its other names."""
        if (folder / file).is_file():
            return folder / file
        for name in (file, *self._known(file).others):
            for path in sorted(folder.glob(name)):
                within = path / path.name  # Kaggle puts each file into a folder of its name
                return within if within.is_file() else path
        return None

    def _is_unpacked(self, path: Path, file: str) -> bool:
        return path in (self._unpacked(folder, file) for folder in self._folders(file))

    def _digests(self, file: str) -> dict[str, str]:
        """SHA-256 and MD5 of a file; of a folder, those of its files' names and contents."""
        digests = {"sha256": hashlib.sha256(), "md5": hashlib.md5(usedforsecurity=False)}
        path = self._path(file)
        for piece in self._folder_pieces(path) if path.is_dir() else self._pieces(file):
            for digest in digests.values():
                digest.update(piece)
        return {kind: digest.hexdigest() for kind, digest in digests.items()}

    def _folder_pieces(self, path: Path) -> Iterator[bytes]:
        folder = Folder(path, self.tree)
        for name, content in folder.each(folder.names):
            yield f"{name}:{len(content)};".encode()
            yield content

    def _pieces(self, file: str) -> Iterator[bytes]:
        with self.stream(file) as opened:
            while piece := opened.read(PIECE):
                yield piece


def _stamp(path: Path) -> list[int]:
    files = [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]
    about = [file.stat() for file in files]
    return [sum(s.st_size for s in about), max((s.st_mtime_ns for s in about), default=0)]


def _member(path: Path, file: str) -> str | None:
    """Name of the file inside a .zip. Raises DataError if the archive is damaged."""
    with _opened(path) as archive:
        return next((n for n in archive.namelist() if Path(n).name == file), None)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip archive. Raises DataError if it is damaged."""
    with ExitStack() as stack:
        try:
            archive = stack.enter_context(opened_zip(path))
        except DAMAGED as error:
            raise DataError(
                f"{path}: not a complete zip archive ({error}). It was probably cut short: "
                "fetch it again."
            ) from error
        yield archive


class Faults:
    """The parts that were left out of a file or an archive, and why.

    As with pictures, 1 % of the parts, and always 10, may be unusable; more are a bad download.
    """

    def __init__(self, source: Path | str, things: str) -> None:
        """`things` says what is counted, in the plural ("recordings")."""
        self.source, self.things = source, things
        self.places: list[str] = []

    def add(self, place: str, reason: str) -> None:
        """Note a part that is left out: its place (file, line, column), and why."""
        self.places.append(f"{place} ({reason})")

    def refuse_many(self, total: int) -> None:
        """Raise DataError if more of the `total` parts than are tolerated cannot be used."""
        tolerated = most_tolerated(total)
        if len(self.places) > tolerated:
            raise DataError(
                f"{self.source}: {len(self.places):,} of {total:,} {self.things} cannot be used, "
                f"more than the {tolerated:,} that are tolerated: {named(self.places)}. Fetch it "
                "again."
            )

    def notes(self) -> list[str]:
        """A note on the parts that were left out, if there are any."""
        if not self.places:
            return []
        return [f"{len(self.places):,} unusable {self.things} are left out: {named(self.places)}."]


def parsed_names(
    by_name: Mapping[str, str], pattern: re.Pattern[str], things: str
) -> tuple[list[str], dict[str, Array], list[str]]:
    """What the names of files state.

    Args:
        by_name: name of each file -> its path.
        pattern: of the whole name; what its named groups match is returned.
        things: says in the plural what the files are, for the note.

    Returns:
        Paths of the files whose names match, in the order of the names; what each group matched,
        [n] strings; and a note where names are malformed.
    """
    matches = {name: match for name in sorted(by_name) if (match := pattern.fullmatch(name))}
    malformed = sorted(by_name.keys() - matches.keys())
    notes = [
        f"{len(malformed):,} {things} are skipped because their names are malformed: "
        f"{named(malformed)}."
    ]
    stated = {group: np.array([m[group] for m in matches.values()]) for group in pattern.groupindex}
    return [by_name[name] for name in matches], stated, notes if malformed else []


def most_tolerated(total: int) -> int:
    """How many of `total` files may be unusable before a data set is refused."""
    return max(ALWAYS_TOLERATED, int(MAX_UNREADABLE * total))


def named(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    return listed(names, NAMED)

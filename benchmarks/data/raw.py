"""Raw files: where they are looked for, how they are fetched, whether they are official."""

from __future__ import annotations

import hashlib
import os
import sys
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten

from benchmarks.errors import DataError
from benchmarks.result import Record

MIRROR = "BENCH_MIRROR"


@dataclass(frozen=True)
class RawFile:
    """An upstream file: its name, address and official SHA-256."""

    name: str
    url: str
    sha256: str


class RawRecord(Record):
    """A raw file as it was found."""

    name: str
    sha256: str
    official: bool


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
        """The file itself, or the archive that holds it, or None."""
        for folder in self.folders:
            if (folder / file).is_file():
                return folder / file
            for archive in sorted(folder.glob("*.zip")):
                if _member(archive, file):
                    return archive
        return None

    def missing(self) -> list[RawFile]:
        """Files that are nowhere."""
        return [file for file in self.files if self.where(file.name) is None]

    def read(self, file: str) -> bytes:
        """Content of a file. Raises DataError where it is missing, empty or in a broken archive."""
        place = self.where(file)
        if place is None:
            looked = " nor in ".join(map(str, self.folders))
            raise DataError(
                f"{self.name}: {file} is {'neither' if len(self.folders) > 1 else 'not'} in "
                f"{looked}. "
                f"Run `bench data get {self.name}`, or set {MIRROR} to a folder that has it."
            )
        content = place.read_bytes() if place.name == file else _extract(place, file)
        if not content.strip():
            raise DataError(f"{place}: {file} is empty. Fetch it again.")
        return content

    def records(self) -> list[RawRecord]:
        """Every file with its checksum, and whether it is the official one."""
        found = [(file, hashlib.sha256(self.read(file.name)).hexdigest()) for file in self.files]
        return [
            RawRecord(name=file.name, sha256=sha, official=sha == file.sha256)
            for file, sha in found
        ]

    def download(self) -> list[Path]:
        """Fetch what is missing from upstream; a file with another checksum is not kept."""
        import pooch  # noqa: PLC0415 - pulls in requests, which only a download needs

        fetched = []
        for file in self.missing():
            fetcher = pooch.HTTPDownloader(progressbar=sys.stderr.isatty() and _has_tqdm())
            try:
                path = pooch.retrieve(
                    file.url,
                    known_hash=f"sha256:{file.sha256}",
                    fname=file.name,
                    path=self.downloads,
                    downloader=fetcher,
                )
            except (OSError, ValueError) as error:
                raise DataError(
                    f"{self.name}: could not fetch {file.name} from {file.url} "
                    f"({_one_line(error)}). Fetch it by hand into {self.downloads}, or set "
                    f"{MIRROR} to a folder that has {self.name}/{file.name}."
                ) from error
            fetched.append(Path(path))
        return fetched


def _member(archive: Path, file: str) -> str | None:
    try:
        with zipfile.ZipFile(archive) as opened:
            return next((n for n in opened.namelist() if Path(n).name == file), None)
    except zipfile.BadZipFile as error:
        raise DataError(
            f"{archive}: not a whole zip archive ({error}). It was probably cut short: "
            "fetch it again."
        ) from error


def _extract(archive: Path, file: str) -> bytes:
    member = _member(archive, file)
    if member is None:
        raise DataError(f"{archive}: {file} is no longer in the archive.")
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

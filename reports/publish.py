"""`bench publish`: the pages into a folder, and nothing else touched.

What a site owns stands in its manifest. Files beside it, such as a CNAME, are left
alone; a place that holds files and no manifest is somebody else's, and is refused.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bench.errors import BenchError, UsageError
from bench.reports.pages.feed import FEED, with_address
from bench.reports.site import MANIFEST, build
from bench.result import Store, write_atomically

NO_JEKYLL = ".nojekyll"
"""Tells GitHub's pages to serve the files as they are."""

Files = Mapping[str, Path]
"""Where the content of each file of the site lies, by its path in the site; the manifest too."""


@dataclass(frozen=True)
class Changes:
    """What publishing does to a place, by path in it, in order."""

    new: list[str]
    replaced: list[str]
    removed: list[str]
    kept: list[str]
    """Gone from the site, but somebody changed them in the place: they stay."""

    @property
    def any(self) -> bool:
        """Whether there is something to do."""
        return bool(self.new or self.replaced or self.removed)


@contextmanager
def site_of(results: Path, address: str = "") -> Iterator[Files]:
    """The files of the site that the results make.

    Args:
        results: The results folder.
        address: Where the site will stand ("https://example.org/bench/"), for the feed's links;
            without it they are relative.

    Raises:
        UsageError: No results, or an address that is none.
    """
    if not Store(results).suites():
        raise UsageError(f"{results}: no results here. Name their folder with --out.")
    if address and not address.startswith(("https://", "http://")):
        raise UsageError(f'--url: "{address}" does not begin with https:// or http://.')
    with tempfile.TemporaryDirectory(prefix="bench-site-") as folder:
        root = Path(folder)
        build(results, root)
        if address:
            text = (root / FEED).read_text(encoding="utf-8")
            (root / FEED).write_text(with_address(text, f"{address.rstrip('/')}/"), "utf-8")
        (root / NO_JEKYLL).touch()
        (root / MANIFEST).unlink()
        paths = [path for path in sorted(root.rglob("*")) if path.is_file()]
        files = {path.relative_to(root).as_posix(): path for path in paths}
        write_atomically(root / MANIFEST, manifest({n: sha256(p) for n, p in files.items()}))
        yield files | {MANIFEST: root / MANIFEST}


def decide(
    files: Files, owned: Mapping[str, str], held: Callable[[str], str | None], place: str
) -> Changes:
    """What publishing changes.

    Args:
        files: The site.
        owned: SHA-256 of the files that the site put there, by its manifest.
        held: SHA-256 of what stands under a name in the place now; None for nothing.
        place: What to call the place in a message.

    Raises:
        BenchError: A file of somebody else stands where one of ours should go.
    """
    new, replaced = [], []
    for name, path in files.items():
        current = held(name)
        if current is None:
            new.append(name)
        elif current != sha256(path):
            if name not in owned and name != MANIFEST:
                raise BenchError(
                    f"{place}: {name} is not from an earlier publication. Move it away, or "
                    "publish elsewhere."
                )
            replaced.append(name)
    gone = [name for name in owned if name not in files and held(name) is not None]
    removed = [name for name in gone if held(name) == owned[name]]
    return Changes(new, replaced, removed, [name for name in gone if name not in removed])


@dataclass(frozen=True)
class Folder:
    """A folder that a web server serves, or one to copy from."""

    root: Path

    def changes(self, files: Files) -> Changes:
        """What publishing would do; touches nothing.

        Raises:
            BenchError: The folder is somebody else's, or has links or files in the way.
        """
        if self.root.exists() and not self.root.is_dir():
            raise BenchError(f"{self.root}: a file, not a folder.")
        known = self.root / MANIFEST
        if self.root.is_dir() and any(self.root.iterdir()) and not known.is_file():
            raise BenchError(
                f"{self.root}: holds files that bench did not publish. Name an empty folder."
            )
        owned = read_manifest(known.read_bytes(), str(known)) if known.is_file() else {}
        return decide(files, owned, self._held, str(self.root))

    def publish(self, files: Files) -> str:
        """Write what changed, file by file; whoever opens a page sees the old one or the new.

        The manifest is written first with all that is old and new, and last with what is new,
        so that publishing cut short is taken up again.
        """
        changes = self.changes(files)
        known = self.root / MANIFEST
        ours = {name: sha256(path) for name, path in files.items() if name != MANIFEST}
        try:
            old = read_manifest(known.read_bytes(), str(known)) if known.is_file() else {}
            write_atomically(known, manifest(old | ours))
            for name in (*changes.new, *changes.replaced):
                if name != MANIFEST:
                    write_atomically(self.root / name, files[name].read_text(encoding="utf-8"))
            for name in changes.removed:
                (self.root / name).unlink()
                _remove_emptied((self.root / name).parent, self.root)
            write_atomically(known, files[MANIFEST].read_text(encoding="utf-8"))
        except OSError as error:
            raise BenchError(f"{self.root}: cannot write here ({error.strerror}).") from error
        return f"Published in {self.root}. Open {self.root / 'index.html'}"

    def _held(self, name: str) -> str | None:
        path = self.root / name
        parts = PurePosixPath(name).parts
        steps = [self.root.joinpath(*parts[:depth]) for depth in range(1, len(parts) + 1)]
        if any(step.is_symlink() for step in steps):
            raise BenchError(f"{path}: a link, which bench does not follow. Move it away.")
        if not path.exists():
            return None
        if not path.is_file():
            raise BenchError(f"{path}: a folder stands where a file should go. Move it away.")
        return sha256(path)


def manifest(digests: Mapping[str, str]) -> str:
    """The text of a manifest, as `bench.reports.site` writes it."""
    return json.dumps(dict(sorted(digests.items())), indent=1) + "\n"


def read_manifest(content: bytes, where: str) -> dict[str, str]:
    """SHA-256 by path. Raises BenchError for another content, or a path that leaves the site."""
    try:
        entries = json.loads(content)
        names = {str(name): str(digest) for name, digest in entries.items()}
    except (ValueError, AttributeError) as error:
        raise BenchError(f"{where}: not a manifest of published pages. Remove it.") from error
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise BenchError(f'{where}: "{name}" leaves the folder. Remove the line.')
    return names


def sha256(path: Path) -> str:
    """SHA-256 of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _remove_emptied(folder: Path, root: Path) -> None:
    while folder != root and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent

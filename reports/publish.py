"""`bench publish`: the pages into a folder, and nothing else touched.

What a site owns stands in its manifest. Files beside it, such as a CNAME, are left
alone; a place that holds files and no manifest is somebody else's, and is refused.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bench.errors import BenchError, UsageError, writing
from bench.outside.json_text import read_mapping
from bench.reports.site import MANIFEST, build, manifest, remove_emptied
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
    if any(sign in address for sign in "@?#"):
        raise UsageError(
            "--url: everybody could read the user, password or query in it. Leave it out."
        )
    with writing("TMPDIR"):
        temporary = tempfile.TemporaryDirectory(prefix="bench-site-")
    with temporary as folder:
        root = Path(folder)
        build(results, root, address=f"{address.rstrip('/')}/" if address else "")
        with writing(root):
            (root / NO_JEKYLL).touch()
            (root / MANIFEST).unlink()
            paths = [path for path in sorted(root.rglob("*")) if path.is_file()]
            files = {path.relative_to(root).as_posix(): path for path in paths}
            write_atomically(root / MANIFEST, manifest({n: sha256(p) for n, p in files.items()}))
        yield files | {MANIFEST: root / MANIFEST}


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
        owned = read_manifest(known)
        held = {name: self._held(name) for name in dict.fromkeys((*files, *owned))}
        new = [name for name in files if held[name] is None]
        replaced = [n for n in files if held[n] is not None and held[n] != sha256(files[n])]
        for name in replaced:
            if name not in owned and name != MANIFEST:
                raise BenchError(
                    f"{self.root}: {name} is not from an earlier publication. Move it away, or "
                    "publish elsewhere."
                )
        gone = [name for name in owned if name not in files and held[name] is not None]
        removed = [name for name in gone if held[name] == owned[name]]
        return Changes(new, replaced, removed, [name for name in gone if name not in removed])

    def publish(self, files: Files) -> str:
        """Write what changed, file by file; whoever opens a page sees the old one or the new.

        The manifest is written first with all that is old and new, and last with what is new,
        so that publishing cut short is taken up again.
        """
        changes = self.changes(files)
        known = self.root / MANIFEST
        ours = {name: sha256(path) for name, path in files.items() if name != MANIFEST}
        with writing(self.root):
            write_atomically(known, manifest(read_manifest(known) | ours))
            for name in (*changes.new, *changes.replaced):
                if name != MANIFEST:
                    write_atomically(self.root / name, files[name].read_text(encoding="utf-8"))
            for name in changes.removed:
                (self.root / name).unlink()
                remove_emptied((self.root / name).parent, self.root)
            write_atomically(known, files[MANIFEST].read_text(encoding="utf-8"))
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


def read_manifest(path: Path) -> dict[str, str]:
    """SHA-256 by path in the site; empty where there is no manifest.

    Raises:
        BenchError: The file is no manifest, or names a path that leaves the site.
    """
    if not path.is_file():
        return {}
    manifest = read_mapping(path, "a manifest of published pages", "Remove it.")
    entries = {name: str(digest) for name, digest in manifest.items()}
    for name in entries:
        inside = PurePosixPath(name)
        if inside.is_absolute() or ".." in inside.parts or not inside.parts:
            raise BenchError(f'{path}: "{name}" leaves the folder. Remove the line.')
    return entries


def sha256(path: Path) -> str:
    """SHA-256 of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()

"""Files beside the runs in MLflow: a trial's result, a sweep's pages and pictures."""

from __future__ import annotations

import base64
import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.errors import BenchError
from bench.result import Plan, Result

PROXIED = "mlflow-artifacts:/"  # relative to wherever the server keeps its artifacts
PAGES, PICTURES, RESULTS = "pages", "pictures", "results"
RESULT = "result.json"
MOST_IN_A_PART = 200
LONGEST_LABEL = 60  # characters of a method's label in the name of a file
LARGEST_PART = 8 * 2**20  # characters: few enough to arrive before the deadline of a step


class Artifacts:
    """Where the runs of one store keep files.

    Args:
        uri: The store.
        out: The results folder.
    """

    def __init__(self, uri: str, out: Path) -> None:
        self.uri = uri
        self.remote = uri.startswith(("http://", "https://"))
        self.folder = out / "mlartifacts"
        """What a server started later reads, its `--artifacts-destination`."""

    def accepts(self, address: str) -> bool:
        """False for a folder on the server's disk: a client would write to its own."""
        return not (self.remote and urlsplit(address).scheme in ("", "file"))

    def keep_text(self, address: str, name: str, text: str) -> None:
        """Store a text as an artifact of a run, which need not exist yet."""
        if place := self._here(address):
            place.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(text, encoding="utf-8")
            return
        with tempfile.TemporaryDirectory(prefix="bench-artifacts-") as temporary:
            path = Path(temporary) / name
            path.write_text(text, encoding="utf-8")
            self.keep(address, path, "")

    def keep(self, address: str, path: Path, folder: str) -> None:
        """Store a file in a folder of a run's artifacts, if the address is accepted."""
        if not self.accepts(address):
            return
        if place := self._here(address):
            (place / folder).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place / folder / path.name)
            return
        from mlflow.store.artifact.artifact_repository_registry import (  # noqa: PLC0415 - seconds
            get_artifact_repository,
        )

        repository = get_artifact_repository(address, tracking_uri=self.uri)
        repository.log_artifact(str(path), folder or None)

    def remove(self, address: str, run_id: str) -> None:
        """Remove the folder of a run that was deleted, where it is one of ours on this disk.

        Its address reads <experiment>/<run>/artifacts; anything else is left alone.
        """
        try:
            place = self._here(address)
        except BenchError:
            return
        if place is None or (place.parent.name, place.name) != (run_id, "artifacts"):
            return
        if not place.parent.is_symlink():
            shutil.rmtree(place.parent, ignore_errors=True)

    def _here(self, address: str) -> Path | None:
        if self.remote or not address.startswith(PROXIED):
            return None
        place = self.folder / address.removeprefix(PROXIED).lstrip("/")
        if self.folder.resolve() not in place.resolve().parents:  # a link, or dots
            raise BenchError(f"the artifacts at {address} lie outside {self.folder}")
        return place


@dataclass(frozen=True)
class Part:
    """Consecutive results that are kept in one file; `digest` is that of their content."""

    first: int
    count: int
    digest: str


def parts(results: Iterable[tuple[str, int]]) -> list[Part]:
    """Divide results, each given by its digest and size, into files of bounded size."""
    divided: list[Part] = []
    digests: list[str] = []
    first = size = 0

    def end() -> None:
        whole = hashlib.sha256(" ".join(digests).encode()).hexdigest()[:12]
        divided.append(Part(first, len(digests), whole))

    for digest, length in results:
        if digests and (len(digests) == MOST_IN_A_PART or size + length > LARGEST_PART):
            end()
            first, size, digests = first + len(digests), 0, []
        digests.append(digest)
        size += length
    if digests:
        end()
    return divided


def write_part(path: Path, results: Iterable[Result]) -> None:
    """Write the files of results, named by their keys, into one ZIP file."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for result in results:
            archive.writestr(f"{result.key}.json", result.model_dump_json(indent=1) + "\n")


@contextmanager
def staged(plan: Plan, site: Path) -> Iterator[tuple[Path, str]]:
    """A temporary folder with a suite's page and its methods' pictures, and its SHA-256.

    Pages of single trials are left out: runs show the same, and there may be thousands of them.

    Args:
        plan: the sweep.
        site: the pages from `bench.reports.site.build`.
    """
    with tempfile.TemporaryDirectory(prefix="bench-artifacts-") as temporary:
        folder = Path(temporary)
        (folder / PAGES).mkdir()
        for path in (site / plan.suite).iterdir():
            if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
                shutil.copyfile(path, folder / PAGES / path.name)
        for method in plan.methods:
            if method.picture:
                name = "".join(sign if sign.isalnum() else "-" for sign in method.label).strip("-")
                (folder / PICTURES).mkdir(exist_ok=True)
                picture = folder / PICTURES / f"{method.track}-{name[:LONGEST_LABEL]}.png"
                picture.write_bytes(base64.b64decode(method.picture))
        yield folder, _digest(folder)


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()

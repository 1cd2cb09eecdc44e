"""What a sweep's run in MLflow keeps beside numbers: its page, its figures, its pictures."""

from __future__ import annotations

import base64
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.result import Plan

PAGES, PICTURES = "pages", "pictures"


@contextmanager
def staged(plan: Plan, site: Path) -> Iterator[tuple[Path, str]]:
    """A folder with the files of a suite's page and its methods' pictures, and its SHA-256.

    The pages of single trials stay out: their runs hold the same, and there may be thousands.

    Args:
        plan: The sweep.
        site: The pages, as `reports.site.build` made them.
    """
    with tempfile.TemporaryDirectory(prefix="bench-artifacts-") as made:
        folder = Path(made)
        (folder / PAGES).mkdir()
        for path in (site / plan.suite).iterdir():
            if path.is_file() and not path.name.startswith("."):
                shutil.copyfile(path, folder / PAGES / path.name)
        for method in plan.methods:
            if method.picture:
                name = "".join(sign if sign.isalnum() else "-" for sign in method.label).strip("-")
                (folder / PICTURES).mkdir(exist_ok=True)
                picture = folder / PICTURES / f"{method.track}-{name}.png"
                picture.write_bytes(base64.b64decode(method.picture))
        yield folder, _digest(folder)


def _digest(folder: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        found.update(f"{path.relative_to(folder)}\0".encode())
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()

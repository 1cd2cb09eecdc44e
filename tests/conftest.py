"""What all tests share: no mirror unless asked for, one thread, a fresh library."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.data.dataset import Library

if "BENCH_MIRROR" in os.environ:
    # Under another name, which pytest-xdist's workers inherit and nothing else reads.
    os.environ["TESTS_MIRROR"] = os.environ.pop("BENCH_MIRROR")
MIRROR = os.environ.get("TESTS_MIRROR")
os.environ.pop("COLUMNS", None)  # those workers have it, and rich reads it only once
torch.set_num_threads(1)

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(autouse=True)
def no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raw files come from where a test puts them, whatever the shell says."""
    for name in ("BENCH_MIRROR", "BENCH_DATA", "BENCH_OUT", "BENCH_SITE", "BENCH_METHODS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder with real data sets that BENCH_MIRROR named when the tests were started."""
    if not MIRROR:
        pytest.skip("needs real data: set BENCH_MIRROR to a folder with adult/ and meps/")
    return Path(MIRROR).absolute()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, one for all: Playwright starts once in a process.

    Tests that need it are skipped where it or Playwright is missing.
    """
    api = pytest.importorskip("playwright.sync_api", reason="needs the Playwright package")
    if not CHROMIUM.exists():
        pytest.skip(f"needs Chromium at {CHROMIUM}")
    with api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """An empty library."""
    return Library(tmp_path / "data")


@pytest.fixture(scope="session")
def real_library(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Adult and MEPS, prepared from the real files; read only."""
    made = Library(tmp_path_factory.mktemp("real"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_MIRROR", str(mirror))
        for name in ("adult", "meps"):
            made.prepare(name)
    return made

"""What all tests share: no mirror unless asked for, one thread, nothing left for the next test."""

from __future__ import annotations

import logging
import os
import signal
import sys
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


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    """After a failure, say how the same order comes again (-q hides pytest-randomly's own line)."""
    if exitstatus and config.pluginmanager.hasplugin("randomly"):
        seed = config.getoption("randomly_seed")
        terminalreporter.write_line(f"The same order again: --randomly-seed={seed}")


SET_BY_LIBRARIES = ("KMP_", "TORCHINDUCTOR_", "PYTEST_CURRENT_TEST")
"""Beginnings of environment variables that torch sets when its parts are first imported."""


def process_state() -> dict[str, object]:
    """What belongs to the whole process, by name: a test that changes it changes the next one."""
    root = logging.getLogger()
    return {
        "working directory": str(Path.cwd()),
        "sys.path": tuple(sys.path),
        "sys.argv": tuple(sys.argv),
        "root logger": (tuple(root.handlers), root.level, root.manager.disable),
        "signal handlers": tuple(map(signal.getsignal, (signal.SIGINT, signal.SIGTERM))),
        "torch threads": torch.get_num_threads(),
        "torch default dtype": torch.get_default_dtype(),
        "torch gradients": torch.is_grad_enabled(),
        "torch determinism": torch.are_deterministic_algorithms_enabled(),
        "torch precision": torch.get_float32_matmul_precision(),
        **{
            f"environment variable {name}": text
            for name, text in os.environ.items()
            if not name.startswith(SET_BY_LIBRARIES)
        },
    }


def release_captured_streams() -> None:
    """Point log handlers whose stream is closed at the error stream of this process.

    Libraries make such handlers when they are first imported, with the error stream of that moment.
    Within a test this is pytest's, which is closed when the test ends: in the next test that logs,
    the handler would print "--- Logging error ---" among what that test reads.
    """
    for reference in logging._handlerList:  # type: ignore[attr-defined]
        handler = reference()
        if getattr(getattr(handler, "stream", None), "closed", False):
            handler.stream = sys.stderr


@pytest.fixture(autouse=True)
def leaves_nothing_behind() -> Iterator[None]:
    """Fail a test after which the process is not as before: tests run in any order."""
    before = process_state()
    yield
    after = process_state()
    release_captured_streams()
    changed = {
        name: (before.get(name), after.get(name))
        for name in before.keys() | after.keys()
        if before.get(name) != after.get(name)
    }
    assert changed == {}, "the test left this changed (before, after)"


@pytest.fixture(autouse=True)
def no_mirror(leaves_nothing_behind: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raw files come from where a test puts them, whatever the shell says."""
    for name in ("BENCH_MIRROR", "BENCH_DATA", "BENCH_OUT", "BENCH_SITE", "BENCH_METHODS",
                 "BENCH_PLUGINS"):  # fmt: skip
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


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files begin first, or one core would work on them while the others are done."""
    longest = ("test_contributing.py", "test_sweep.py", "test_kills.py")
    items.sort(key=lambda item: item.path.name not in longest)

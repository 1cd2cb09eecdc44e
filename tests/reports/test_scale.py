"""Large sweeps: pages stay small, building stays quick, and equal results give equal bytes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.reports.site import build, pages
from tests.reports.cross_track_sweep import cross_track
from tests.reports.large_sweep import large_store
from tests.reports.synthetic_sweep import TwoTasks, store_of

ROOT = Path(__file__).parents[2]


def python(program: str, *arguments: object, **environment: str) -> str:
    """What a program prints that starts afresh, with these tests' modules at hand."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def test_a_suite_page_with_twenty_methods_and_six_tasks_stays_small(tmp_path: Path) -> None:
    root = large_store(tmp_path, suites=1, tasks=6, methods=20, seeds=5)
    sizes: dict[str, int] = {}
    for name, text in pages(root):
        sizes[name] = len(text.encode())
        if name.startswith("s00/trials/s00"):
            break
    assert sizes["s00/index.html"] < 500_000
    # Trials' pages are read alone, and there are many of them.
    assert sizes.popitem()[1] < 40_000


def test_a_thousand_results_become_pages_in_seconds(tmp_path: Path) -> None:
    root = large_store(tmp_path / "store", suites=2, tasks=5, methods=20, seeds=5)
    began = time.process_time()  # the processor's seconds: a busy machine is not our fault
    files = build(root, tmp_path / "site")
    assert time.process_time() - began < 12
    assert sum(path.parent.name == "trials" for path in files) == 1000 + 2


BUILD = """
import resource, sys, time
from pathlib import Path
from bench.reports.site import build
began = time.process_time()
count = len(build(Path(sys.argv[1]), Path(sys.argv[2])))
print(count, time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_ten_thousand_results_take_less_than_a_minute_and_two_gib(tmp_path: Path) -> None:
    root = large_store(tmp_path / "store", suites=10, tasks=5, methods=20, seeds=10)
    count, seconds, kib = python(BUILD, root, tmp_path / "site", OMP_NUM_THREADS="1").split()
    assert int(count) > 10_000
    assert float(seconds) < 60
    assert float(kib) < 2 * 2**20


DIGEST = """
import hashlib, sys
from pathlib import Path
from bench.reports.site import render
files = render(Path(sys.argv[1]))
print(hashlib.sha256(repr(list(files.items())).encode()).hexdigest())
"""


def test_another_process_that_hashes_otherwise_writes_the_same_bytes(
    two_tasks: TwoTasks, tmp_path: Path
) -> None:
    store_of(tmp_path, *two_tasks)
    for name in ("faces", "poison"):
        store_of(tmp_path, *cross_track(name))
    assert len({python(DIGEST, tmp_path, PYTHONHASHSEED=seed) for seed in ("1", "2")}) == 1


def test_a_page_that_says_the_same_is_not_written_again(
    two_tasks: TwoTasks, tmp_path: Path
) -> None:
    root = store_of(tmp_path / "store", *two_tasks)
    page = tmp_path / "site" / "adult" / "index.html"
    build(root, tmp_path / "site")
    before = page.stat().st_ino
    build(root, tmp_path / "site")
    assert page.stat().st_ino == before

"""What docs/pages.md says of equal bits: jobs, folders, hash seeds, OMP and locales change none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.result import Store

SUITE = """
title: Small trials
seeds: 2
training: {backbone: small_cnn, epochs: 3, batch_size: 64, learning_rate: 1.0e-3}
tasks:
  - {data: digits, task: parity|ink}
methods: [standard, reweighting, adversarial, mfd, bade]
"""
ELSEWHERE = {"OMP_NUM_THREADS": "4", "MKL_NUM_THREADS": "4", "PYTHONHASHSEED": "7", "LC_ALL": "C"}


def numbers(folder: Path, *options: str, **variables: str) -> dict[str, object]:
    """What a sweep measured, by key and without times."""
    command = [sys.executable, "-m", "bench", "--suite", "small.yaml", "--no-track", "--no-report"]
    subprocess.run(
        [*command, *options],
        cwd=folder,
        env={**os.environ, **variables},
        check=True,
        capture_output=True,
    )
    out = folder / (options[-1] if "--out" in options else "results")
    plan = Store(out).read_plan("small")
    assert plan
    times = {name for track in plan.tracks for name in track.times}
    found: dict[str, object] = {}
    for path in (out / "small" / "trials").glob("*.json"):
        result = json.loads(path.read_text())
        metrics = {k: v for k, v in result["metrics"].items() if k not in times}
        parts = ("status", "curves", "samples", "undefined", "pictures", "chosen")
        found[result["key"]] = (metrics, {name: result[name] for name in parts})
    return found


@pytest.mark.slow
def test_jobs_folder_hash_seed_threads_of_libraries_and_locale_change_no_bit(
    tmp_path: Path,
) -> None:
    (tmp_path / "small.yaml").write_text(SUITE)
    first = numbers(tmp_path, "--jobs", "1")
    assert len(first) == 10
    second = numbers(tmp_path, "--jobs", "2", "--out", "elsewhere", **ELSEWHERE)
    assert second == first

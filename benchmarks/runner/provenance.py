"""Where a result comes from: source, versions, hardware."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from bench.result import Environment

PACKAGES = ("bench", "torch", "numpy", "scikit-learn", "pandas", "statsmodels", "mlflow")
BAKED = "BENCH_GIT_SHA"


@cache
def git_state() -> tuple[str, bool]:
    """Commit of the source and whether it was changed since; "unknown" outside a checkout.

    An image carries its commit in BENCH_GIT_SHA, since it holds no .git.
    """
    if baked := os.environ.get(BAKED):
        return baked, False
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return "unknown", False
    try:
        sha = _git(root, "rev-parse", "HEAD")
        dirty = bool(_git(root, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):
        return "unknown", False
    return sha, dirty


def environment(device: torch.device, threads: int) -> Environment:
    """The environment of a trial on `device`."""
    sha, dirty = git_state()
    return Environment(
        git_sha=sha,
        git_dirty=dirty,
        versions={"python": platform.python_version(), **_versions()},
        platform=platform.platform(terse=True),
        processor=_processor(),
        cores=cores(),
        threads=threads,
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
    )


def cores() -> int:
    """CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - fixed arguments
        ["git", "-C", str(root), *arguments],  # noqa: S607 - whichever git the user has
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@cache
def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


@cache
def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()

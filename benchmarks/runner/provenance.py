"""The environment that a result comes from: source code, versions of packages, hardware."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from bench.result import Environment

if TYPE_CHECKING:
    import torch

PACKAGES = ("bench", "torch", "numpy", "scikit-learn", "pandas", "statsmodels", "mlflow")
COMMIT = "BENCH_GIT_SHA"  # environment variable of a container image, which has no .git folder


@cache
def git_state() -> tuple[str, bool]:
    """Commit of the source, or "unknown" outside a checkout; and whether it was changed since."""
    if re.fullmatch(r"[0-9a-f]{4,64}", commit := os.environ.get(COMMIT, "")):
        return commit, False
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
    import torch  # noqa: PLC0415 - the process that schedules trials does without it

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
        capability=torch.backends.cpu.get_cpu_capability(),
    )


def cores() -> int:
    """Number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _git(root: Path, *arguments: str) -> str:
    process = subprocess.run(  # noqa: S603 - fixed arguments
        ["git", "-C", str(root), *arguments],  # noqa: S607 - the git that the user has
        check=True,
        capture_output=True,
        text=True,
    )
    return process.stdout.strip()


@cache
def _versions() -> dict[str, str]:
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return versions


@cache
def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()

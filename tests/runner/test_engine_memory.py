"""Freed memory stays with a worker during a trial, and is released between two."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from bench.runner.engine import KEEP_FREED, environment

COUNT = """
import resource
import psutil, torch
from bench.models import backbones
from bench.runner import engine

torch.set_num_threads(1)
model = backbones.build("max_pool_cnn", (1, 28, 28), 10, 0).to(memory_format=torch.channels_last)
x = torch.rand(128, 1, 28, 28)
def steps(count):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(count):
        model(x).sum().backward()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
def held():
    return psutil.Process().memory_info().rss / 2**20

steps(4)
print(steps(8))
large = [torch.ones(2**20) for _ in range(32)]
del large
print(held())
engine.release_free_memory()
print(held())
"""


def counted(variables: dict[str, str]) -> list[float]:
    """Page faults of eight training steps, and MiB held before and after the release."""
    inherited = {name: value for name, value in os.environ.items() if name not in KEEP_FREED}
    ran = subprocess.run(
        [sys.executable, "-c", COUNT],
        capture_output=True, text=True, check=True, env=inherited | variables,
    )  # fmt: skip
    return [float(line) for line in ran.stdout.split()]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc reads KEEP_FREED")
def test_training_steps_need_no_new_pages_and_free_memory_can_be_released() -> None:
    (without, *_), (kept, before, after) = counted({}), counted(KEEP_FREED)
    assert kept < without / 4
    assert before - after > 100  # MiB; 128 were just freed


def test_child_processes_inherit_the_variables_and_the_user_has_the_last_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own, other = KEEP_FREED
    monkeypatch.setenv(own, "4096")
    monkeypatch.delenv(other, raising=False)
    with environment(KEEP_FREED):
        show = f"import os; print(os.environ[{own!r}], os.environ[{other!r}])"
        ran = subprocess.run(
            [sys.executable, "-c", show], capture_output=True, text=True, check=True
        )
    assert ran.stdout.split() == ["4096", KEEP_FREED[other]]
    assert os.environ[own] == "4096"
    assert other not in os.environ

"""Freed memory stays with the process, and goes back when asked for."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

COUNT = """
import resource, sys
import psutil, torch
from bench.models import backbones
from bench.runner import engine

if sys.argv[1] == "keep":
    assert engine.keep_freed()
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
engine.give_back()
print(held())
"""


def counted(way: str) -> list[float]:
    ran = subprocess.run(
        [sys.executable, "-c", COUNT, way], capture_output=True, text=True, check=True
    )
    return [float(line) for line in ran.stdout.split()]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator alone is told")
def test_training_steps_need_no_new_pages_and_what_is_free_can_be_given_back() -> None:
    (without, *_), (kept, before, after) = counted("default"), counted("keep")
    assert kept < without / 4
    assert before - after > 100  # MiB; 128 were just freed

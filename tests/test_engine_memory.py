"""Freed memory stays with the process, and goes back when asked for."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

COUNT = """
import resource, sys
import psutil, torch
from benchmarks.engines import memory

if sys.argv[1] == "keep":
    assert memory.keep_freed()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def held():
    return psutil.Process().memory_info().rss / 2**20
def tensors():
    return [torch.ones(4 * 2**20) for _ in range(6)]  # six of 16 MiB

tensors()
begin = faults()
for _ in range(5):
    tensors()
print(faults() - begin)
print(held())
memory.give_back()
print(held())
"""


def counted(way: str) -> list[float]:
    ran = subprocess.run(
        [sys.executable, "-c", COUNT, way], capture_output=True, text=True, check=True
    )
    return [float(line) for line in ran.stdout.split()]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="not glibc")
def test_tensors_of_the_same_size_need_no_new_pages_and_are_given_back() -> None:
    (without, *_), (kept, before, after) = counted("default"), counted("keep")
    assert kept < without / 10
    assert before - after > 80  # of the 96 MiB that were freed

"""Freed memory stays with a process during its trial; every trial's process begins without any."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from bench.runner.template import KEEP_FREED, environment

COUNT = """
import resource
import torch
from bench.models import backbones

torch.set_num_threads(1)
model = backbones.build("max_pool_cnn", (1, 28, 28), 10, 0).to(memory_format=torch.channels_last)
x = torch.rand(128, 1, 28, 28)
def steps(count):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(count):
        model(x).sum().backward()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

steps(4)
print(steps(8))
"""


def faults(variables: dict[str, str]) -> int:
    """Page faults of eight training steps."""
    inherited = {name: value for name, value in os.environ.items() if name not in KEEP_FREED}
    ran = subprocess.run(
        [sys.executable, "-c", COUNT],
        capture_output=True, text=True, check=True, env=inherited | variables,
    )  # fmt: skip
    return int(ran.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc reads KEEP_FREED")
def test_training_steps_need_no_new_pages() -> None:
    assert faults(KEEP_FREED) < faults({}) / 4


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

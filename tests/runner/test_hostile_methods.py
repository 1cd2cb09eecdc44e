"""Methods that do what they must not: each leaves its own result, and touches no other trial."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent, indent
from typing import Any, NamedTuple

import psutil
import pytest

SUITE = """
title: Hostile methods
seeds: 1
training: {backbone: small_cnn, epochs: 1, batch_size: 64, learning_rate: 1.0e-3}
tasks:
  - {data: digits, task: parity|ink}
methods: [%s]
"""

METHOD = '''
"""A method for tests: %(name)s."""

import asyncio, atexit, ctypes, os, random, resource, signal, subprocess, sys, threading, time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from bench.method import Paper
from bench.tracks.debiasing import Debiaser


@dataclass(frozen=True)
class Hostile(Debiaser):
    """Nobody (2026), section 0."""

    paper: ClassVar[Paper] = Paper("Nobody (2026)", "None")

    def fit(self, task, context):
%(body)s
        return task.new_model()
'''
MARK = "90125.25"
"""Seconds that a process sleeps which a trial leaves behind: it is known by them."""
UNPRINTABLE = """
class Odd(Exception):
    def __str__(self):
        raise ValueError("no text")
raise Odd
"""
NAMELESS = """
class Meta(type):
    __name__ = property(lambda self: 1 / 0)
class Odd(Exception, metaclass=Meta):
    pass
raise Odd
"""
END_OF_OUTPUT = """
class Closed:
    encoding = "utf-8"
    def write(self, text): ...
    def flush(self): raise EOFError
sys.stdout = sys.stderr = Closed()
"""
OF_ITS_OWN = """
import inspect
frame = inspect.currentframe()
while "spec" not in frame.f_locals:
    frame = frame.f_back
path = frame.f_locals["place"].out / "hostile" / "trials" / (frame.f_locals["spec"].key + ".json")
path.parent.mkdir(parents=True, exist_ok=True)
%s
"""


class Body(NamedTuple):
    """What a method does, and how its trial must end.

    Attributes:
        reason: a part of the reason.
    """

    code: str
    status: str = "ok"
    reason: str = ""


BODIES = {
    # It changes what belongs to the process, and then goes on as if nothing were.
    "dtype": Body("torch.set_default_dtype(torch.float64); task.new_model()"),
    "no_gradients": Body("torch.set_grad_enabled(False)"),
    "deterministic": Body("torch.use_deterministic_algorithms(True)"),
    "threads": Body("torch.set_num_threads(7)"),
    "random_state": Body("random.seed(1); np.random.seed(1); torch.manual_seed(1)"),
    "folder": Body("os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')"),
    "variables": Body("os.environ.clear()"),
    "mask": Body("os.umask(0o777)"),
    "descriptors": Body(
        """
        global files
        files = []
        try:
            while True:
                files.append(open(os.devnull))
        except OSError:
            pass
    """,
        "failed",
        "Too many open files",  # the judge finds none, but its result is written
    ),
    "streams": Body("sys.stdout.close(); os.close(1); os.close(2)"),
    "signals": Body("[signal.signal(n, signal.SIG_IGN) for n in (signal.SIGTERM, signal.SIGCHLD)]"),
    "recursion": Body("sys.setrecursionlimit(2**30)"),
    "progress": Body("context.report_progress('\\ud800\\x1b[2J', 1, 2)"),
    "file_size": Body(
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, -1))\nraise OSError('x')",
        "failed",
        "OSError: x",
    ),
    # It leaves something that still runs.
    "thread": Body("threading.Thread(target=time.sleep, args=(600,)).start()"),
    "at_exit": Body("atexit.register(time.sleep, 600)"),
    "child": Body(f"subprocess.Popen(['sleep', '{MARK}'])"),
    "daemon": Body(f"subprocess.Popen(['sleep', '{MARK}'], start_new_session=True)"),
    # It ends in an odd way.
    "exit": Body("sys.exit(3)", "failed", "SystemExit: 3"),
    "exit_at_once": Body("os._exit(0)", "failed", "ended with exit code 0 before"),
    "exit_three": Body("os._exit(3)", "failed", "ended with exit code 3 before"),
    "exit_disk_full": Body("os._exit(74)", "failed", "could not write its result"),
    "interrupt": Body("raise KeyboardInterrupt", "failed", "KeyboardInterrupt"),
    "cancelled": Body("raise asyncio.CancelledError('me')", "failed", "CancelledError: me"),
    "generator": Body("raise GeneratorExit", "failed", "GeneratorExit"),
    "unprintable": Body(UNPRINTABLE, "failed", "Odd: its text cannot be shown (ValueError)"),
    "surrogate": Body("raise ValueError('\\ud800 and more')", "failed", "\\ud800 and more"),
    "endless_text": Body("raise ValueError('x' * 10**7)", "failed", "ValueError: xxx"),
    "segfault": Body("ctypes.string_at(0)", "failed", "SIGSEGV"),
    "abort": Body("os.abort()", "failed", "SIGABRT"),
    "own_group": Body("os.killpg(0, signal.SIGKILL)", "failed", "SIGKILL"),
    "alarm": Body("signal.alarm(1); time.sleep(600)", "failed", "SIGALRM"),
    "deep": Body("f = lambda: f()\nf()", "failed", "RecursionError"),
    "input": Body("input()", "failed", "EOFError"),
    "template": Body("os.kill(os.getppid(), signal.SIGKILL); time.sleep(600)", "failed",
                     "the process that starts trials was killed by SIGKILL whenever"),
    # It records or returns what nobody can keep.
    "nothing": Body("return None", "failed"),
    "text_curve": Body("context.curves['loss'] = ['a']", "failed", "what it left cannot be kept"),
    "object_curve": Body("context.curves['loss'] = [object()]", "failed", "cannot be kept"),
    "tensor_curve": Body("context.curves['loss'] = [torch.ones(())]"),
    "object_choice": Body("context.chosen['x'] = object()", "failed", "cannot be kept"),
    "surrogate_choice": Body("context.chosen['x'] = '\\ud800'", "failed", "cannot be kept"),
    "endless_choice": Body("context.chosen['x'] = 'y' * 10**8", "failed",
                           "x is a text of 100,000,000 characters"),
    "endless_curve": Body("context.curves['x'] = [0.123456789012345] * 4_000_000", "failed",
                          "larger than the 64 MiB that a result may have"),
    "endless_number": Body("context.chosen['x'] = 10 ** 5000", "failed", "cannot be kept"),
    "endless_reason": Body("from bench.errors import Diverged\nraise Diverged('x' * 10**7)",
                           "failed", "diverged: xxx"),
    "endless_warning": Body("import logging\nlogging.getLogger('z').warning('z' * 10**6)"),
    "no_times": Body("context.training_seconds = float('nan')"),
    "text_times": Body("context.training_seconds, context.waited_seconds = 'a lot', None"),
    "text_that_exits": Body(UNPRINTABLE.replace("ValueError('no text')", "SystemExit(3)").replace(
        'ValueError("no text")', "SystemExit(3)"), "failed", "cannot be shown (SystemExit)"),
    "nameless": Body(NAMELESS, "failed", "an exception without a name"),
    "end_of_output": Body(END_OF_OUTPUT),
    "junk": Body(OF_ITS_OWN % "path.write_text('junk'); os._exit(0)", "failed", "exit code 0"),
    "pipe": Body(OF_ITS_OWN % "os.mkfifo(path); os._exit(0)", "failed", "exit code 0"),
    "zeros": Body(OF_ITS_OWN % "path.symlink_to('/dev/zero'); os._exit(0)", "failed", "code 0"),
    "folder_of_its_own": Body(OF_ITS_OWN % "path.mkdir(); os._exit(0)", "failed", "code 0"),
    # It never ends by itself.
    "stopped": Body("os.kill(os.getpid(), signal.SIGSTOP)", "timeout"),
    "template_stopped": Body("os.kill(os.getppid(), signal.SIGSTOP); time.sleep(600)", "timeout"),
    "native": Body("ctypes.CDLL(None).sleep(600)", "timeout"),
    "lock_holder": Body("ctypes.PyDLL(None).sleep(600)", "timeout"),  # holds Python's global lock
}  # fmt: skip


def written(folder: Path) -> dict[str, dict[str, Any]]:
    """Every result by the name of its method."""
    paths = [*(folder / "results" / "hostile" / "trials").glob("*.json")]
    assert not [path for path in paths if path.is_symlink() or not path.is_file()]
    results = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return {result["method"]: result for result in results}


def run(folder: Path, *options: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    folder.mkdir(exist_ok=True)
    plugins = folder / "private"
    plugins.mkdir()
    for name, body in BODIES.items():
        code = indent(dedent(body.code).strip(), 8 * " ")
        (plugins / f"{name}.py").write_text(METHOD % {"name": name, "body": code})
    methods = ["standard", *BODIES, "reweighting"]
    (folder / "hostile.yaml").write_text(SUITE % ", ".join(methods))
    ended = subprocess.run(
        [sys.executable, "-m", "bench", "--suite", "hostile.yaml", "--no-track", "--timeout", "6",
         *options],
        cwd=folder, env={**os.environ, "BENCH_METHODS": str(plugins)},
        capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    return ended, written(folder)


@pytest.fixture(scope="module")
def hostile(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """One sweep of them all: two at once, with the two honest ones at its beginning and end."""
    return run(tmp_path_factory.mktemp("hostile") / "sweep", "--jobs", "2")


def test_no_hostile_method_ends_the_sweep_or_leaves_a_traceback(hostile: Any) -> None:
    ended, results = hostile
    assert ended.returncode == 1, ended.stderr
    assert ended.stderr == ""
    assert results.keys() == {"standard", "reweighting", *BODIES}


@pytest.mark.parametrize("name", BODIES)
def test_the_result_says_what_the_method_did(hostile: Any, name: str) -> None:
    _, results = hostile
    status, reason = results[name]["status"], results[name]["reason"] or ""
    assert (status, BODIES[name].reason in reason) == (BODIES[name].status, True), reason
    assert len(reason) < 1000


def test_a_trial_after_hostile_ones_has_the_numbers_of_a_calm_sweep(
    hostile: Any, tmp_path: Path
) -> None:
    _, among_them = hostile
    _, calm = run(tmp_path / "calm", "--methods", "standard,reweighting")
    for method in ("standard", "reweighting"):
        for part in ("status", "metrics", "curves", "chosen", "samples"):
            assert among_them[method][part] == calm[method][part]
    # These change nothing that a network depends on.
    same = {name: among_them[name]["metrics"] for name in ("folder", "mask", "child", "at_exit")}
    assert len({json.dumps(metrics, sort_keys=True) for metrics in same.values()}) == 1


def test_what_a_trial_leaves_running_ends_with_it(hostile: Any) -> None:
    assert hostile
    deadline = time.monotonic() + 10
    while left := [
        p for p in psutil.process_iter(["cmdline"]) if MARK in (p.info["cmdline"] or ())
    ]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)

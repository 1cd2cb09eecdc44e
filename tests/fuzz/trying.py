"""Tries an input: a command, or a function, that must end well or in one line."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, settings

from bench.cli import main
from bench.errors import UNPRINTABLE, BenchError
from tests.in_process import sweep_here

INPUTS = int(os.environ.get("FUZZ", "0"))
"""How many inputs `make fuzz` tries a target; 0 is the short run."""
SECONDS = 20.0
"""An input that takes longer hangs."""


def inputs(few: int) -> Callable[[Any], Any]:
    """How many inputs a test tries: these few, always the same, or those of `make fuzz`."""
    return settings(
        max_examples=INPUTS or few,
        derandomize=not INPUTS,
        deadline=None,
        database=None,
        phases=[Phase.generate, *([Phase.shrink] if INPUTS else [])],
        suppress_health_check=list(HealthCheck),
    )


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """An empty folder to work in, for one input."""
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        yield Path(name)


def bench(*arguments: str) -> int:
    """Run `bench` in this process; its exit code, after a look at what it printed.

    Results of mistakes are 2 and one line; 0 and 1 (a trial failed) are results as well.
    """
    printed, said = io.BytesIO(), io.StringIO()
    told = io.TextIOWrapper(printed, "utf-8")
    begun = time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["bench", *arguments])
        sweep_here(patch)
        with (
            contextlib.redirect_stdout(told),
            contextlib.redirect_stderr(said),
            pytest.raises(SystemExit) as ended,
        ):
            main.main()
    assert time.monotonic() - begun < SECONDS
    code, errors = int(ended.value.code or 0), said.getvalue()
    assert code in (0, 1, 2), errors
    told.flush()
    assert "Traceback" not in errors
    assert b"Traceback" not in printed.getvalue()
    if code == 2:
        assert errors.startswith("bench: "), errors
        assert errors.count("\n") == 1, errors
        assert not UNPRINTABLE.search(errors.removesuffix("\n")), errors
    assert list(Path.cwd().rglob("*.tmp")) == []
    event(f"exit code {code}")
    return code


def attempt(act: Callable[[], object]) -> None:
    """Do something that may raise nothing but a mistake of the user, of one line."""
    begun, refusal = time.monotonic(), "taken"
    try:
        act()
    except BenchError as error:
        refusal = str(error)
    assert refusal.strip()
    assert "\n" not in refusal
    assert time.monotonic() - begun < SECONDS
    event("taken" if refusal == "taken" else "refused")

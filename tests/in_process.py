"""A sweep within the test's own process: neither a template nor processes of trials.

Their start takes seconds, and most tests of suites and of the command line are not about them.
tests/runner/ has those that are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any, Self

import pytest

from bench.result import Result, Store
from bench.runner import sweep
from bench.runner.engine import Job
from bench.runner.trial import run_trial


class Here:
    """Stands in for `bench.runner.template.Template`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None: ...

    def prepare(self, modules: Sequence[str], functions: Sequence[str]) -> None: ...

    def call(self, function: str, *arguments: object) -> Any:
        module, _, name = function.partition(":")
        return getattr(import_module(module), name)(*arguments)


class EngineHere:
    """Stands in for `bench.runner.engine.Engine`, without limits."""

    def __init__(self, _template: Here, store: Store, _limits: Any, started: Any, _: Path) -> None:
        self.store, self.started = store, started

    def run(self, jobs: Sequence[Job], _at_once: int, _fail_fast: bool) -> Iterator[Result]:
        for job in jobs:
            self.started(job)
            result = run_trial(*ForkingPickler.loads(job.payload))
            self.store.write(result)
            yield result


def sweep_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sweeps run in this process until the end of the test."""
    monkeypatch.setattr(sweep, "Template", Here)
    monkeypatch.setattr(sweep, "Engine", EngineHere)

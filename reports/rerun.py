"""The command that runs one trial again, from the command that planned its sweep."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from benchmarks.result import Plan, PlannedMethod, Result, Scalar

KEPT = ("--suite", "--set", "--device")
"""Options that decide what is run; the others say where things go, or how many run at once."""

FRESH = "again"
"""Folder for the new result: in the old one the trial is finished, and would not run."""


def rerun_command(plan: Plan, method: PlannedMethod, task: str, result: Result) -> str:
    """A line for the shell that plans this trial, with the same key, and no other."""
    words = ["bench", *_kept(shlex.split(plan.command)[1:])]
    if "--suite" not in words:
        words += ["--suite", plan.suite]
    words += ["--tasks", task, "--methods", named(method)]
    # "3" alone would be the seeds 0, 1 and 2.
    words += ["--seeds", f"{result.seed}-{result.seed}"]
    if result.environment and result.environment.threads != 1:
        words += ["--threads", str(result.environment.threads)]
    return shlex.join([*words, "--out", FRESH])


def named(method: PlannedMethod) -> str:
    """What `--methods` takes for this entry alone: "bade[]", "bade[strength=0.5]".

    A file's name stands for all entries of the suite that have it, and a label writes six digits
    of a number.
    """
    if not method.parameters:
        return method.name  # it has no other entries
    defaults = {field.name: field.default for field in method.hyperparameters}
    changed = {
        name: value
        for name, value in method.parameters.items()
        if (name not in defaults or defaults[name] != value) and f"{name}=" in method.label
    }
    return f"{method.name}[{','.join(f'{k}={_written(v)}' for k, v in changed.items())}]"


def _written(value: Scalar) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _kept(words: Sequence[str]) -> Iterator[str]:
    """Options of `KEPT` with their values, in both spellings: `--set a=b` and `--set=a=b`."""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        option, equals, value = word.partition("=")
        if option in KEPT:
            yield option
            yield value if equals else following

"""The sides of a comparison: a folder of results, or what one commit left in a folder."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import UsageError, unknown
from benchmarks.result import Plan, Result, Store

SHA = re.compile(r"[0-9a-f]{4,40}")

Cell = tuple[str, str, str, str]
"""Suite, track, task, method."""


@dataclass(frozen=True)
class Side:
    """One of the two: a folder of results, or a commit's results in a folder."""

    name: str
    plans: Mapping[str, Plan]
    results: Mapping[Cell, Mapping[int, Result]]
    """For each suite, track, task and method its results by seed."""

    @property
    def commits(self) -> list[tuple[str, int]]:
        """Git commits with the number of results from each, most first."""
        every = (r for seeds in self.results.values() for r in seeds.values())
        counts = Counter(r.environment.git_sha if r.environment else "unknown" for r in every)
        return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def side(text: str, root: Path, suites: Sequence[str] = ()) -> Side:
    """A results folder, or the results of a commit in the folder `root`.

    Of a folder the trials of its plans are taken; of a commit all that it left, also those that
    a later plan no longer asks for.

    Raises:
        UsageError: `text` is neither, or stands for several commits.
    """
    if Path(text).is_dir():
        store = Store(Path(text))
        if not store.suites():
            raise UsageError(f"{text}: no results here (no SUITE/plan.json).")
        planned = {s: p for s in _asked(store, suites) if (p := store.read_plan(s))}
        keys = {s: [trial.key for trial in plan.trials] for s, plan in planned.items()}
        every = [r for s in planned for r in store.read_all(s, dict.fromkeys(keys[s]))]
        return Side(text, planned, _by_cell(every, planned))
    store = Store(root)
    found = [r for s in _asked(store, suites) for r in _everything(store, s)]
    sha = _commit(text, root, found)
    mine = [r for r in found if r.environment and r.environment.git_sha == sha]
    plans = {s: p for s in dict.fromkeys(r.suite for r in mine) if (p := store.read_plan(s))}
    return Side(sha[:12], plans, _by_cell(mine, plans))


def _asked(store: Store, suites: Sequence[str]) -> list[str]:
    known = store.suites()
    for name in suites:
        if name not in known:
            raise UsageError(f"{store.root}: {unknown('suite', name, known)}")
    return list(suites) or known


def _everything(store: Store, suite: str) -> Iterable[Result]:
    keys = sorted(path.stem for path in (store.root / suite / "trials").glob("[!.]*.json"))
    return store.read_all(suite, keys)


def _commit(text: str, root: Path, results: Iterable[Result]) -> str:
    shas = Counter(r.environment.git_sha for r in results if r.environment)
    meant = [sha for sha in shas if SHA.fullmatch(text) and sha.startswith(text)]
    if len(meant) == 1:
        return meant[0]
    listed = ", ".join(f"{sha[:12]} ({n})" for sha, n in shas.most_common(10)) or "none"
    if meant:
        raise UsageError(f'"{text}" stands for several commits: {", ".join(sorted(meant))}.')
    raise UsageError(
        f'"{text}" is neither a results folder nor a commit with results in {root}. '
        f"Commits there, with their results: {listed}."
    )


def _by_cell(results: Iterable[Result], plans: Mapping[str, Plan]) -> dict[Cell, dict[int, Result]]:
    """By cell and seed; of two results of one trial the planned one, or else the last."""
    planned = {trial.key for plan in plans.values() for trial in plan.trials}
    found: dict[Cell, dict[int, Result]] = {}
    for result in sorted(results, key=lambda r: (r.key in planned, r.finished, r.key)):
        cell = result.suite, result.track, result.task, result.method
        found.setdefault(cell, {})[result.seed] = result
    return _in_page_order(found, plans)


def _in_page_order(
    found: Mapping[Cell, dict[int, Result]], plans: Mapping[str, Plan]
) -> dict[Cell, dict[int, Result]]:
    order = {
        (suite, trial.task, trial.method): place
        for suite, plan in plans.items()
        for place, trial in enumerate(plan.trials)
    }
    last = len(order)
    places = {c: (c[0], order.get((c[0], *c[2:]), last), c) for c in found}
    return {cell: found[cell] for cell in sorted(found, key=places.__getitem__)}

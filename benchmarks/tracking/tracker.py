"""Results -> MLflow: a view of the files, made afterwards and always possible to make again.

One experiment a suite; in it one parent run a sweep, under it a run for every trial, and beside it
a summary for every (task, method): MLflow's table folds what has a parent, even where a search
finds it, and means are what people open it for. Runs are found by their `bench.*` tags, so that
logging twice leaves one run, and a trial that was retried shows what the files say now.

Which run shows which trial is kept beside the results, in <suite>/mlflow.json, for the pages. A
run that its sweep no longer asks for, because a parameter changed, say, is tagged as stale.

One process logs, the parent of a sweep: opening a fresh database from several breaks it.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten

from bench.errors import BenchError
from bench.result import Plan, Result, write_atomically
from bench.tracking.experiment import Experiment, Shown, staged
from bench.tracking.ui import NO_TELEMETRY, serve
from bench.tracking.views import summary_views, trial_view

__all__ = ["Tracker", "TrackingUnavailable", "default_uri", "serve"]

PAGES_HASH = "bench.pages_hash"
RUNS = "mlflow.json"
"""In a suite's folder of results: the id of the run of each trial, by its key."""

# The environment wins over these, so that a slow server can be given more time.
QUIET_AND_QUICK = {
    **NO_TELEMETRY,
    "MLFLOW_DISABLE_AGENT_HINT": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
LOGGERS = ("mlflow", "alembic", "urllib3.connectionpool")
SECONDS_FOR_A_LOCK = 5.0


class TrackingUnavailable(BenchError):  # noqa: N818 - a state of the server, not a mistake
    """MLflow cannot be written to now. No result is lost by it."""


def default_uri(out: Path) -> str:
    """The SQLite database beside the results, used where no server is named."""
    return f"sqlite:///{out.absolute() / 'mlflow.db'}"


class Tracker:
    """Writes results to one MLflow store. Every method can be called again without harm.

    All raise `TrackingUnavailable`, within seconds, where the store cannot be written to.
    """

    def __init__(self, uri: str, out: Path) -> None:
        self.uri = uri or default_uri(out)
        self.out = out

    def log(self, plan: Plan, result: Result) -> None:
        """Show one trial as its result says now."""
        view = trial_view(plan, result)
        with self._experiment(plan.suite) as experiment:
            sweep = experiment.sweep(plan, result.started)
            found = experiment.runs(f"tags.`bench.trial_key` = '{view.key}'")
            if experiment.put([view], sweep, found).written and sweep.info.status != "RUNNING":
                experiment.client.update_run(sweep.info.run_id, status="RUNNING")

    def summarise(self, plan: Plan, results: Iterable[Result]) -> None:
        """Show the mean, spread and count of every (task, method) among `results`."""
        results = list(results)
        views = summary_views(plan, results)
        if not views:
            return
        with self._experiment(plan.suite) as experiment:
            sweep = experiment.sweep(plan, min(result.started for result in results))
            kind = f"tags.`bench.kind` = 'summary' and tags.`bench.sweep` = '{plan.sweep}'"
            experiment.put(views, sweep, experiment.runs(kind))

    def log_all(self, plan: Plan, results: Iterable[Result]) -> None:
        """Log what is missing or out of date, refresh the summaries and close the sweep."""
        by_key = {result.key: result for result in results}
        if not by_key:
            return
        views = [trial_view(plan, result) for result in by_key.values()]
        views += summary_views(plan, by_key.values())
        with self._experiment(plan.suite) as experiment:
            sweep = experiment.sweep(plan, min(result.started for result in by_key.values()))
            there = experiment.runs("")
            shown = experiment.put(views, sweep, there).shown
            experiment.retire(plan, shown, there)
            experiment.close(sweep, plan, by_key)
            self._remember(plan.suite, experiment.id, shown)

    def attach(self, plan: Plan, site: Path) -> None:
        """Keep a suite's page, its figures and tables as artifacts of the sweep's run.

        Args:
            plan: The sweep, logged before.
            site: The pages, as `bench.reports.site.build` made them; nothing happens without them.
        """
        if not (site / plan.suite / "index.html").is_file():
            return
        with self._experiment(plan.suite) as experiment, staged(plan, site) as (folder, digest):
            found = experiment.sweeps(plan)
            if found and found[0].data.tags.get(PAGES_HASH) != digest:
                experiment.keep(found[0], folder)
                experiment.client.set_tag(found[0].info.run_id, PAGES_HASH, digest)

    def _remember(self, suite: str, experiment: str, shown: Shown) -> None:
        """Write down which run shows which trial, where the suite's results are kept."""
        if (self.out / suite).is_dir():
            runs = {key: run for (kind, key), run in sorted(shown.items()) if kind == "trial"}
            beside = self.uri == default_uri(self.out)  # and moves with it
            told = {"experiment": experiment, "tracking": "" if beside else _public(self.uri)}
            told |= runs
            write_atomically(self.out / suite / RUNS, json.dumps(told, indent=1) + "\n")

    @contextmanager
    def _experiment(self, suite: str) -> Iterator[Experiment]:
        try:
            _probe(self.uri)
            with _quiet_and_quick():
                yield Experiment(self.uri, self.out, suite)
        except Exception as error:  # MLflow and its stores raise dozens of kinds
            raise TrackingUnavailable(
                f"MLflow at {_public(self.uri)} cannot be written to: {_cause(error)}. "
                "The results are safe in their files; `bench log` brings MLflow up to date."
            ) from error


@contextmanager
def _quiet_and_quick() -> Iterator[None]:
    """MLflow without chatter, telemetry and minutes of retries; the process as before after it."""
    before = {name: os.environ.get(name) for name in QUIET_AND_QUICK}
    os.environ.update({name: before[name] or value for name, value in QUIET_AND_QUICK.items()})
    try:
        import mlflow  # noqa: F401, PLC0415 - sets its log levels when first imported

        levels = {name: logging.getLogger(name).level for name in LOGGERS}
        for name in LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _probe(uri: str) -> None:
    """Fail within seconds on a SQLite file that MLflow would retry for minutes."""
    path = uri.removeprefix("sqlite:///").partition("?")[0]
    if not uri.startswith("sqlite:///") or path in ("", ":memory:"):
        return
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=SECONDS_FOR_A_LOCK, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    finally:
        connection.close()


def _public(uri: str) -> str:
    """A URI without the user and password that it may carry."""
    return re.sub(r"//[^/@]*@", "//", uri)


def _cause(error: BaseException) -> str:
    """One line: what the operating system or the database said, where one of them spoke."""
    chain = [error]
    while inner := chain[-1].__cause__ or chain[-1].__context__:
        chain.append(inner)
    spoke = [each for each in chain if isinstance(each, OSError | sqlite3.Error)]
    lines = str(spoke[-1] if spoke else error).strip().splitlines()
    return shorten(_public(lines[0]), 200).rstrip(". ") if lines else type(error).__name__

"""Logs results to MLflow, as a view of the result files that can be made again at any time.

Each suite is an experiment. In it each sweep has a parent run with a child run for each trial, and
beside it a summary run for each (task, method). Summaries are not children, because MLflow's table
folds children away, and people look for the means. Runs are found by their `bench.*` tags, so that
logging twice leaves one run, and a trial that was retried shows its present result.

The file <suite>/mlflow.json beside the results records which run shows which trial, for the pages.
A run that its sweep no longer needs, for example because a parameter changed, is tagged as stale.

Only the parent process of a sweep logs, because several processes break a new database.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten

from bench.errors import BenchError
from bench.privacy import public, public_word
from bench.result import Plan, Result, Store, write_atomically
from bench.tracking.experiment import Experiment, Shown, staged
from bench.tracking.ui import NO_TELEMETRY, serve
from bench.tracking.views import summary_views, trial_view

__all__ = ["Tracker", "TrackingUnavailable", "default_uri", "serve"]

PAGES_HASH = "bench.pages_hash"
RUNS = "mlflow.json"
"""File in a suite's folder of results: key of each trial -> id of its run."""

# Variables of the environment take precedence, so that a slow server can be given more time.
QUIET_AND_QUICK = {
    **NO_TELEMETRY,
    # A new database would note the whole path of the working folder for the experiment "Default".
    "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
    "MLFLOW_DISABLE_AGENT_HINT": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
LOGGERS = ("mlflow", "alembic", "urllib3.connectionpool")
SECONDS_FOR_A_LOCK = 5.0


class TrackingUnavailable(BenchError):  # noqa: N818 - a state of the server, not a mistake
    """MLflow cannot be written to now. The results are safe in their files."""


def default_uri(out: Path) -> str:
    """The SQLite database beside the results, used where no server is named."""
    return f"sqlite:///{out.absolute() / 'mlflow.db'}"


class Tracker:
    """Writes results to one MLflow store. Calling a method again changes nothing.

    All methods raise `TrackingUnavailable` within seconds if the store cannot be written to.
    """

    def __init__(self, uri: str, out: Path) -> None:
        self.uri = uri or default_uri(out)
        self.out = out

    def log(self, plan: Plan, result: Result) -> None:
        """Write or refresh the run of one trial."""
        view = trial_view(plan, result)
        with self._experiment(plan.suite) as experiment:
            sweep = experiment.sweep(plan, result.started)
            runs = experiment.runs(f"tags.`bench.trial_key` = '{view.key}'")
            written, _ = experiment.put([view], sweep, runs)
            if written and sweep.info.status != "RUNNING":
                experiment.client.update_run(sweep.info.run_id, status="RUNNING")

    def log_all(self, plan: Plan, results: Iterable[Result]) -> None:
        """Log what is missing or out of date, refresh the summaries and close the sweep."""
        by_key = {result.key: result for result in results}
        if not by_key:
            return
        views = [trial_view(plan, result) for result in by_key.values()]
        views += summary_views(plan, by_key.values())
        with self._experiment(plan.suite) as experiment:
            sweep = experiment.sweep(plan, min(result.started for result in by_key.values()))
            runs = experiment.runs("")
            _, shown = experiment.put(views, sweep, runs)
            experiment.retire(plan, shown, runs)
            experiment.close(sweep, plan, by_key)
            self._remember(plan.suite, experiment.id, shown)

    def attach(self, plan: Plan, site: Path) -> None:
        """Attach a suite's page, with its figures and tables, to the sweep's run as artifacts.

        Args:
            plan: the sweep, which has been logged.
            site: the pages from `bench.reports.site.build`; without them nothing happens.
        """
        if not (site / plan.suite / "index.html").is_file():
            return
        with self._experiment(plan.suite) as experiment, staged(plan, site) as (folder, digest):
            sweeps = experiment.sweeps(plan)
            if sweeps and sweeps[0].data.tags.get(PAGES_HASH) != digest:
                experiment.keep(sweeps[0], folder)
                experiment.client.set_tag(sweeps[0].info.run_id, PAGES_HASH, digest)

    def _remember(self, suite: str, experiment: str, shown: Shown) -> None:
        """Record in the suite's folder which run shows which trial."""
        if (self.out / suite).is_dir():
            runs = {key: run for (kind, key), run in sorted(shown.items()) if kind == "trial"}
            # A database beside the results moves with them, so its address is not recorded.
            tracking = "" if self.uri == default_uri(self.out) else public_word(self.uri)
            content = {"experiment": experiment, "tracking": tracking, **runs}
            write_atomically(
                Store(self.out).place(suite, RUNS), json.dumps(content, indent=1) + "\n"
            )

    @contextmanager
    def _experiment(self, suite: str) -> Iterator[Experiment]:
        try:
            _probe(self.uri)
            with _quiet_and_quick():
                yield Experiment(self.uri, self.out, suite)
        except Exception as error:  # MLflow and its stores raise dozens of types
            raise TrackingUnavailable(
                f"MLflow at {public_word(self.uri)} cannot be written to: {_cause(error)}. "
                "The results are safe in their files; `bench log` brings MLflow up to date."
            ) from error


@contextmanager
def _quiet_and_quick() -> Iterator[None]:
    """Silence MLflow, its telemetry and its minutes of retries during the block."""
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
    """Fail within seconds on a SQLite file that MLflow would try to open for minutes."""
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


def _cause(error: BaseException) -> str:
    """The cause in one line: the innermost error of the system or database, else `error`."""
    chain = [error]
    while inner := chain[-1].__cause__ or chain[-1].__context__:
        chain.append(inner)
    causes = [link for link in chain if isinstance(link, OSError | sqlite3.Error)]
    lines = str(causes[-1] if causes else error).strip().splitlines()
    return shorten(public(lines[0]), 200).rstrip(". ") if lines else type(error).__name__

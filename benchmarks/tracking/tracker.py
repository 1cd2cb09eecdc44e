"""Logs results to MLflow, as a view of the result files that can be made again at any time.

Each suite is an experiment. In it each sweep has a parent run with a child run for each trial, and
beside it a summary run for each (task, method). Summaries are not children, because MLflow's table
folds children away, and people look for the means. Runs are found by their `bench.*` tags, so that
logging twice leaves one run, and a trial that was retried shows its present result.

The file <suite>/mlflow.json beside the results records which run shows which trial, for the pages.
A run that its sweep no longer needs, for example because a parameter changed, is tagged as stale.

Only one process of a sweep logs (`bench.tracking.background`), because several break a new
database.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from bench.errors import BenchError
from bench.privacy import public, public_word
from bench.result import Plan, Result, Store, write_atomically
from bench.tracking.artifacts import staged
from bench.tracking.experiment import PAGES_HASH, Experiment, Shown, Steps
from bench.tracking.runs import TRIAL
from bench.tracking.ui import NO_TELEMETRY, serve
from bench.tracking.views import RunView, summary_views, trial_view, without_details

if TYPE_CHECKING:
    from mlflow.entities import Run

__all__ = ["SuiteLog", "Tracker", "TrackingUnavailable", "default_uri", "serve"]

RUNS = "mlflow.json"
"""File in a suite's folder of results: key of each trial -> id of its run."""

TIMEOUT = "MLFLOW_HTTP_REQUEST_TIMEOUT"
# Variables of the environment take precedence, so that a slow server can be given more time.
QUIET_AND_QUICK = {
    **NO_TELEMETRY,
    # A new database would note the whole path of the working folder for the experiment "Default".
    "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
    "MLFLOW_DISABLE_AGENT_HINT": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    TIMEOUT: "10",
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

    Every call reads first what MLflow has. All methods raise `TrackingUnavailable` if the store
    cannot be written to, within seconds unless a server keeps sending something: the caller can
    only set a limit from another process, as `bench.tracking.background` does.
    """

    def __init__(self, uri: str, out: Path, steps: Steps | None = None) -> None:
        self.uri = uri or default_uri(out)
        self.out, self.steps = out, steps or Steps()

    def log(self, plan: Plan, result: Result) -> None:
        """Write or refresh the run of one trial."""
        with self.opened(plan) as suite:
            suite.log([result])

    def log_all(self, plan: Plan, results: Iterable[Result]) -> None:
        """Log what is missing or out of date, refresh the summaries and close the sweep.

        Args:
            plan: The sweep.
            results: Its results. They may be iterated over several times, and are not kept.
        """
        if next(iter(results), None) is None:
            return
        with self.opened(plan) as suite:
            suite.log_all(results)

    def attach(self, plan: Plan, site: Path) -> None:
        """Attach a suite's page, with its figures and tables, to the sweep's run as artifacts.

        Args:
            plan: the sweep, which has been logged.
            site: the pages from `bench.reports.site.build`; without them nothing happens.
        """
        if has_page(plan, site):
            with self.opened(plan) as suite:
                suite.attach(site)

    @contextmanager
    def opened(self, plan: Plan) -> Iterator[SuiteLog]:
        """The log of one suite, with what MLflow has of it."""
        with self.available():
            yield self.open(plan)

    def open(self, plan: Plan) -> SuiteLog:
        """The log of one suite; all that is done with it belongs inside `available`."""
        _probe(self.uri)
        return SuiteLog(self.uri, self.out, plan, self.steps)

    @contextmanager
    def available(self) -> Iterator[None]:
        """Turn whatever goes wrong with MLflow during the block into `TrackingUnavailable`."""
        try:
            with _quiet_and_quick():
                yield
        except Exception as error:  # MLflow and its stores raise dozens of types
            raise TrackingUnavailable(unavailable(self.uri, cause_of(error))) from error


class SuiteLog:
    """One suite's sweep in MLflow, as it was found and as it was written since."""

    def __init__(self, uri: str, out: Path, plan: Plan, steps: Steps) -> None:
        self.uri, self.out, self.plan = uri, out, plan
        self.experiment = Experiment(uri, out, plan.suite, steps)
        self.sweep: Run | None = None
        """The sweep's run while trials are logged one by one."""

    def is_current(self) -> bool:
        """Whether what is known of MLflow is still true, less what was deleted meanwhile."""
        return self.experiment.is_current()

    def log(self, results: Sequence[Result]) -> None:
        """Write or refresh the runs of trials."""
        views = [trial_view(self.plan, result) for result in results]
        sweep = self.sweep or self.experiment.sweep(self.plan, lambda: _earliest(results))
        written = sum(count for count, _ in self.experiment.put(views, sweep))
        if written and not self.sweep:
            self.experiment.reopen(sweep)
            self.sweep = sweep

    def log_all(self, results: Iterable[Result]) -> None:
        """Log what is missing or out of date, refresh the summaries and close the sweep."""
        self.sweep = None
        sweep = self.experiment.sweep(self.plan, lambda: _earliest(results))
        by_key: dict[str, Result] = {}
        sizes: list[tuple[str, int]] = []

        def views() -> Iterator[RunView]:
            for result in results:
                by_key[result.key] = without_details(result)
                view = trial_view(self.plan, result)
                sizes.append((view.digest, len(view.text or "")))
                yield view
            yield from summary_views(self.plan, by_key.values())

        shown: dict[tuple[str, str], str] = {}
        for _, part in self.experiment.put(views(), sweep):
            shown |= part
        self.experiment.retire(self.plan, shown)
        self.experiment.keep_results(sweep, results, sizes)
        self.experiment.close(sweep, self.plan, by_key)
        self._remember(shown)

    def attach(self, site: Path) -> None:
        """Attach the suite's page, with its figures and tables, to the sweep's run."""
        sweep = self.experiment.standing_sweep(self.plan)
        if sweep is None:
            return
        with staged(self.plan, site) as (folder, digest):
            if sweep.data.tags.get(PAGES_HASH) == digest:
                return
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                self.experiment.keep(sweep, path, path.parent.relative_to(folder).as_posix())
            self.experiment.tag_sweep(sweep, PAGES_HASH, digest)

    def _remember(self, shown: Shown) -> None:
        """Record in the suite's folder which run shows which trial."""
        folder = self.out / self.plan.suite
        if folder.is_dir():
            runs = {key: run for (kind, key), run in sorted(shown.items()) if kind == TRIAL}
            # A database beside the results moves with them, so its address is not recorded.
            tracking = "" if self.uri == default_uri(self.out) else public_word(self.uri)
            content = {"experiment": self.experiment.id, "tracking": tracking, **runs}
            place = Store(self.out).place(self.plan.suite, RUNS)
            write_atomically(place, json.dumps(content, indent=1) + "\n")


def _earliest(results: Iterable[Result]) -> datetime:
    return min(result.started for result in results)


def has_page(plan: Plan, site: Path) -> bool:
    """Whether the suite's page was built."""
    return (site / plan.suite / "index.html").is_file()


def unavailable(uri: str, cause: str, missing: str = "") -> str:
    """What is said where MLflow cannot be written to."""
    return (
        f"MLflow at {public_word(uri)} cannot be written to: {cause}. {_through(uri)}{missing}"
        "The results are safe in their files; `bench log` brings MLflow up to date."
    )


def _through(uri: str) -> str:
    """A sentence on the proxy that stands between, if there is one: it may be what does not answer.

    A proxy is set for all addresses, and is easily forgotten where a server is on this machine.
    """
    try:
        address = urlsplit(uri)
        scheme, host = address.scheme, address.hostname or ""
    except ValueError:
        return ""
    if scheme not in ("http", "https") or scheme not in getproxies() or proxy_bypass(host):
        return ""
    return f"It is asked through the proxy of {scheme.upper()}_PROXY; NO_PROXY={host} would not. "


def quiet_environment() -> dict[str, str]:
    """The environment of a process in which MLflow is silent and does not retry for minutes."""
    return QUIET_AND_QUICK | {name: value for name, value in os.environ.items() if value}


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


def cause_of(error: BaseException) -> str:
    """The cause in one line: the innermost error of the system or database, else `error`."""
    chain = [error]
    while inner := chain[-1].__cause__ or chain[-1].__context__:
        chain.append(inner)
    causes = [link for link in chain if isinstance(link, OSError | sqlite3.Error)]
    lines = str(causes[-1] if causes else error).strip().splitlines()
    if not lines:
        return type(error).__name__
    # A server may have written it, also what a terminal would obey.
    if re.search(r"table \S+ already exists", lines[0]):
        lines[0] += ": the database was not made completely; move its file away, a new one is made"
    printable = "".join(sign if sign.isprintable() else " " for sign in public(lines[0]))
    return shorten(printable, 200).rstrip(". ")

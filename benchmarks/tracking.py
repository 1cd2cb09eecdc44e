"""Results -> MLflow: a view of the files, made afterwards and always possible to make again.

One experiment a suite; in it one parent run a sweep, and under it a run for every trial and a
summary for every (task, method). Runs are found by their `bench.*` tags, so that logging twice
leaves one run, and a trial that was retried shows what the files say now.

Which run shows which trial is kept beside the results, in <suite>/mlflow.json, for the pages. A
run that its sweep no longer asks for, because a parameter changed, say, is tagged as stale.

One process logs, the parent of a sweep: opening a fresh database from several breaks it.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from benchmarks.errors import BenchError
from benchmarks.mlflow_ui import NO_TELEMETRY, serve
from benchmarks.result import Plan, Result, write_atomically
from benchmarks.run_artifacts import staged
from benchmarks.run_views import (
    CURRENT,
    STALE,
    RunView,
    count_by_status,
    summary_views,
    trial_view,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

__all__ = ["Tracker", "TrackingUnavailable", "default_uri", "serve"]

PARENT = "mlflow.parentRunId"
HASH = "bench.result_hash"
PAGES_HASH = "bench.pages_hash"
RUNS = "mlflow.json"
"""In a suite's folder of results: the id of the run of each trial, by its key."""
PROXIED = "mlflow-artifacts:/"  # relative to wherever the server keeps its artifacts
LONGEST_TAG = 5000  # MLflow's limit on older servers
PAGE = 250  # runs a page: few enough to arrive within the time limit below

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
            site: The pages, as `reports.site.build` made them; nothing happens without them.
        """
        if not (site / plan.suite / "index.html").is_file():
            return
        with self._experiment(plan.suite) as experiment, staged(plan, site) as (folder, digest):
            found = experiment.sweeps(plan)
            if found and found[0].data.tags.get(PAGES_HASH) != digest:
                experiment.keep(found[0], folder)
                experiment.client.set_tag(found[0].info.run_id, PAGES_HASH, digest)

    def _remember(self, suite: str, experiment: str, shown: Mapping[tuple[str, str], str]) -> None:
        """Write down which run shows which trial, where the suite's results are kept."""
        if (self.out / suite).is_dir():
            runs = {key: run for (kind, key), run in sorted(shown.items()) if kind == "trial"}
            beside = self.uri == default_uri(self.out)  # and moves with it
            told = {"experiment": experiment, "tracking": "" if beside else _public(self.uri)}
            told |= runs
            write_atomically(self.out / suite / RUNS, json.dumps(told, indent=1) + "\n")

    @contextmanager
    def _experiment(self, suite: str) -> Iterator[_Experiment]:
        try:
            _probe(self.uri)
            with _quiet_and_quick():
                yield _Experiment(self.uri, self.out, suite)
        except Exception as error:  # MLflow and its stores raise dozens of kinds
            raise TrackingUnavailable(
                f"MLflow at {_public(self.uri)} cannot be written to: {_cause(error)}. "
                "The results are safe in their files; `bench log` brings MLflow up to date."
            ) from error


@dataclass(frozen=True)
class _Put:
    """How many runs were written, and which run now shows which kind and key."""

    written: int
    shown: Mapping[tuple[str, str], str]


class _Experiment:
    """The experiment of one suite while it is being written to."""

    def __init__(self, uri: str, out: Path, suite: str) -> None:
        from mlflow import MlflowClient  # noqa: PLC0415 - costs seconds

        self.client: MlflowClient = MlflowClient(tracking_uri=uri)
        self.remote = uri.startswith(("http://", "https://"))
        self.artifacts = out / "mlartifacts"
        self.id = self._find_or_create(suite)

    def _find_or_create(self, suite: str) -> str:
        found = self.client.get_experiment_by_name(suite)
        if found is None:
            # An absolute path would tie the database to this machine or container.
            location = None if self.remote else f"{PROXIED}{suite}"
            return str(self.client.create_experiment(suite, artifact_location=location))
        if found.lifecycle_stage == "deleted":
            self.client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def runs(self, where: str) -> list[Run]:
        """All runs that a search finds."""
        found: list[Run] = []
        token: str | None = None
        while True:
            page = self.client.search_runs([self.id], where, max_results=PAGE, page_token=token)
            found += page
            token = page.token
            if not token:
                return found

    def sweep(self, plan: Plan, started: datetime) -> Run:
        """The parent run of a sweep, made when first asked for."""
        tags = {
            "suite": plan.suite,
            "command": plan.command[:LONGEST_TAG],
            "bench.kind": "sweep",
            "bench.sweep": plan.sweep,
            "mlflow.note.content": plan.description[:LONGEST_TAG],
        }
        found = self.sweeps(plan)
        if not found:
            return self.client.create_run(self.id, _milliseconds(started), tags, plan.title)
        self._retag(found[0], tags)
        return found[0]

    def sweeps(self, plan: Plan) -> list[Run]:
        """The parent runs of a sweep, oldest first; there should be one at most."""
        kind = f"tags.`bench.kind` = 'sweep' and tags.`bench.sweep` = '{plan.sweep}'"
        return sorted(self.runs(kind), key=lambda run: (run.info.start_time, run.info.run_id))

    def retire(
        self, plan: Plan, shown: Mapping[tuple[str, str], str], there: Iterable[Run]
    ) -> None:
        """Tag the runs below a sweep that neither its trials nor its means need any more."""
        wanted = {*shown, *(("trial", trial.key) for trial in plan.trials)}
        for run in there:
            tags = run.data.tags
            kind = tags.get("bench.kind", "")
            known = kind, tags.get(f"bench.{kind}_key", "")
            ours = kind in ("trial", "summary") and tags.get("bench.sweep") == plan.sweep
            if ours and known not in wanted and tags.get(STALE) != "yes":
                self.client.set_tag(run.info.run_id, STALE, "yes")

    def close(self, sweep: Run, plan: Plan, by_key: Mapping[str, Result]) -> None:
        """Say on the sweep how its trials ended, and that it is over or was interrupted."""
        planned = {trial.key for trial in plan.trials}
        there = [result for key, result in by_key.items() if key in planned]
        missing = len(planned) - len(there)
        self._retag(sweep, {"trials": count_by_status(there, missing)})
        status = "KILLED" if missing else "FINISHED"
        if sweep.info.status != status:
            end = _milliseconds(max(result.finished for result in by_key.values()))
            self.client.set_terminated(sweep.info.run_id, status, end)

    def _retag(self, run: Run, tags: Mapping[str, str]) -> None:
        for name, value in tags.items():
            if run.data.tags.get(name, "") != value:
                self.client.set_tag(run.info.run_id, name, value)

    def put(self, views: Iterable[RunView], sweep: Run, found: Iterable[Run]) -> _Put:
        """Make `views` true, given the runs that are there."""
        parent = sweep.info.run_id
        there: dict[tuple[str, str], list[Run]] = defaultdict(list)
        for run in found:
            kind = run.data.tags.get("bench.kind", "")
            there[kind, run.data.tags.get(f"bench.{kind}_key", "")].append(run)
        written = 0
        shown: dict[tuple[str, str], str] = {}
        for view in views:
            old = there[view.kind, view.key]
            good = next((run for run in old if _shows(run, view, parent)), None)
            if good is None:
                keep = self._write(view, parent)
                written += 1
            else:
                keep = str(good.info.run_id)
                self._retag(good, {STALE: CURRENT})
            shown[view.kind, view.key] = keep
            # Last, so that a crash in between leaves one run too many and never one too few.
            for run in old:
                if run.info.run_id != keep:
                    self.client.delete_run(run.info.run_id)
        return _Put(written, shown)

    def _write(self, view: RunView, parent: str) -> str:
        from mlflow.entities import Param  # noqa: PLC0415 - costs seconds

        tags = {name: value[:LONGEST_TAG] for name, value in view.tags.items()}
        tags |= {"bench.kind": view.kind, f"bench.{view.kind}_key": view.key}
        tags |= {HASH: view.digest, PARENT: parent}
        run = self.client.create_run(self.id, _milliseconds(view.started), tags, view.name)
        run_id = str(run.info.run_id)
        for params in _chunks([Param(*pair) for pair in view.params.items()], 100):
            self.client.log_batch(run_id, params=params)
        for metrics in _chunks(_points(view), 1000):
            self.client.log_batch(run_id, metrics=metrics)
        if view.data:
            self._log_data(run_id, view.data)
        if view.text:
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / "result.json").write_text(view.text, encoding="utf-8")
                self.keep(run, Path(folder))
        # Last: a run still "running" is one whose writing was cut short, and is written anew.
        self.client.set_terminated(run_id, view.status, _milliseconds(view.finished))
        return run_id

    def _log_data(self, run_id: str, data: Mapping[str, str]) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag  # noqa: PLC0415

        context = InputTag("mlflow.data.context", "training")
        self.client.log_inputs(run_id, [DatasetInput(Dataset(**data), [context])])

    def keep(self, run: Run, folder: Path) -> None:
        """Keep the files of a folder as artifacts of a run."""
        location = str(run.info.artifact_uri)
        if self.remote and urlsplit(location).scheme in ("", "file"):
            return  # a folder on the server's disk, which a client would write on its own
        if not self.remote and location.startswith(PROXIED):
            # Where the server looks with `--artifacts-destination`; no server runs yet.
            goal = self.artifacts / location.removeprefix(PROXIED).lstrip("/")
            shutil.copytree(folder, goal, dirs_exist_ok=True)
        else:
            self.client.log_artifacts(run.info.run_id, str(folder))


def _shows(run: Run, view: RunView, parent: str) -> bool:
    tags = run.data.tags
    whole = run.info.status != "RUNNING"
    return whole and tags.get(HASH) == view.digest and tags.get(PARENT) == parent


def _points(view: RunView) -> list[Any]:
    from mlflow.entities import Metric  # noqa: PLC0415 - costs seconds

    end = _milliseconds(view.finished)
    curves = [
        Metric(name, value, end, step)
        for name, values in view.curves.items()
        for step, value in enumerate(values)
        if value is not None
    ]
    return [Metric(name, value, end, 0) for name, value in view.metrics.items()] + curves


def _chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


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

"""Writing to one suite's experiment in MLflow."""

from __future__ import annotations

import base64
import hashlib
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bench.errors import BenchError
from bench.result import Plan, Result
from bench.tracking.views import CURRENT, STALE, RunView, count_by_status

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PARENT = "mlflow.parentRunId"
HASH = "bench.result_hash"
OPENS_AS = {"mlflow.experimentKind": "custom_model_development"}
"""Makes MLflow's pages show training runs instead of a language model's prompts and traces."""
PROXIED = "mlflow-artifacts:/"  # relative to wherever the server keeps its artifacts
LONGEST_TAG = 5000  # MLflow's limit on older servers
PAGE = 250  # runs a page: few enough to arrive within the time limit of `tracker.QUIET_AND_QUICK`

Shown = Mapping[tuple[str, str], str]
"""Kind and key of a view -> id of the run that shows it."""


class Experiment:
    """The experiment of one suite; it is created or restored where necessary."""

    def __init__(self, uri: str, out: Path, suite: str) -> None:
        from mlflow import MlflowClient  # noqa: PLC0415 - costs seconds

        self.client: MlflowClient = MlflowClient(tracking_uri=uri)
        self.remote = uri.startswith(("http://", "https://"))
        self.artifacts = out / "mlartifacts"
        self.id = self._find_or_create(suite)

    def _find_or_create(self, suite: str) -> str:
        existing = self.client.get_experiment_by_name(suite)
        if existing is None:
            # An absolute path would tie the database to this machine or container.
            location = None if self.remote else f"{PROXIED}{suite}"
            return str(self.client.create_experiment(suite, location, tags=OPENS_AS))
        if existing.lifecycle_stage == "deleted":
            self.client.restore_experiment(existing.experiment_id)
        for name, value in OPENS_AS.items():
            if existing.tags.get(name) != value:
                self.client.set_experiment_tag(existing.experiment_id, name, value)
        return str(existing.experiment_id)

    def runs(self, where: str) -> list[Run]:
        """All runs that match a filter of MLflow's search."""
        runs: list[Run] = []
        token: str | None = None
        while True:
            page = self.client.search_runs([self.id], where, max_results=PAGE, page_token=token)
            runs += page
            token = page.token
            if not token:
                return runs

    def sweep(self, plan: Plan, started: datetime) -> Run:
        """The parent run of a sweep, created on the first call."""
        tags = {
            "suite": plan.suite,
            "command": plan.command[:LONGEST_TAG],
            "bench.kind": "sweep",
            "bench.sweep": plan.sweep,
            "mlflow.note.content": plan.description[:LONGEST_TAG],
        }
        existing = self.sweeps(plan)
        if not existing:
            return self.client.create_run(self.id, _milliseconds(started), tags, plan.title)
        self._retag(existing[0], tags)
        return existing[0]

    def sweeps(self, plan: Plan) -> list[Run]:
        """The parent runs of a sweep, oldest first; normally there is at most one."""
        kind = f"tags.`bench.kind` = 'sweep' and tags.`bench.sweep` = '{plan.sweep}'"
        return sorted(self.runs(kind), key=lambda run: (run.info.start_time, run.info.run_id))

    def retire(self, plan: Plan, shown: Shown, runs: Iterable[Run]) -> None:
        """Tag runs of the sweep that none of its trials and summaries needs any more as stale."""
        needed = {*shown, *(("trial", trial.key) for trial in plan.trials)}
        for run in runs:
            tags = run.data.tags
            kind, key = _kind_and_key(run)
            of_sweep = kind in ("trial", "summary") and tags.get("bench.sweep") == plan.sweep
            if of_sweep and (kind, key) not in needed and tags.get(STALE) != "yes":
                self.client.set_tag(run.info.run_id, STALE, "yes")

    def close(self, sweep: Run, plan: Plan, by_key: Mapping[str, Result]) -> None:
        """Tag the sweep with how its trials ended, and end it as finished or interrupted."""
        planned = {trial.key for trial in plan.trials}
        ended = [result for key, result in by_key.items() if key in planned]
        missing = len(planned) - len(ended)
        self._retag(sweep, {"trials": count_by_status(ended, missing)})
        status = "KILLED" if missing else "FINISHED"
        if sweep.info.status != status:
            end = _milliseconds(max(result.finished for result in by_key.values()))
            self.client.set_terminated(sweep.info.run_id, status, end)

    def _retag(self, run: Run, tags: Mapping[str, str]) -> None:
        for name, value in tags.items():
            if run.data.tags.get(name, "") != value:
                self.client.set_tag(run.info.run_id, name, value)

    def put(self, views: Iterable[RunView], sweep: Run, runs: Iterable[Run]) -> tuple[int, Shown]:
        """Make the experiment show `views`, given its existing runs of them.

        Returns:
            The number of runs that were written, and the run that shows each view.
        """
        existing: dict[tuple[str, str], list[Run]] = defaultdict(list)
        for run in runs:
            existing[_kind_and_key(run)].append(run)
        written = 0
        shown: dict[tuple[str, str], str] = {}
        for view in views:
            parent = sweep.info.run_id if view.kind == "trial" else ""
            old = existing[view.kind, view.key]
            current = next((run for run in old if _shows(run, view, parent)), None)
            if current is None:
                keep = self._write(view, parent)
                written += 1
            else:
                keep = str(current.info.run_id)
                self._retag(current, {STALE: CURRENT})
            shown[view.kind, view.key] = keep
            # Old runs are deleted last, so that a crash leaves no view without its run.
            for run in old:
                if run.info.run_id != keep:
                    self.client.delete_run(run.info.run_id)
        return written, shown

    def _write(self, view: RunView, parent: str) -> str:
        from mlflow.entities import (  # noqa: PLC0415 - costs seconds
            Dataset,
            DatasetInput,
            InputTag,
            Param,
        )

        tags = {name: value[:LONGEST_TAG] for name, value in view.tags.items()}
        tags |= {"bench.kind": view.kind, f"bench.{view.kind}_key": view.key}
        tags |= {HASH: view.digest} | ({PARENT: parent} if parent else {})
        run = self.client.create_run(self.id, _milliseconds(view.started), tags, view.name)
        run_id = str(run.info.run_id)
        for params in _chunks([Param(*pair) for pair in view.params.items()], 100):
            self.client.log_batch(run_id, params=params)
        for metrics in _chunks(_points(view), 1000):
            self.client.log_batch(run_id, metrics=metrics)
        if view.data:
            context = InputTag("mlflow.data.context", "training")
            self.client.log_inputs(run_id, [DatasetInput(Dataset(**view.data), [context])])
        if view.text:
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / "result.json").write_text(view.text, encoding="utf-8")
                self.keep(run, Path(folder))
        # This comes last: a run that is still "running" was interrupted and is written again.
        self.client.set_terminated(run_id, view.status, _milliseconds(view.finished))
        return run_id

    def keep(self, run: Run, folder: Path) -> None:
        """Store the files of a folder as artifacts of a run."""
        location = str(run.info.artifact_uri)
        if self.remote and urlsplit(location).scheme in ("", "file"):
            return  # the folder is on the server's disk, but a client would write to its own
        if not self.remote and location.startswith(PROXIED):
            # A server started later reads this folder, its `--artifacts-destination`.
            target = self.artifacts / location.removeprefix(PROXIED).lstrip("/")
            if self.artifacts.resolve() not in target.resolve().parents:  # a link, or dots
                raise BenchError(f"the artifacts at {location} lie outside {self.artifacts}")
            shutil.copytree(folder, target, dirs_exist_ok=True)
        else:
            self.client.log_artifacts(run.info.run_id, str(folder))


def _kind_and_key(run: Run) -> tuple[str, str]:
    kind = run.data.tags.get("bench.kind", "")
    return kind, run.data.tags.get(f"bench.{kind}_key", "")


def _shows(run: Run, view: RunView, parent: str) -> bool:
    tags = run.data.tags
    complete = run.info.status != "RUNNING"
    return complete and tags.get(HASH) == view.digest and tags.get(PARENT, "") == parent


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


PAGES, PICTURES = "pages", "pictures"
LONGEST_LABEL = 60  # characters of a method's label in the name of a file


@contextmanager
def staged(plan: Plan, site: Path) -> Iterator[tuple[Path, str]]:
    """A temporary folder with a suite's page and its methods' pictures, and its SHA-256.

    Pages of single trials are left out: runs show the same, and there may be thousands of them.

    Args:
        plan: the sweep.
        site: the pages from `bench.reports.site.build`.
    """
    with tempfile.TemporaryDirectory(prefix="bench-artifacts-") as temporary:
        folder = Path(temporary)
        (folder / PAGES).mkdir()
        for path in (site / plan.suite).iterdir():
            if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
                shutil.copyfile(path, folder / PAGES / path.name)
        for method in plan.methods:
            if method.picture:
                name = "".join(sign if sign.isalnum() else "-" for sign in method.label).strip("-")
                (folder / PICTURES).mkdir(exist_ok=True)
                picture = folder / PICTURES / f"{method.track}-{name[:LONGEST_LABEL]}.png"
                picture.write_bytes(base64.b64decode(method.picture))
        yield folder, _digest(folder)


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()

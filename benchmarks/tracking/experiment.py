"""Writing to one suite's experiment in MLflow."""

from __future__ import annotations

import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bench.result import Plan, Result
from bench.tracking.artifacts import PROXIED, RESULT, RESULTS, Artifacts, parts, write_part
from bench.tracking.database import DatabaseRuns, make_whole
from bench.tracking.runs import (
    KEY_OF,
    KIND,
    SUMMARY,
    SWEEP,
    TRIAL,
    Entry,
    NewRun,
    Runs,
    Unusable,
    chunks,
    milliseconds,
)
from bench.tracking.views import CURRENT, HASH, PARENT, STALE, RunView, count_by_status

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

OPENS_AS = {"mlflow.experimentKind": "custom_model_development"}
"""Makes MLflow's pages show training runs instead of a language model's prompts and traces."""
LONGEST_TAG = 5000  # MLflow's limit on older servers
PAGES_HASH, RESULTS_HASH = "bench.pages_hash", "bench.results_hash"
DATABASES = ("sqlite:", "postgresql", "mysql", "mssql")

T = TypeVar("T")
Shown = Mapping[tuple[str, str], str]
"""Kind and key of a view -> id of the run that shows it."""


@dataclass(frozen=True)
class Steps:
    """What watches over logging. A step is a trial, a page of runs or a file.

    Attributes:
        within_limit: Entered for every step; it may raise where the step takes too long.
        done: Called after every step with the kinds and keys of the runs that are up to date now.
    """

    within_limit: Callable[[], AbstractContextManager[None]] = nullcontext
    done: Callable[[Iterable[tuple[str, str]]], None] = lambda places: None


class Experiment:
    """The experiment of one suite, created or restored where necessary, and its runs.

    The runs are read once, when it is opened.
    """

    def __init__(self, uri: str, out: Path, suite: str, steps: Steps) -> None:
        from mlflow import MlflowClient  # noqa: PLC0415 - costs seconds

        self.suite, self.steps = suite, steps
        self.artifacts = Artifacts(uri, out)
        self.runs_by_place: dict[tuple[str, str], list[Entry]] = defaultdict(list)
        with steps.within_limit():
            make_whole(uri)
            self.client: MlflowClient = MlflowClient(tracking_uri=uri)
            self.id = self._find_or_create()
        of_database = uri.startswith(DATABASES)
        self.runs: Runs = (
            DatabaseRuns(self.client, self.id)
            if of_database
            else Runs(self.client, self.id, self.artifacts.remote)
        )
        for page in self._steps(self.runs.active()):
            for entry in page:
                self.runs_by_place[entry.place].append(entry)

    def _find_or_create(self) -> str:
        existing = self.client.get_experiment_by_name(self.suite)
        if existing is None:
            # An absolute path would tie the database to this machine or container.
            location = None if self.artifacts.remote else f"{PROXIED}{self.suite}"
            return str(self.client.create_experiment(self.suite, location, tags=OPENS_AS))
        if not re.fullmatch(r"[\w-]+", str(existing.experiment_id)) or existing.name != self.suite:
            raise Unusable("its answers are not those of an MLflow server")
        if existing.lifecycle_stage == "deleted":
            self.client.restore_experiment(existing.experiment_id)
        for name, value in OPENS_AS.items():
            if existing.tags.get(name) != value:
                self.client.set_experiment_tag(existing.experiment_id, name, value)
        return str(existing.experiment_id)

    def _steps(self, portions: Iterator[T]) -> Iterator[T]:
        """Portions of an answer, each of which is a step of its own."""
        while True:
            with self.steps.within_limit():
                portion = next(portions, None)
            if portion is None:
                return
            self.steps.done(())
            yield portion

    def is_current(self) -> bool:
        """Forget runs that were deleted since they were read; False if the experiment changed."""
        with self.steps.within_limit():
            existing = self.client.get_experiment_by_name(self.suite)
        if existing is None or (existing.experiment_id, existing.lifecycle_stage) != (
            self.id,
            "active",
        ):
            return False
        gone: set[str] = set()
        for page in self._steps(self.runs.deleted()):
            gone |= page
        for entries in self.runs_by_place.values():
            entries[:] = [entry for entry in entries if entry.id not in gone]
        return True

    def sweep(self, plan: Plan, started: Callable[[], datetime]) -> Run:
        """The parent run of a sweep: the existing one, one that was deleted, or a new one."""
        tags = {
            "suite": plan.suite,
            "command": plan.command[:LONGEST_TAG],
            KIND: SWEEP,
            KEY_OF[SWEEP]: plan.sweep,
            "mlflow.note.content": plan.description[:LONGEST_TAG],
        }
        with self.steps.within_limit():
            run = self._find_sweep(plan)
            if run is None:
                first = milliseconds(started())
                run = self.client.create_run(self.id, first, tags, plan.title)
            self._retag(run.info.run_id, run.data.tags, tags)
        known = {name: tags[name] for name in (KIND, KEY_OF[SWEEP])}
        entry = Entry(run.info.run_id, run.info.status, str(run.info.artifact_uri), known)
        if entry.id not in {other.id for other in self.runs_by_place[entry.place]}:
            self.runs_by_place[entry.place].append(entry)
        return run

    def _find_sweep(self, plan: Plan) -> Run | None:
        if standing := self.runs_by_place[SWEEP, plan.sweep]:
            return self.client.get_run(standing[0].id)
        where = f"tags.`{KIND}` = '{SWEEP}' and tags.`{KEY_OF[SWEEP]}` = '{plan.sweep}'"
        for deleted in self.runs.deleted(where):
            for run_id in deleted:
                self.client.restore_run(run_id)
                return self.client.get_run(run_id)
        return None

    def standing_sweep(self, plan: Plan) -> Run | None:
        """The parent run of a sweep, if it is there."""
        with self.steps.within_limit():
            standing = self.runs_by_place[SWEEP, plan.sweep]
            return self.client.get_run(standing[0].id) if standing else None

    def reopen(self, sweep: Run) -> None:
        """Show a sweep as running, which a finished one is again when a trial is added."""
        if sweep.info.status != "RUNNING":
            with self.steps.within_limit():
                self.client.update_run(sweep.info.run_id, status="RUNNING")

    def tag_sweep(self, sweep: Run, name: str, value: str) -> None:
        """Set a tag of a sweep's run."""
        with self.steps.within_limit():
            self.client.set_tag(sweep.info.run_id, name, value)

    def put(self, views: Iterable[RunView], sweep: Run) -> Iterator[tuple[int, Shown]]:
        """Make the experiment show `views`, portion by portion.

        Yields:
            The number of runs that were written, and the run that shows each view.
        """
        for portion in chunks(views, self.runs.together):
            with self.steps.within_limit():
                outcome = self._put(portion, sweep)
            self.steps.done(outcome[1])
            yield outcome

    def _put(self, views: list[RunView], sweep: Run) -> tuple[int, Shown]:
        missing: list[NewRun] = []
        shown: dict[tuple[str, str], Entry] = {}
        for view in views:
            parent = sweep.info.run_id if view.kind == TRIAL else ""
            standing = self.runs_by_place[view.kind, view.key]
            current = next((entry for entry in standing if entry.shows(view, parent)), None)
            if current is None:
                missing.append(NewRun(view, self._tags(view, parent)))
                continue
            shown[current.place] = current
            self._tag(current, STALE, CURRENT)
        for entry in self.runs.write(missing, self._keep):
            shown[entry.place] = entry
            self.runs_by_place[entry.place].append(entry)
        # Old runs are deleted last, so that a crash leaves no view without its run.
        for place, entry in shown.items():
            for old in [other for other in self.runs_by_place[place] if other.id != entry.id]:
                self.client.delete_run(old.id)
                self.artifacts.remove(old.artifacts, old.id)
                self.runs_by_place[place].remove(old)
        return len(missing), {place: entry.id for place, entry in shown.items()}

    def _tags(self, view: RunView, parent: str) -> dict[str, str]:
        tags = {name: value[:LONGEST_TAG] for name, value in view.tags.items()}
        tags |= {KIND: view.kind, KEY_OF[view.kind]: view.key, HASH: view.digest}
        return tags | ({PARENT: parent} if parent else {})

    def _keep(self, run_id: str, address: str, view: RunView) -> None:
        """Keep the result beside its run, where that costs no request."""
        if view.text and not self.artifacts.remote:
            self.artifacts.keep_text(address, RESULT, view.text)

    def keep_results(
        self, sweep: Run, results: Iterable[Result], sizes: list[tuple[str, int]]
    ) -> None:
        """Keep the results on a server: with the sweep, many in one file, which is one request.

        Args:
            sweep: The run of the sweep.
            results: All results of the sweep.
            sizes: The digest of the view, and the size, of each.
        """
        address = str(sweep.info.artifact_uri)
        if not (self.artifacts.remote and self.artifacts.accepts(address)):
            return
        divided = parts(sizes)
        kept = sweep.data.tags.get(RESULTS_HASH, "").split()
        digests = [part.digest for part in divided]
        if kept == digests:
            return
        remaining = iter(results)
        with tempfile.TemporaryDirectory(prefix="bench-artifacts-") as temporary:
            for number, part in enumerate(divided):
                of_part = islice(remaining, part.count)
                if kept[number : number + 1] == [part.digest]:
                    list(of_part)
                    continue
                path = Path(temporary) / f"{RESULTS}-{number + 1:03}.zip"
                write_part(path, of_part)
                self.keep(sweep, path, RESULTS)
                path.unlink()
        self.tag_sweep(sweep, RESULTS_HASH, " ".join(digests)[:LONGEST_TAG])

    def keep(self, run: Run, path: Path, folder: str) -> None:
        """Store a file in a folder of a run's artifacts."""
        with self.steps.within_limit():
            self.artifacts.keep(str(run.info.artifact_uri), path, folder)
        self.steps.done(())

    def retire(self, plan: Plan, shown: Shown) -> None:
        """Tag runs of the sweep that none of its trials and summaries needs any more as stale."""
        needed = {*shown, *((TRIAL, trial.key) for trial in plan.trials)}
        for place, entries in self.runs_by_place.items():
            if place[0] not in (TRIAL, SUMMARY) or place in needed:
                continue
            for entry in entries:
                if entry.tags.get(KEY_OF[SWEEP]) == plan.sweep:
                    with self.steps.within_limit():
                        self._tag(entry, STALE, "yes")
                    self.steps.done(())

    def close(self, sweep: Run, plan: Plan, by_key: Mapping[str, Result]) -> None:
        """Tag the sweep with how its trials ended, and end it as finished or interrupted."""
        planned = {trial.key for trial in plan.trials}
        ended = [result for key, result in by_key.items() if key in planned]
        missing = len(planned) - len(ended)
        status = "KILLED" if missing else "FINISHED"
        with self.steps.within_limit():
            tags = {"trials": count_by_status(ended, missing)}
            self._retag(sweep.info.run_id, sweep.data.tags, tags)
            if sweep.info.status != status:
                end = milliseconds(max(result.finished for result in by_key.values()))
                self.client.set_terminated(sweep.info.run_id, status, end)

    def _tag(self, entry: Entry, name: str, value: str) -> None:
        if entry.tags.get(name) != value:
            self.client.set_tag(entry.id, name, value)
            entry.tags[name] = value

    def _retag(self, run_id: str, tags: Mapping[str, str], wanted: Mapping[str, str]) -> None:
        for name, value in wanted.items():
            if tags.get(name, "") != value:
                self.client.set_tag(run_id, name, value)

"""The runs of one experiment in MLflow: what stands there, and how new ones are written.

Two ways lead there. `Runs` uses MLflow's client, so that it works with every store; of a server it
makes three requests a trial. `bench.tracking.database` writes many runs in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError
from bench.tracking.views import HASH, PARENT, STALE, RunView

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

SWEEP, TRIAL, SUMMARY = "sweep", "trial", "summary"
KIND = "bench.kind"
KEY_OF = {SWEEP: "bench.sweep", TRIAL: "bench.trial_key", SUMMARY: "bench.summary_key"}
"""Kind of a run -> the tag that says which one of its kind it is."""
KNOWN_BY = (KIND, *KEY_OF.values(), HASH, PARENT, STALE)
"""Tags by which runs are found and compared with the results."""
DATA_CONTEXT = ("mlflow.data.context", "training")
PAGE = 250  # runs a page: few enough to arrive before the deadline of a step

Keep = Callable[[str, str, RunView], None]
"""Keeps the files of a view: id of its run, address of the run's artifacts, view."""


class Unusable(BenchError):  # noqa: N818 - a state of the server, not a mistake
    """What MLflow answered is not what it answers, or what was written to is gone."""


@dataclass
class Entry:
    """What is known of a run that stands in the experiment."""

    id: str
    status: str
    artifacts: str
    tags: dict[str, str]

    @property
    def place(self) -> tuple[str, str]:
        """Its kind, and its key among the runs of that kind."""
        kind = self.tags.get(KIND, "")
        return kind, self.tags.get(KEY_OF.get(kind, ""), "")

    def shows(self, view: RunView, parent: str) -> bool:
        """Whether the run was written in full, from a view like this, under this parent."""
        complete = self.status != "RUNNING"
        same = self.tags.get(HASH) == view.digest and self.tags.get(PARENT, "") == parent
        return complete and same


@dataclass(frozen=True)
class NewRun:
    """A view with the tags by which its run will be found."""

    view: RunView
    tags: Mapping[str, str]

    def entry(self, run_id: str, artifacts: str) -> Entry:
        """What is known of the run once it is written."""
        known = {name: self.tags[name] for name in KNOWN_BY if name in self.tags}
        return Entry(run_id, self.view.status, artifacts, known)


class Runs:
    """The runs of an experiment through MLflow's client, whatever keeps them.

    Args:
        client: The client.
        experiment: Id of the experiment.
        served: Whether every call is a request to a server. The data set of a trial then stands in
            its tags alone, which saves a request.
    """

    together = 1
    """How many runs are best written at once."""

    def __init__(self, client: MlflowClient, experiment: str, served: bool) -> None:
        self.client, self.experiment, self.served = client, experiment, served

    def pages(self, where: str = "", *, deleted: bool = False) -> Iterator[list[Run]]:
        """The runs that match a filter of MLflow's search, page by page."""
        from mlflow.entities import ViewType  # noqa: PLC0415 - costs seconds

        kind = ViewType.DELETED_ONLY if deleted else ViewType.ACTIVE_ONLY
        token: str | None = None
        seen: set[str] = set()
        while True:
            page = self.client.search_runs(
                [self.experiment], where, kind, max_results=PAGE, page_token=token
            )
            new = [run for run in page if run.info.run_id not in seen]
            seen |= {run.info.run_id for run in new}
            yield new
            token = page.token
            if not token or not new:  # a broken server may repeat itself for ever
                return

    def active(self) -> Iterator[list[Entry]]:
        """What is known of all runs that are not deleted, in portions."""
        for page in self.pages():
            yield [
                Entry(
                    run.info.run_id,
                    run.info.status,
                    str(run.info.artifact_uri),
                    {name: run.data.tags[name] for name in KNOWN_BY if name in run.data.tags},
                )
                for run in page
            ]

    def deleted(self, where: str = "") -> Iterator[set[str]]:
        """Ids of deleted runs that match a filter of MLflow's search, in portions."""
        for page in self.pages(where, deleted=True):
            yield {run.info.run_id for run in page}

    def write(self, new: Sequence[NewRun], keep: Keep) -> list[Entry]:
        """Write runs in full, each with a request for its tags, its numbers and its end."""
        return [self._write(run, keep) for run in new]

    def _write(self, new: NewRun, keep: Keep) -> Entry:
        from mlflow.entities import Metric, Param  # noqa: PLC0415 - costs seconds

        view = new.view
        run = self.client.create_run(
            self.experiment, milliseconds(view.started), dict(new.tags), view.name
        )
        run_id, artifacts = str(run.info.run_id), str(run.info.artifact_uri)
        if not run_id:
            raise Unusable("it answers without saying which run it made")
        # The client cuts what is too long for a request into several.
        metrics = [Metric(name, value, end, step) for name, value, end, step in points(view)]
        params = [Param(name, value) for name, value in view.params.items()]
        self.client.log_batch(run_id, metrics=metrics, params=params)
        if view.data and not (self.served and view.kind == TRIAL):
            self.client.log_inputs(run_id, [_data(view.data)])
        keep(run_id, artifacts, view)
        # This comes last: a run that is still "running" was interrupted and is written again.
        self.client.set_terminated(run_id, view.status, milliseconds(view.finished))
        return new.entry(run_id, artifacts)


def _data(fields: Mapping[str, str]) -> Any:
    from mlflow.entities import Dataset, DatasetInput, InputTag  # noqa: PLC0415 - costs seconds

    return DatasetInput(Dataset(**fields), [InputTag(*DATA_CONTEXT)])


def points(view: RunView) -> Iterator[tuple[str, float, int, int]]:
    """Name, value, time and step of every number of a view, the gaps of curves left out."""
    end = milliseconds(view.finished)
    for name, value in view.metrics.items():
        yield name, value, end, 0
    for name, values in view.curves.items():
        for step, value_or_gap in enumerate(values):
            if value_or_gap is not None:
                yield name, value_or_gap, end, step


def milliseconds(moment: datetime) -> int:
    """A moment as MLflow keeps it."""
    return int(moment.timestamp() * 1000)


def chunks(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Items in lists of `size`, the last one shorter; they are taken one list at a time."""
    chunk: list[Any] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk

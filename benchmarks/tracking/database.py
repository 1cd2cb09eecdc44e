"""Runs in a database that this process opens itself, written many in one transaction.

MLflow's own way through its object mapper takes a dozen transactions and 20 ms a run. What is
written here is the same, row for row: tests/tracking/test_logger.py compares the two, so that
another version of MLflow, which is pinned, cannot change its tables unnoticed.
"""

from __future__ import annotations

import os
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.tracking.runs import (
    DATA_CONTEXT,
    KNOWN_BY,
    PAGE,
    Entry,
    Keep,
    NewRun,
    Runs,
    Unusable,
    chunks,
    milliseconds,
    points,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

LONGEST_PARAM, LONGEST_TAG = 6000, 8000  # MLflow cuts values there, too
Row = dict[str, Any]


def make_whole(uri: str) -> None:
    """Make a SQLite database with MLflow's tables where there is none yet, whole or not at all.

    MLflow makes some sixty tables one after the other and cannot go on with a part of them, so that
    a process that is killed meanwhile, or a full disk, would leave a database that none can use.
    """
    from mlflow.store.db import utils  # noqa: PLC0415 - costs seconds
    from sqlalchemy import make_url  # noqa: PLC0415 - costs seconds

    name = make_url(uri).database if uri.startswith("sqlite:") else None
    if not name or name == ":memory:" or name.startswith("file:"):
        return
    path = Path(name)
    if not path.parent.is_dir() or (path.exists() and path.stat().st_size):
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        engine = utils.create_sqlalchemy_engine(f"sqlite:///{temporary}")
        utils._initialize_tables(engine)
        engine.dispose()
        temporary.replace(path)
    finally:
        for left in path.parent.glob(f"{temporary.name}*"):
            left.unlink(missing_ok=True)


class DatabaseRuns(Runs):
    """The runs of an experiment in a database, by MLflow's tables."""

    together = 25

    def __init__(self, client: MlflowClient, experiment: str) -> None:
        from mlflow.store.tracking.dbmodels import models  # noqa: PLC0415 - costs seconds

        super().__init__(client, experiment, served=False)
        self.number = int(experiment)
        self.sessions = client._tracking_client.store.ManagedSessionMaker
        self.tables = {model.__tablename__: model.__table__ for model in (
            models.SqlExperiment, models.SqlRun, models.SqlTag, models.SqlParam, models.SqlMetric,
            models.SqlLatestMetric, models.SqlDataset, models.SqlInput, models.SqlInputTag,
        )}  # fmt: skip
        self.data_sets: dict[tuple[str, str], str] = {}

    def active(self) -> Iterator[list[Entry]]:
        """What is known of all runs that are not deleted, in portions."""
        from sqlalchemy import select  # noqa: PLC0415 - costs seconds

        runs, tags = self.tables["runs"].c, self.tables["tags"].c
        here = (runs.experiment_id == self.number) & (runs.lifecycle_stage == "active")
        of_run: dict[str, dict[str, str]] = defaultdict(dict)
        with self.sessions() as session:
            named = select(tags.run_uuid, tags.key, tags.value).join(
                self.tables["runs"], runs.run_uuid == tags.run_uuid
            )
            for run_id, name, value in session.execute(named.where(here, tags.key.in_(KNOWN_BY))):
                of_run[run_id][name] = value
            rows = select(runs.run_uuid, runs.status, runs.artifact_uri).where(here)
            ordered = session.execute(rows.order_by(runs.start_time, runs.run_uuid)).all()
        for page in chunks(ordered, PAGE):
            yield [Entry(run_id, status, str(uri), of_run[run_id]) for run_id, status, uri in page]

    def write(self, new: Sequence[NewRun], keep: Keep) -> list[Entry]:
        """Write runs in one transaction: after a crash they stand there in full, or not at all."""
        if not new:
            return []
        from mlflow.utils.uri import append_to_uri_path  # noqa: PLC0415 - costs seconds

        rows: dict[str, list[Row]] = defaultdict(list)
        with self.sessions(read_only=False) as session:
            location = self._location(session)
            entries = []
            for run in new:
                run_id = uuid.uuid4().hex
                entry = run.entry(run_id, append_to_uri_path(location, run_id, "artifacts"))
                self._collect(session, rows, run, entry)
                keep(run_id, entry.artifacts, run.view)
                entries.append(entry)
            for name, table in self.tables.items():  # in an order that foreign keys allow
                if rows[name]:
                    session.execute(table.insert(), rows[name])
        return entries

    def _location(self, session: Any) -> str:
        """Where the experiment keeps artifacts. Raises Unusable where it was deleted."""
        from sqlalchemy import select  # noqa: PLC0415 - costs seconds

        columns = self.tables["experiments"].c
        query = select(columns.artifact_location, columns.lifecycle_stage)
        row = session.execute(query.where(columns.experiment_id == self.number)).first()
        if row is None or row.lifecycle_stage != "active":
            raise Unusable("the experiment was deleted")
        return str(row.artifact_location)

    def _collect(self, session: Any, rows: dict[str, list[Row]], new: NewRun, entry: Entry) -> None:
        """Add the rows of a run to those of other runs, by table."""
        view, of_run = new.view, {"run_uuid": entry.id}
        rows["runs"].append(
            of_run
            | {
                "name": view.name,
                "source_type": "UNKNOWN",
                "source_name": "",
                "entry_point_name": "",
                "user_id": "unknown",
                "status": view.status,
                "start_time": milliseconds(view.started),
                "end_time": milliseconds(view.finished),
                "source_version": "",
                "lifecycle_stage": "active",
                "artifact_uri": entry.artifacts,
                "experiment_id": self.number,
            }
        )
        texts = [
            ("tags", LONGEST_TAG, {**new.tags, "mlflow.runName": view.name}),
            ("params", LONGEST_PARAM, view.params),
        ]
        for table, longest, pairs in texts:
            for name, value in pairs.items():
                rows[table].append(of_run | {"key": name, "value": value[:longest]})
        latest: dict[str, Row] = {}
        for name, number, end, step in points(view):
            point = {"key": name, "value": number, "timestamp": end, "step": step, "is_nan": False}
            latest[name] = of_run | point
            rows["metrics"].append(latest[name])
        rows["latest_metrics"] += latest.values()
        if view.data:
            self._collect_data(session, rows, view.data, entry)

    def _collect_data(
        self, session: Any, rows: dict[str, list[Row]], data: Mapping[str, str], entry: Entry
    ) -> None:
        known = data["name"], data["digest"]
        if known not in self.data_sets and (standing := self._find_data(session, known)):
            self.data_sets[known] = standing
        if known not in self.data_sets:
            self.data_sets[known] = uuid.uuid4().hex
            rows["datasets"].append(
                {
                    "dataset_uuid": self.data_sets[known],
                    "experiment_id": self.number,
                    "name": data["name"],
                    "digest": data["digest"],
                    "dataset_source_type": data["source_type"],
                    "dataset_source": data["source"],
                    "dataset_profile": data["profile"],
                }
            )
        edge = uuid.uuid4().hex
        rows["inputs"].append(
            {
                "input_uuid": edge,
                "source_type": "DATASET",
                "source_id": self.data_sets[known],
                "destination_type": "RUN",
                "destination_id": entry.id,
            }
        )
        name, value = DATA_CONTEXT
        rows["input_tags"].append({"input_uuid": edge, "name": name, "value": value})

    def _find_data(self, session: Any, known: tuple[str, str]) -> str | None:
        from sqlalchemy import select  # noqa: PLC0415 - costs seconds

        columns = self.tables["datasets"].c
        same = (columns.name == known[0]) & (columns.digest == known[1])
        query = select(columns.dataset_uuid).where(columns.experiment_id == self.number, same)
        return session.execute(query).scalars().first()

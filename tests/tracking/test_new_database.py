"""A new database of MLflow is there whole or not at all, and one that is not whole is named."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bench.tracking.database import make_whole
from bench.tracking.tracker import Tracker, TrackingUnavailable
from tests.tracking.tracking_examples import make_plan, make_results


def test_a_failure_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.store.db import utils  # noqa: PLC0415 - costs seconds

    def full(engine: Any) -> None:
        with engine.begin() as connection:
            connection.exec_driver_sql("create table mcp_servers (x)")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(utils, "_initialize_tables", full)
    with pytest.raises(OSError, match="No space"):
        make_whole(f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seconds", [0.05, 0.4])
def test_a_killed_process_leaves_no_half_database(tmp_path: Path, seconds: float) -> None:
    code = f"""
from bench.tracking.database import make_whole
make_whole("sqlite:///{tmp_path / "mlflow.db"}")
"""
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        while not list(tmp_path.iterdir()):  # it has begun
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(seconds)
        process.kill()
    make_whole(f"sqlite:///{tmp_path / 'mlflow.db'}")
    with sqlite3.connect(tmp_path / "mlflow.db") as connection:
        tables = {name for (name,) in connection.execute("select name from sqlite_master")}
    assert {"runs", "metrics", "alembic_version"} <= tables


def test_an_existing_database_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"somebody's")
    make_whole(f"sqlite:///{tmp_path / 'mlflow.db'}")
    make_whole("sqlite://")
    make_whole("http://127.0.0.1:1")
    make_whole(f"sqlite:///{tmp_path / 'nowhere' / 'mlflow.db'}")
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]
    assert (tmp_path / "mlflow.db").read_bytes() == b"somebody's"


def test_a_database_that_is_not_whole_is_named_with_what_to_do(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "mlflow.db") as connection:
        connection.execute("create table evaluation_datasets (x)")
    plan = make_plan("small")
    with pytest.raises(TrackingUnavailable, match="not made completely; move its file away"):
        Tracker("", tmp_path).log_all(plan, make_results(plan))

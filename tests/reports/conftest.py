"""The synthetic sweep as a store and as pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.reports.charts.figures import FigureView
from bench.reports.site import build
from tests.reports.figure_reading import views
from tests.reports.figure_sweep import figure_sweep
from tests.reports.synthetic_sweep import RACE, SEX, TwoTasks, planned_task, store_of, sweep


@pytest.fixture(scope="session")
def two_tasks() -> TwoTasks:
    """Adult by sex, honest; by race, selected on test and on unofficial data."""
    unofficial = planned_task(RACE, official=False, published=None)
    unofficial.training["selection"] = "test"
    return sweep(planned_task(SEX), unofficial)


@pytest.fixture(scope="session")
def honest() -> TwoTasks:
    """The same sweep with official data and selection on validation throughout."""
    return sweep(planned_task(SEX), planned_task(RACE, published=None))


@pytest.fixture(scope="session")
def store_root(two_tasks: TwoTasks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the suite `adult`; read only."""
    return store_of(tmp_path_factory.mktemp("store"), *two_tasks)


@pytest.fixture(scope="session")
def site(store_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of `store_root`; read only."""
    folder = tmp_path_factory.mktemp("site")
    build(store_root, folder)
    return folder


@pytest.fixture
def write_store(tmp_path: Path) -> Callable[[TwoTasks], Path]:
    """Writes a sweep into a fresh store and gives its folder."""
    return lambda made: store_of(tmp_path / "store", *made)


@pytest.fixture(scope="session")
def whole() -> dict[str, FigureView]:
    """Every figure of the complete sweep; the second line chart, over an option, as `options`."""
    return views(*figure_sweep())

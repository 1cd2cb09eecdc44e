"""MLflow's own pages in a real browser: filter, choose two runs, compare them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from bench.reports.site import build
from bench.result import Store
from bench.tracking.tracker import Tracker, default_uri
from bench.tracking.ui import answers, searches, server_command, server_environment, stop
from tests.tracking.tracking_examples import free_port, make_plan, make_results

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
PATIENCE = 120_000
"""Milliseconds that a page may take: MLflow's weigh megabytes, and a machine may be busy."""

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two methods with two seeds each, logged with their page."""
    root = tmp_path_factory.mktemp("results")
    plan = make_plan("adult")
    store = Store(root / "out")
    store.write_plan(plan)
    made = make_results(plan)
    for result in made:
        store.write(result)
    build(store.root, root / "site")
    tracker = Tracker(default_uri(store.root), store.root)
    tracker.log_all(plan, made)
    tracker.attach(plan, root / "site")
    return store.root


@pytest.fixture(scope="module")
def address(results: Path) -> Iterator[str]:
    """The experiment's page on a server of its own."""
    port = free_port()
    command = server_command(results, "127.0.0.1", port)
    process = subprocess.Popen(
        command, env=server_environment(default_uri(results)), start_new_session=True
    )
    try:
        assert answers(process, "127.0.0.1", port)
        yield f"http://127.0.0.1:{port}/#/experiments/1"
    finally:
        stop(process)


@pytest.fixture(scope="module")
def page(browser: Any, address: str) -> Iterator[Any]:
    opened = browser.new_page(viewport={"width": 1600, "height": 1000})
    opened.set_default_timeout(PATIENCE)
    yield opened
    opened.close()


def find(page: Any, address: str, where: str, count: int) -> None:
    """Type a search into MLflow's box, as a person does."""
    page.goto(f"{address}/runs")
    page.get_by_placeholder("metrics.rmse").fill(where)
    page.keyboard.press("Enter")
    noun = "run" if count == 1 else "runs"
    page.get_by_text(f"{count} matching {noun}").wait_for()


def shoot(page: Any, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"mlflow-{name}.png")


def test_a_method_of_a_suite_is_found_with_its_means_in_sight(page: Any, address: str) -> None:
    # Two seeds and their means, and the sweep, under which MLflow folds the seeds.
    find(page, address, "tags.suite = 'adult' and tags.method = 'bade'", 4)
    page.get_by_role("link", name="bade · sex · summary").wait_for()
    page.get_by_role("link", name="A small suite").wait_for()
    assert page.get_by_text("mfd · sex").count() == 0
    shoot(page, "search")


def test_two_methods_are_compared_by_their_means(page: Any, address: str, results: Path) -> None:
    _, means, _ = searches(results).values()
    find(page, address, means, 2)
    boxes = page.get_by_label("Press Space to toggle row selection (unchecked)")
    boxes.nth(1).wait_for()
    boxes.nth(0).check()
    boxes.nth(0).check()
    page.get_by_test_id("runs-compare-button").click()
    page.get_by_text("Comparing 2 Runs").first.wait_for()
    shoot(page, "compare")
    for words in ("bade · sex · summary", "mfd · sex · summary", "mean/odds"):
        page.get_by_text(words, exact=True).first.wait_for()
    words = page.inner_text("body")
    numbers = words[words.index("Show diff only", words.index("Metrics")) :]
    assert {"0.2", "0.5"} <= set(numbers.split())  # mean Odds of .1 and .3, and of .5 alone


def test_charts_have_a_section_of_means(page: Any, address: str, results: Path) -> None:
    _, means, _ = searches(results).values()
    page.goto(f"{address}/runs?searchFilter={quote(means)}&compareRunsMode=CHART")
    page.get_by_text("mean/odds").first.wait_for()
    shoot(page, "charts")
    words = page.inner_text("body").splitlines()
    assert {"mean", "mean/used", "n"} <= set(words)  # sections, by the part before the last slash


def test_the_sweeps_run_shows_the_suites_page(page: Any, address: str, results: Path) -> None:
    from mlflow import MlflowClient  # noqa: PLC0415 - costs seconds

    client = MlflowClient(default_uri(results))
    (sweep,) = client.search_runs(["1"], "tags.`bench.kind` = 'sweep'")
    page.goto(f"{address}/runs/{sweep.info.run_id}/artifacts/pages/index.html")
    shown = page.frame_locator("iframe").get_by_role("heading", name="A small suite")
    shown.first.wait_for()
    shoot(page, "artifacts")

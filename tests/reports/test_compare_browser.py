"""The page of a comparison in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.reports.compare import compare, side
from bench.reports.compare import page as page_of
from bench.result import Status
from tests.reports.synthetic_sweep import TwoTasks, store_of

pytestmark = pytest.mark.browser

axe_api = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="needs the axe-playwright-python package"
)

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"


@pytest.fixture(scope="module")
def comparison(
    store_root: Path, two_tasks: TwoTasks, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The synthetic sweep against one in which bade got worse and a trial failed."""
    plan, results = two_tasks
    other = {}
    for key, r in results.items():
        if r.method == "bade":
            worse = {n: v + 0.02 + 0.001 * (r.seed % 2) for n, v in r.metrics.items()}
            r = r.model_copy(update={"metrics": worse, "revision": 2})  # noqa: PLW2901
        if r.method == "mfd" and r.seed == 0:
            r = r.model_copy(update={"status": Status.FAILED, "reason": "NaN"})  # noqa: PLW2901
        other[key] = r
    root = tmp_path_factory.mktemp("compared")
    sides = side(str(store_root), root), side(str(store_of(root / "b", plan, other)), root)
    (root / "changes.html").write_text(page_of(compare(*sides, ["all"])), encoding="utf-8")
    return root / "changes.html"


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_it_opens_without_errors_requests_or_barriers(
    browser: Any, comparison: Path, width: int, scheme: str
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(comparison.as_uri())
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"compare-{width}-{scheme}.png", full_page=width > 360)
    violations = axe_api.Axe().run(page).response["violations"]
    grave = [v for v in violations if v["impact"] in ("serious", "critical")]
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    wide = page.evaluate(overflow)
    page.close()
    assert said == []
    assert asked == [comparison.as_uri()]
    assert [(v["id"], v["nodes"][0]["html"]) for v in grave] == []
    assert wide <= 0


def test_differences_are_sorted_by_their_sign_and_filtered_by_verdict(
    browser: Any, comparison: Path
) -> None:
    page = browser.new_page()
    page.goto(comparison.as_uri())
    page.get_by_role("button", name="B − A").click()
    shown = page.locator("#changes-1 tbody tr:visible td:nth-child(5)").all_inner_texts()
    numbers = [float(text.split()[0].replace("−", "-")) for text in shown if text != "n/a"]
    assert numbers in (sorted(numbers), sorted(numbers, reverse=True))
    page.goto(f"{comparison.as_uri()}#?kind=worse")
    page.reload()
    verdicts = page.locator("#changes-1 tbody tr:visible td:nth-child(2)").all_inner_texts()
    page.close()
    assert set(verdicts) == {"worse"}

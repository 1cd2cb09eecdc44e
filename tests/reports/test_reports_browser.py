"""The pages in a real browser, from the file system, as a reader opens them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from figure_sweep import GRID, figure_sweep, without
from synthetic_sweep import store_of

from reports.site import build

CHROMIUM = Path("/usr/bin/chromium")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"needs Chromium at {CHROMIUM}"),
]

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the Playwright package")
axe_api = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="needs the axe-playwright-python package"
)

PAGES = ["index.html", "adult/index.html", "figures/index.html", "empty/index.html"]
SIZES = [(1280, "light"), (360, "dark")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def folder(site: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    empty = tmp_path_factory.mktemp("empty")
    build(empty / "store", empty / "site")
    figures = tmp_path_factory.mktemp("figures")
    plan, results = figure_sweep()
    build(store_of(figures / "store", plan, without(results, GRID[4].label)), figures / "site")
    return {
        **{name: site / name for name in PAGES[:2]},
        "figures/index.html": figures / "site" / "figures" / "index.html",
        "empty/index.html": empty / "site" / "index.html",
    }


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_a_page_opens_from_a_file_without_errors_requests_or_barriers(
    browser: Any, folder: dict[str, Path], name: str, width: int, scheme: str
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(folder[name].as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    violations = axe_api.Axe().run(page).response["violations"]
    grave = [v for v in violations if v["impact"] in ("serious", "critical")]
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    overflow = page.evaluate(wide)
    styled = page.evaluate("getComputedStyle(document.body).maxWidth")
    page.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("file://", "data:"))] == []
    assert [(v["id"], v["nodes"][0]["html"]) for v in grave] == []
    assert overflow <= 0
    assert styled != "none", "the policy's hash does not fit the style"


DRAWINGS = [
    "adult/adult-income-over-50k-sex.svg", "figures/figure-1-temperature.svg",
    "figures/figure-4-artificial-against-data-bias.svg",
]  # fmt: skip


def test_pictures_are_shown_under_the_policy_of_the_page(
    browser: Any, folder: dict[str, Path]
) -> None:
    page = browser.new_page()
    page.goto(folder["figures/index.html"].as_uri())
    widths = page.evaluate("[...document.images].map(each => each.naturalWidth)")
    page.close()
    assert widths == [2, 2]


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_figure_opens_as_a_file_of_its_own(
    browser: Any, folder: dict[str, Path], name: str
) -> None:
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    suite, _, file = name.partition("/")
    page.goto((folder[f"{suite}/index.html"].parent / file).as_uri())
    drawn = page.evaluate("document.documentElement.getBoundingClientRect().width")
    root = page.evaluate("document.documentElement.tagName")
    page.close()
    assert (root, said) == ("svg", [])
    assert drawn > 100

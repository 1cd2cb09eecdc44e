"""The pages in a real browser, from the file system, as a reader opens them: every kind of page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.reports.site import build
from tests.reports.cross_track_sweep import cross_track
from tests.reports.figure_sweep import GRID, figure_sweep, without
from tests.reports.synthetic_sweep import SEX, TwoTasks, key_of, store_of

pytestmark = pytest.mark.browser

axe_api = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="needs the axe-playwright-python package"
)

SCREENSHOTS = Path(__file__).parents[3] / "build" / "screenshots"
"""Kept by continuous integration, so that people look at the pages too."""

PAGES = {
    "index": "index.html",
    "suite": "adult/index.html",
    "figures": "figures/index.html",
    "trials": "adult/trials/index.html",
    "long names": "figures/trials/index.html",
    "trial": f"adult/trials/{key_of(SEX, 'bade', 0)}.html",
    "failed": f"adult/trials/{key_of(SEX, 'adversarial', 2)}.html",
    "methods": "methods/index.html",
    "method": "methods/bade.html",
    "cross-examination": "cross-examination.html",
    "reading": "reading.html",
    "empty": "../empty/index.html",
}
LONG_TITLE = "Figures of every kind, and a title that is as long as those of papers sometimes are"
OUTSIDE = """[...document.querySelectorAll('td, th, p, li, dd, dt, summary, figcaption')]
  .filter(cell => cell.getBoundingClientRect().width)
  .filter(cell => [...cell.querySelectorAll('*')].some(inner =>
    !inner.closest('.hidden, svg') && inner.closest('.scroll') === cell.closest('.scroll') &&
    inner.getBoundingClientRect().right > cell.getBoundingClientRect().right + 2))
  .map(cell => cell.textContent.trim().slice(0, 60))"""
"""Texts that run out of their cells, over their neighbours."""
LOOKS = {"wide-light": (1280, "light"), "narrow-dark": (360, "dark")}


@pytest.fixture(scope="module")
def folder(two_tasks: TwoTasks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with every kind of page, and beside it one without results."""
    root = tmp_path_factory.mktemp("pages")
    build(root / "nothing", root / "empty")
    plan, results = two_tasks
    curves = {"loss": [0.9, 0.5, 0.4], "odds": [0.2, None, 0.1]}
    key = key_of(SEX, "bade", 0)
    log = "WARNING bench: something to be careful of"
    shown = results[key].model_copy(update={"curves": curves, "chosen": {"epoch": 3}, "log": log})
    store_of(root / "store", plan, {**results, key: shown})
    figures, found = figure_sweep()
    titled = figures.model_copy(update={"title": LONG_TITLE})
    store_of(root / "store", titled, without(found, GRID[4].label))
    for name in ("faces", "poison"):
        store_of(root / "store", *cross_track(name))
    build(root / "store", root / "site")
    return root / "site"


@pytest.mark.parametrize("kind", PAGES)
@pytest.mark.parametrize("look", LOOKS)
def test_a_page_opens_from_a_file_without_errors_requests_or_barriers(
    browser: Any, folder: Path, kind: str, look: str
) -> None:
    width, scheme = LOOKS[look]
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((folder / PAGES[kind]).resolve().as_uri())
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{kind}-{look}.png", full_page=True)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    violations = axe_api.Axe().run(page).response["violations"]
    grave = [v for v in violations if v["impact"] in ("serious", "critical")]
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    overflow = page.evaluate(wide)
    outside = page.evaluate(OUTSIDE)
    styled = page.evaluate("getComputedStyle(document.body).maxWidth")
    scripted = page.evaluate("document.getElementById('theme').hidden")
    page.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("file://", "data:"))] == []
    assert len([url for url in asked if url.startswith("file://")]) == 1
    assert [(v["id"], v["nodes"][0]["html"]) for v in grave] == []
    assert overflow <= 0
    assert outside == []
    assert styled != "none", "the policy's hash does not fit the style"
    assert scripted is False, "the policy's hash does not fit the script"


DRAWINGS = [
    "adult/adult-income-over-50k-sex.svg", "figures/figure-1-temperature.svg",
    "figures/figure-4-artificial-against-data-bias.svg",
]  # fmt: skip


def test_pictures_are_shown_under_the_policy_of_the_page(browser: Any, folder: Path) -> None:
    page = browser.new_page()
    page.goto((folder / PAGES["figures"]).as_uri())
    widths = page.evaluate("[...document.images].map(each => each.naturalWidth)")
    page.close()
    assert widths == [2, 2]


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_figure_opens_as_a_file_of_its_own(browser: Any, folder: Path, name: str) -> None:
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto((folder / name).as_uri())
    drawn = page.evaluate("document.documentElement.getBoundingClientRect().width")
    root = page.evaluate("document.documentElement.tagName")
    page.close()
    assert (root, said) == ("svg", [])
    assert drawn > 100


@pytest.mark.parametrize("kind", ["suite", "trials", "method", "cross-examination"])
def test_without_scripts_every_row_is_there_and_no_dead_control(
    browser: Any, folder: Path, kind: str
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((folder / PAGES[kind]).as_uri())
    assert page.locator("table.live tbody tr").count() > 1
    assert page.locator("button:visible, input:visible, select:visible").count() == 0
    assert page.locator("#tools").is_hidden()
    context.close()


def test_print_leaves_out_controls_and_is_light_on_a_dark_screen(
    browser: Any, folder: Path
) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto((folder / PAGES["suite"]).as_uri())
    page.click("#theme")
    page.click("#theme")
    assert page.text_content("#theme") == "Theme: dark"
    page.emulate_media(media="print")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(255, 255, 255)"
    assert page.locator("#tools, #theme, .take").locator("visible=true").count() == 0
    page.close()

"""A person at the page, in a real browser: by keyboard, by ear, on a phone, without scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.data.prepared import Kind
from bench.tracks.poisoning.human import Recorded
from bench.tracks.poisoning.tagging import inspected, majority
from tests.labelling.label_examples import (
    HOSTILE,
    Served,
    make_labelling,
    make_queue,
    served,
    showing,
)

pytestmark = pytest.mark.browser

axe_api = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="needs the axe-playwright-python package"
)

MANY = tuple(f"class {i}" for i in range(200))


@contextmanager
def visit(browser: Any, desk: Served, **options: Any) -> Iterator[Any]:
    """A page of a browser of its own; at the end nothing may have been complained about."""
    context = browser.new_context(**options)
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(desk.entrance)
    yield page
    context.close()
    assert said == []
    assert [url for url in asked if not url.startswith(f"http://{desk.address}/")] == []


def press(page: Any, key: str, step: int) -> None:
    """Press a key and wait until the page shows what comes after so many answers."""
    page.keyboard.press(key)
    wait(page, step)


def wait(page: Any, step: int) -> None:
    page.wait_for_selector(f"#undo >> xpath=../input[@value='{step}']", state="attached")
    page.wait_for_selector("html:not(.busy)")


def announced(page: Any) -> str:
    text: str = page.locator("#announcement").text_content()
    return text


def test_ten_clusters_are_labelled_by_keyboard_alone_in_two_sittings(
    browser: Any, tmp_path: Path
) -> None:
    queue, step = make_queue(), 0
    with (
        served(make_labelling(tmp_path, queue), showing("image")) as desk,
        visit(browser, desk) as page,
    ):
        assert page.url == f"http://{desk.address}/"
        for key in ("0", "0", "5"):  # cluster 0, with a slip
            step += 1
            press(page, key, step)
        press(page, "Backspace", 2)
        assert announced(page) == "Saved: 0. Cluster 1 of 10, inspection 3."
        for key in ("0", "1", "u", "1", "2", "2", "3", "3"):
            press(page, key, step)
            step += 1
        assert page.title() == "Cluster 5 of 10 · bench label"
    with (
        served(make_labelling(tmp_path, queue), showing("image")) as desk,
        visit(browser, desk) as page,
    ):
        assert page.locator("h1").text_content() == "Cluster 5 of 10"
        for digit in "456789":
            for _ in range(2):
                press(page, digit, step)
                step += 1
        assert announced(page) == "Saved: 9. Done."
        assert "bench --suite digits" in page.locator("main").inner_text()
    content = json.loads((tmp_path / "tags.json").read_text())
    assert content["finished"]
    human = Recorded(tmp_path / "tags.json", queue.classes)
    tags = [inspected(cluster, human.tag, queue.most) for cluster in queue.clusters]
    assert [majority(found.values()) for found in tags] == list(range(10))
    assert human.inspections == len(content["tags"])


def test_tab_and_enter_answer_as_well_and_the_focus_stays(browser: Any, tmp_path: Path) -> None:
    with (
        served(make_labelling(tmp_path), showing("image")) as desk,
        visit(browser, desk) as page,
    ):
        stops = []
        for _ in range(5):
            page.keyboard.press("Tab")
            stops.append(page.evaluate("document.activeElement.id || document.activeElement.href"))
        assert stops[1:] == ["tag-0", "tag-1", "tag-2", "tag-3"]
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate(outline) == "solid"
        press(page, "Enter", 1)
        assert page.evaluate("document.activeElement.id") == "tag-3"
        press(page, " ", 2)
        assert desk.labelling.tags == {0: "3", 1: "3"}


def test_keys_can_be_switched_off_and_stay_off(browser: Any, tmp_path: Path) -> None:
    with (
        served(make_labelling(tmp_path), showing("image")) as desk,
        visit(browser, desk) as page,
    ):
        assert page.locator("kbd:visible").count() == 12
        page.uncheck("#keys")
        page.keyboard.press("7")
        page.reload()
        page.keyboard.press("7")
        assert page.locator("kbd:visible").count() == 0
        page.check("#keys")
        page.keyboard.press("Control+7")
        press(page, "8", 1)
        assert desk.labelling.tags == {0: "8"}


def test_a_held_key_answers_once(browser: Any, tmp_path: Path) -> None:
    with (
        served(make_labelling(tmp_path), showing("image")) as desk,
        visit(browser, desk) as page,
    ):
        page.keyboard.down("7")
        page.keyboard.down("7")
        page.keyboard.down("7")
        wait(page, 1)
        page.keyboard.down("7")
        page.keyboard.up("7")
        press(page, "8", 2)
        assert desk.labelling.tags == {0: "7", 1: "8"}


def test_a_name_is_typed_where_there_are_more_classes_than_keys(
    browser: Any, tmp_path: Path
) -> None:
    labelling = make_labelling(tmp_path, make_queue(MANY))
    with served(labelling, showing("image")) as desk:
        # The refusal is an answer 422, which browsers log.
        context = browser.new_context()
        page = context.new_page()
        page.goto(desk.entrance)
        assert page.evaluate("document.activeElement.id") == "name"
        page.keyboard.type("class 15u")
        page.keyboard.press("Enter")
        page.wait_for_selector(".fault")
        assert page.locator(".fault").text_content() == 'There is no class "class 15u".'
        page.keyboard.type("Class 150")
        press(page, "Enter", 1)
        assert page.evaluate("document.activeElement.id") == "name"
        press(page, "Backspace", 0)
        context.close()


def test_a_sound_is_played_by_a_key(browser: Any, tmp_path: Path) -> None:
    with (
        served(make_labelling(tmp_path), showing("sound")) as desk,
        visit(browser, desk) as page,
    ):
        # As the page's policy forbids `eval`, which Playwright waits with, the page is asked here.
        duration = page.evaluate(
            """new Promise((found) => {
              const audio = document.querySelector("audio");
              const tell = () => found(audio.duration);
              if (audio.readyState) tell(); else audio.onloadedmetadata = tell;
            })"""
        )
        assert duration == pytest.approx(0.5)
        ended = "new Promise((on) => { document.querySelector('audio').onended = () => on(true); })"
        page.evaluate(f"window.ended = {ended}; 0")
        page.keyboard.press("p")
        assert page.evaluate("window.ended")
        assert page.evaluate("document.querySelector('.sample img').naturalWidth") > 100
        press(page, "3", 1)


def test_without_scripts_plain_forms_do(browser: Any, tmp_path: Path) -> None:
    with (
        served(make_labelling(tmp_path), showing("image")) as desk,
        visit(browser, desk, java_script_enabled=False) as page,
    ):
        assert page.locator("kbd:visible").count() == 0  # no hint at what does not work
        page.click("#tag-7")
        page.click("#unsure")
        assert desk.labelling.tags == {0: "7", 1: "unsure"}
        page.click("#undo")
        assert page.locator("h1").text_content() == "Cluster 1 of 10"
        assert desk.labelling.tags == {0: "7"}


def test_hostile_names_do_nothing(browser: Any, tmp_path: Path) -> None:
    with (
        served(make_labelling(tmp_path, make_queue(HOSTILE)), showing("text")) as desk,
        visit(browser, desk) as page,
    ):
        press(page, "1", 1)
        assert announced(page).startswith("Saved: <script>alert(1)</script>. ")
        words = page.locator(".words").text_content()
        assert words == f"hello {HOSTILE[0]} {HOSTILE[1]} <unknown>"
        assert page.locator("main script, main .words *").count() == 0


def test_when_the_server_is_gone_the_page_says_so(browser: Any, tmp_path: Path) -> None:
    context = browser.new_context()
    page = context.new_page()
    with served(make_labelling(tmp_path), showing("image")) as desk:
        page.goto(desk.entrance)
        page.wait_for_load_state("networkidle")
    page.keyboard.press("7")
    page.wait_for_selector(".fault")
    assert "it has ended, and this answer was not saved" in page.locator(".fault").text_content()
    context.close()


@pytest.mark.parametrize(
    ("kind", "classes"),
    [("image", 10), ("sound", 10), ("text", 2), ("table", 5), ("image", 200)],
)
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_pages_have_no_barriers(
    browser: Any, tmp_path: Path, kind: Kind, classes: int, width: int, scheme: str
) -> None:
    names = tuple(str(i) for i in range(10)) if classes == 10 else MANY[:classes]
    labelling = make_labelling(tmp_path, make_queue(names, clusters=1))
    view = {"width": width, "height": 800}
    with (
        served(labelling, showing(kind)) as desk,
        visit(browser, desk, viewport=view, color_scheme=scheme, reduced_motion="reduce") as page,
    ):
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        check(page)
        desk.labelling.answer(0, names[0])
        desk.labelling.answer(1, names[0])
        desk.labelling.answer(2, names[0])
        page.reload()
        assert page.title() == "Done · bench label"
        check(page)


def check(page: Any) -> None:
    """No serious barrier, and nothing that is wider than the window."""
    violations = axe_api.Axe().run(page).response["violations"]
    grave = [v for v in violations if v["impact"] in ("serious", "critical")]
    assert [(v["id"], v["nodes"][0]["html"]) for v in grave] == []
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 0

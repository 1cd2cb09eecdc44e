"""News, badges and citations: what others read of a site without opening it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench.reports.pages.citation import bibliography, citation, read
from bench.reports.pages.feed import (
    GREEN,
    LABEL_GREY,
    MOST,
    ORANGE,
    RED,
    endpoint,
    feed,
)
from bench.reports.pages.suite import SuiteView, suite_view
from bench.result import Result, Status
from tests.reports.synthetic_sweep import HOSTILE, START, TwoTasks

ATOM = "{http://www.w3.org/2005/Atom}"
Make = Callable[..., tuple[SuiteView, dict[str, Result]]]


@pytest.fixture
def made(two_tasks: TwoTasks) -> Make:
    """The synthetic suite's view and results, some of them changed."""

    def make(days: int = 0, **changes: object) -> tuple[SuiteView, dict[str, Result]]:
        plan, results = two_tasks
        edited = {
            key: r.model_copy(
                update={"finished": r.finished + timedelta(days=days * (r.seed % 2)), **changes}
            )
            for key, r in results.items()
        }
        return suite_view("adult", plan, edited), edited

    return make


def text_of(element: ET.Element, name: str) -> str:
    found = element.find(f"{ATOM}{name}")
    assert found is not None
    return found.text or ""


def parsed(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314 - our own text


def entries(text: str) -> list[ET.Element]:
    return parsed(text).findall(f"{ATOM}entry")


def test_a_feed_has_all_that_atom_asks_for(made: Make) -> None:
    root = parsed(feed([made()]))
    assert root.tag == f"{ATOM}feed"
    for element in (root, *root.findall(f"{ATOM}entry")):  # RFC 4287, 4.1.1 and 4.1.2
        assert text_of(element, "id").startswith("urn:uuid:")
        assert text_of(element, "title")
        assert datetime.fromisoformat(text_of(element, "updated")).tzinfo is UTC
        assert element.find(f"{ATOM}link[@rel='alternate']") is not None
    assert text_of(root.find(f"{ATOM}author") or root, "name") == "bench"


def test_an_entry_stands_for_a_suites_results_of_a_day(made: Make) -> None:
    later, first = entries(feed([made(days=2)]))
    assert text_of(first, "title").endswith(": 48 results of 2025-03-01")
    assert text_of(later, "title").endswith(": 31 results of 2025-03-03")
    assert text_of(later, "updated") == "2025-03-03T12:35:00Z"
    assert "1 failed" in text_of(first, "summary")
    assert "Best three: 1" in text_of(later, "summary")  # the standing is news of the last day
    assert "Best three" not in text_of(first, "summary")


def test_an_entry_keeps_its_identity_when_others_come(made: Make) -> None:
    before, after = entries(feed([made()])), entries(feed([made(days=2)]))
    assert text_of(before[0], "id") == text_of(after[1], "id")
    assert len({text_of(entry, "id") for entry in after}) == 2


def test_equal_results_give_an_equal_feed(made: Make) -> None:
    assert feed([made()]) == feed([made()])


def test_a_feed_ends_somewhere(made: Make) -> None:
    view, results = made()
    result = next(iter(results.values()))
    many = {
        str(day): result.model_copy(update={"finished": START + timedelta(days=day)})
        for day in range(MOST + 10)
    }
    assert len(entries(feed([(view, many)]))) == MOST


def test_a_feed_without_results_is_still_one() -> None:
    root = parsed(feed([]))
    assert text_of(root, "updated") == "1970-01-01T00:00:00Z"


def test_an_address_makes_all_links_absolute(made: Make) -> None:
    text = feed([made()])
    moved = feed([made()], "https://example.org/bench/")
    links = [link.get("href", "") for link in parsed(moved).iter(f"{ATOM}link")]
    assert links == [
        "https://example.org/bench/index.html",
        "https://example.org/bench/feed.xml",
        "https://example.org/bench/adult/index.html",
    ]
    ids = [text_of(parsed(each), "id") for each in (text, moved)]
    assert ids[0] != ids[1]
    assert "ns0:" not in moved


def test_hostile_names_stay_text(made: Make) -> None:
    view, results = made(method=f"{HOSTILE}\x07")
    assert HOSTILE not in feed([(view, results)])
    assert HOSTILE in text_of(entries(feed([(view, results)]))[0], "summary")


def test_a_badge_counts_trials_and_names_a_single_leader(made: Make) -> None:
    view, _ = made()
    content = json.loads(endpoint(view))
    assert (content["schemaVersion"], content["label"]) == (1, "adult")
    assert content["message"].startswith("76 of 80 trials")


@pytest.mark.parametrize(
    ("keep", "colour"),
    [
        (lambda _: True, RED),
        (lambda r: r.status is Status.OK, ORANGE),
    ],
)
def test_a_badges_colour_tells_failures_and_gaps(
    two_tasks: TwoTasks, keep: Callable[[Result], bool], colour: str
) -> None:
    plan, results = two_tasks
    view = suite_view("adult", plan, {key: r for key, r in results.items() if keep(r)})
    assert json.loads(endpoint(view))["color"] == colour


def test_a_complete_suite_has_a_green_badge(two_tasks: TwoTasks) -> None:
    plan, results = two_tasks
    good = {key: r for key, r in results.items() if r.status is Status.OK}
    whole = plan.model_copy(update={"trials": [t for t in plan.trials if t.key in good]})
    assert json.loads(endpoint(suite_view("adult", whole, good)))["color"] == GREEN


@pytest.mark.parametrize("ground", [GREEN, ORANGE, RED, LABEL_GREY])
def test_white_is_readable_on_every_badge(ground: str) -> None:
    parts = [int(ground[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    assert 1.05 / (luminance + 0.05) >= 4.5  # WCAG 2.2, success criterion 1.4.3


CFF = """
cff-version: 1.2.0
title: "A_tool & more"
authors: [{name: The team}, {family-names: Doe, given-names: Jo}]
version: 1.2.0
date-released: 2025-03-01
url: https://example.org
references:
  - {type: article, title: Deep things, year: 2024, journal: J, doi: 10.1/2,
     authors: [{family-names: Müller, given-names: Ann}, {family-names: Roe, given-names: B.}]}
  - {type: conference-paper, title: Deep learning, year: 2024, collection-title: C,
     authors: [{family-names: Müller, given-names: Ann}]}
"""


def test_a_citation_file_becomes_a_sentence_and_bibtex() -> None:
    found = read(CFF)
    assert found.sentence == (
        "The team, Doe, Jo (2025). A_tool & more. Version 1.2.0. https://example.org"
    )
    assert "author = {{The team} and Doe, Jo}," in found.bibtex
    assert "title = {{A\\_tool \\& more}}," in found.bibtex
    assert re.findall(r"@(\w+)\{(\w+),", found.papers) == [
        ("article", "mller2024deep"), ("inproceedings", "mller2024deepx"),
    ]  # fmt: skip
    assert "doi = {10.1/2}," in found.papers


def test_every_page_says_how_to_cite(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 2
    for page in pages:
        assert "To cite: " in page.read_text(), page
        found = re.search(r'href="((?:\.\./)*citation\.bib)"', page.read_text())
        assert found
        assert (page.parent / found.group(1)).read_text() == bibliography()


def test_the_bibliography_names_the_software_and_every_paper() -> None:
    text = bibliography()
    assert text.startswith("@software{")
    assert text.count("\n@") == citation().papers.count("@") >= 6


def test_pages_lead_to_the_feed(site: Path) -> None:
    assert (site / "feed.xml").read_text().startswith('<?xml version="1.0"')
    assert 'type="application/atom+xml"' in (site / "adult" / "index.html").read_text()

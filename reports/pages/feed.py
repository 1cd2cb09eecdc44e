"""What others read of a site without opening it: an Atom feed (RFC 4287) and a badge a suite."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from urllib.parse import quote
from xml.etree import ElementTree as ET

from bench.outside.words import for_xml
from bench.reports import wording
from bench.reports.boards.tables import MISSING, STATUS_WORDS
from bench.reports.pages.suite import SuiteView
from bench.result import Result, Status

FEED = "feed.xml"
ATOM = "http://www.w3.org/2005/Atom"
NAMESPACE = uuid.UUID("0c9f3f0e-5a0b-5d5c-8c34-6a5d0c1f7b52")
"""The namespace of the entries' identities, which must never change: readers show new ones."""
MOST = 50
"""The number of entries in the feed; older results stand on the pages."""
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
GREEN, ORANGE, RED, GREY = "#17693f", "#8f4b00", "#b3261e", "#555f6b"
"""White on them has a contrast of 4.5 and more (WCAG 2.2, 1.4.3)."""
LABEL_GREY = "#3b424b"

Suites = Sequence[tuple[SuiteView, Mapping[str, Result]]]


@dataclass(frozen=True)
class _Day:
    """A suite's results of one day, in UTC."""

    suite: SuiteView
    day: date
    results: Sequence[Result]

    @property
    def updated(self) -> datetime:
        return max(wording.utc(result.finished) for result in self.results)

    @property
    def is_last(self) -> bool:
        return (
            self.suite.finished is not None and wording.utc(self.suite.finished).date() == self.day
        )


def feed(suites: Suites, address: str = "") -> str:
    """The feed of all suites, newest first; equal results give equal bytes.

    Dates are those on which trials were finished. The last entry of a suite also says who leads.

    Args:
        suites: Pages with the results of their trials.
        address: Where the site stands, "https://.../"; without it links are relative, which is
            allowed but not understood by every reader.
    """
    days = [day for view, results in suites for day in _days(view, results.values())]
    days.sort(key=lambda day: (day.updated, day.suite.name), reverse=True)
    root = ET.Element("feed", {"xmlns": ATOM, "xml:lang": "en"})
    _add(root, "id", _identity("feed", address))
    _add(root, "title", "bench: new results")
    _add(root, "updated", _moment(max((day.updated for day in days), default=NEVER)))
    _add(_add(root, "author"), "name", "bench")
    _add(root, "link", rel="alternate", type="text/html", href=f"{address}index.html")
    _add(root, "link", rel="self", type="application/atom+xml", href=f"{address}{FEED}")
    for day in days[:MOST]:
        _entry(root, day, address)
    ET.indent(root, " ")
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'


def _entry(root: ET.Element, day: _Day, address: str) -> None:
    entry = _add(root, "entry")
    name = day.suite.name
    _add(entry, "id", _identity(name, day.day.isoformat()))
    count = wording.plural(len(day.results), "result")
    _add(entry, "title", f"{day.suite.plan.title}: {count} of {day.day.isoformat()}")
    _add(entry, "updated", _moment(day.updated))
    _add(
        entry, "link", rel="alternate", type="text/html", href=f"{address}{quote(name)}/index.html"
    )
    for track in dict.fromkeys(result.track for result in day.results):
        _add(entry, "category", term=track)
    _add(entry, "summary", _words(day))


def _words(day: _Day) -> str:
    ended = Counter(result.status.value for result in day.results)
    counts = ", ".join(f"{ended[s]} {word}" for s, word in STATUS_WORDS.items() if ended[s])
    methods = sorted({result.method for result in day.results})
    tasks = sorted({result.task for result in day.results})
    parts = [f"{counts}. Methods: {wording.listed(methods)}. Tasks: {wording.listed(tasks)}."]
    if day.is_last:
        parts += [f"{t.board.task.name}: {t.in_short}." for t in day.suite.tasks]
    return " ".join(parts)


def _days(view: SuiteView, results: Iterable[Result]) -> list[_Day]:
    by_day: dict[date, list[Result]] = {}
    for result in results:
        by_day.setdefault(wording.utc(result.finished).date(), []).append(result)
    return [_Day(view, day, of_day) for day, of_day in by_day.items()]


def _add(parent: ET.Element, name: str, text: str = "", **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, name, attributes)
    element.text = for_xml(text) or None
    return element


def _identity(*parts: str) -> str:
    return uuid.uuid5(NAMESPACE, "\n".join(parts)).urn


def _moment(time: datetime) -> str:
    return wording.utc(time).strftime("%Y-%m-%dT%H:%M:%SZ")


def message(suite: SuiteView) -> str:
    """How many trials ended well and, where one method leads every task, which."""
    coverage = suite.coverage
    words = f"{coverage.done} of {coverage.total} trials"
    leaders = {tuple(task.leaders) for task in suite.tasks}
    leader = next(iter(leaders)) if len(leaders) == 1 else ()
    return f"{words}, first: {leader[0]}" if len(leader) == 1 else words


def colour(suite: SuiteView) -> str:
    """Red where a trial failed or ran out of time, orange where one is missing."""
    counts = suite.coverage.counts
    if counts.get(Status.FAILED.value) or counts.get(Status.TIMEOUT.value):
        return RED
    if counts.get(MISSING):
        return ORANGE
    return GREEN if suite.coverage.done else GREY


def endpoint(suite: SuiteView) -> str:
    """A badge as JSON, which https://shields.io/badges/endpoint-badge draws; schema version 1."""
    content = {
        "schemaVersion": 1,
        "label": suite.name,
        "message": message(suite),
        "color": colour(suite),
        "labelColor": LABEL_GREY,
    }
    return json.dumps(content, ensure_ascii=False) + "\n"

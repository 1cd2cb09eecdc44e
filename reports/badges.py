"""A suite in a badge: our own SVG, and the JSON from which shields.io draws one."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

from benchmarks.result import Status
from reports import wording
from reports.suite_page import SuiteView
from reports.tables import MISSING

GREEN, ORANGE, RED, GREY = "#17693f", "#8f4b00", "#b3261e", "#555f6b"
"""White on them has a contrast of 4.5 and more (WCAG 2.2, 1.4.3)."""

LABEL_GREY = "#3b424b"
WIDE, NARROW = "mwMW@%", "fijlrt.,:;!|'()[] "


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
    """What https://shields.io/badges/endpoint-badge reads, schema version 1."""
    content = {
        "schemaVersion": 1,
        "label": suite.name,
        "message": message(suite),
        "color": colour(suite),
        "labelColor": LABEL_GREY,
    }
    return json.dumps(content, ensure_ascii=False) + "\n"


def badge(suite: SuiteView) -> str:
    """An SVG of 20 pixels' height that needs no font, script or other file."""
    label, told = suite.name, message(suite)
    left, right = _width(label), _width(told)
    words = f"{label}: {told}"
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "width": str(left + right),
            "height": "20",
            "viewBox": f"0 0 {left + right} 20",
            "role": "img",
            "aria-label": words,
        },
    )
    ET.SubElement(root, "title").text = words
    finished = wording.moment(suite.finished) if suite.finished else "none yet"
    ET.SubElement(root, "desc").text = f"{suite.plan.title}. Last result: {finished}."
    clip = ET.SubElement(root, "clipPath", id="round")
    ET.SubElement(clip, "rect", width=str(left + right), height="20", rx="3")
    ground = ET.SubElement(root, "g", {"clip-path": "url(#round)"})
    ET.SubElement(ground, "rect", width=str(left), height="20", fill=LABEL_GREY)
    ET.SubElement(ground, "rect", x=str(left), width=str(right), height="20", fill=colour(suite))
    texts = ET.SubElement(
        root,
        "g",
        {"fill": "#fff", "font-family": "Verdana, DejaVu Sans, sans-serif", "font-size": "11"},
    )
    for text, start, width in ((label, 0, left), (told, left, right)):
        # The length is given, so that another font fits the ground as well.
        where = {"x": str(start + 6), "y": "14", "textLength": str(width - 12)}
        ET.SubElement(texts, "text", where | {"lengthAdjust": "spacingAndGlyphs"}).text = text
    return ET.tostring(root, encoding="unicode") + "\n"


def _width(text: str) -> int:
    """Pixels of a text in Verdana of 11 pixels, roughly, with 6 on either side."""
    return 12 + round(sum(10 if s in WIDE else 4.2 if s in NARROW else 7 for s in text))

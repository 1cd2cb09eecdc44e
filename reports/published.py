"""What the papers reported, to stand beside what was measured."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CSV = Path(__file__).with_name("published.csv")

PAPERS = {"bade": "BaDe 2024", "labor": "LABOR 2025", "perceptual_dro": "perceptual-DRO"}

ABLATIONS = frozenset(
    {
        ("bade", "6"),  # losses of the distillation
        ("bade", "7"),  # backbones
        ("bade", "8"),  # triggers
        ("labor", "9"),  # clusterings
    }
)
"""Tables that vary one part of a method; their figures are the last to be quoted."""

_THOUSANDFOLD = "_x1000"
"""Suffix of metrics that a paper prints a thousand times too large (LPIPS, DISTS)."""


@dataclass(frozen=True)
class Published:
    """A figure from a paper: in percent for rates, as it is for plain numbers."""

    value: float
    spread: float | None
    source: str
    """For people: "BaDe 2024, Table 3"."""
    of: str
    """Label of the method whose figure this is; not always the one that was asked for."""


@dataclass(frozen=True)
class _Row:
    metric: str
    preference: tuple[bool, tuple[int, ...], str]
    figure: Published


def lookup(published_task: str | None, method_label: str, metric: str) -> Published | None:
    """The figure for a method on a task ("adult/income_over_50k|sex"), or None.

    The exact label comes first; where a variant (`bade[strength=auto]`) has no figure, its base
    name (`bade`) answers, and `of` says so. Where several tables carry a figure, one that is no
    ablation comes before one that is, a numbered table before a figure or the running text, the
    lowest number first, and within a table the first line.
    """
    if published_task is None:
        return None
    for label in dict.fromkeys((method_label, method_label.partition("[")[0])):
        rows = _index().get((published_task, label), ())
        found = [row for row in rows if row.metric == metric]
        if found:
            return min(found, key=lambda row: row.preference).figure
    return None


def source_words(paper: str, table: str, note: str = "") -> str:
    """Paper and place for people; conditions that name a setting ("backbone=...") are kept."""
    kind, _, number = table.rpartition(" ")
    place = {"fig": f"Figure {number}", "text": f"section {number}"}.get(kind, f"Table {table}")
    condition = f", {note}" if "=" in note else ""
    return f"{PAPERS.get(paper, paper)}, {place}{condition}"


@cache
def _index() -> dict[tuple[str, str], tuple[_Row, ...]]:
    index: dict[tuple[str, str], tuple[_Row, ...]] = {}
    for task, method, row in _rows():
        index[task, method] = (*index.get((task, method), ()), row)
    return index


def _rows() -> Iterator[tuple[str, str, _Row]]:
    with CSV.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            scale = 1000.0 if line["metric"].endswith(_THOUSANDFOLD) else 1.0
            figure = Published(
                value=float(line["value"]) / scale,
                spread=float(line["spread"]) / scale if line["spread"] else None,
                source=source_words(line["paper"], line["table"], line["note"]),
                of=line["method"],
            )
            metric = line["metric"].removesuffix(_THOUSANDFOLD)
            row = _Row(metric, _preference(line["paper"], line["table"]), figure)
            yield f"{line['dataset']}/{line['task']}", line["method"], row


def _preference(paper: str, table: str) -> tuple[bool, tuple[int, ...], str]:
    kind, _, number = table.rpartition(" ")
    order = tuple(int(part) for part in number.replace("-", ".").split("."))
    return (paper, table) in ABLATIONS, (1 if kind else 0, *order), paper

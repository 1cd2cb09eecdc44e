"""What the papers reported, to stand beside what was measured."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from bench.result import PlannedMethod, PlannedTask

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

NEUTRAL = frozenset({"size", "crop", "train_size", "examined", "images"})
"""Conditions that ask the paper's own question: the papers leave image size and crop open, fewer
training samples or attacked images make a small edition of the same task, and examining a model
changes nothing."""

_ANOTHER_MODEL = re.compile(r"[\[,](stage|cost|norm)=")
"""In the label of an entry that is no variant of its method but another one: a teacher, an attack
that keeps something else small."""

_THOUSANDFOLD = "_x1000"
"""Suffix of metrics that a paper prints a thousand times too large (LPIPS, DISTS)."""


@dataclass(frozen=True)
class PublishedFigure:
    """A figure from a paper: in percent for rates, as it is for plain numbers."""

    value: float
    spread: float | None
    source: str
    """For people: "BaDe 2024, Table 3"."""
    of: str
    """Label of the method whose figure this is; not always the one that was asked for."""


class Agreement(StrEnum):
    """Where a published figure lies, in the words of the pages."""

    INSIDE = "inside"
    OVERLAPS = "outside, spreads overlap"
    OUTSIDE = "outside"


def agreement(published: PublishedFigure, measured: tuple[float, float]) -> Agreement:
    """Whether a figure lies in the measured interval, or at least its own spread reaches it.

    Args:
        published: the figure, its spread a standard deviation over the paper's runs.
        measured: the 95 % interval of the mean, in the figure's unit.
    """
    low, high = measured
    if low <= published.value <= high:
        return Agreement.INSIDE
    reach = published.spread or 0.0
    if published.value + reach >= low and published.value - reach <= high:
        return Agreement.OVERLAPS
    return Agreement.OUTSIDE


_Key = tuple[str, frozenset[str], str]
"""dataset/task, conditions, and the method's label."""


@dataclass(frozen=True)
class _Row:
    metric: str
    preference: tuple[bool, tuple[int, ...], str]
    figure: PublishedFigure


def lookup(task: PlannedTask, method: PlannedMethod, metric: str) -> PublishedFigure | None:
    """The figure for a method on a task, or None.

    A row of the table applies where its conditions ("backbone=vgg16") are those of the task, the
    `NEUTRAL` ones aside: a figure without conditions never stands beside a task that has some.
    The exact label comes first; where a variant (`bade[strength=auto]`) has no figure, its base
    name (`bade`) answers, and `of` says so, unless the entry is another model or carries a
    caveat. Where several tables carry a figure, one that is no ablation comes before one that is,
    a numbered table before a figure or the running text, the lowest number first, and within a
    table the first line.
    """
    if task.published is None:
        return None
    conditions = conditions_of(task)
    for label in _labels(method):
        rows = _index().get((task.published, conditions, label), ())
        matching = [row for row in rows if row.metric == metric]
        if matching:
            return min(matching, key=lambda row: row.preference).figure
    return None


def comparison(task: PlannedTask, first: str, second: str, metric: str) -> PublishedFigure | None:
    """The figure of a test between two methods, by their labels in either order, or None."""
    if task.published is None:
        return None
    conditions = conditions_of(task)
    for words in (f"{first} vs {second}", f"{second} vs {first}"):
        for row in _index().get((task.published, conditions, words), ()):
            if row.metric == metric:
                return row.figure
    return None


def conditions_of(task: PlannedTask) -> frozenset[str]:
    """What sets a task apart from the paper's standard one: {"backbone=vgg16"}."""
    conditions = {name: value for name, value in task.conditions.items() if name not in NEUTRAL}
    return frozenset(
        f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in conditions.items()
    )


def _labels(method: PlannedMethod) -> tuple[str, ...]:
    base = method.label.partition("[")[0]
    borrows = method.caveat is None and not _ANOTHER_MODEL.search(method.label)
    return (method.label, base) if borrows and base != method.label else (method.label,)


def source_words(paper: str, table: str, note: str = "") -> str:
    """Paper and place for people; a note that names a setting ("backbone=...") is kept."""
    kind, _, number = table.rpartition(" ")
    place = {"fig": f"Figure {number}", "text": f"section {number}"}.get(kind, f"Table {table}")
    setting = f", {note}" if "=" in note else ""
    return f"{PAPERS.get(paper, paper)}, {place}{setting}"


@cache
def _index() -> dict[_Key, tuple[_Row, ...]]:
    index: dict[_Key, tuple[_Row, ...]] = {}
    for key, row in _rows():
        index[key] = (*index.get(key, ()), row)
    return index


def _rows() -> Iterator[tuple[_Key, _Row]]:
    with CSV.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            scale = 1000.0 if line["metric"].endswith(_THOUSANDFOLD) else 1.0
            setting = line["condition"] or line["note"]
            figure = PublishedFigure(
                value=float(line["value"]) / scale,
                spread=float(line["spread"]) / scale if line["spread"] else None,
                source=source_words(line["paper"], line["table"], setting),
                of=line["method"],
            )
            metric = line["metric"].removesuffix(_THOUSANDFOLD)
            row = _Row(metric, _preference(line["paper"], line["table"]), figure)
            conditions = frozenset(filter(None, line["condition"].split(";")))
            yield (f"{line['dataset']}/{line['task']}", conditions, line["method"]), row


def _preference(paper: str, table: str) -> tuple[bool, tuple[int, ...], str]:
    kind, _, number = table.rpartition(" ")
    order = tuple(int(part) for part in number.replace("-", ".").split("."))
    return (paper, table) in ABLATIONS, (1 if kind else 0, *order), paper

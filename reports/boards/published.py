"""What the papers reported, to stand beside what was measured."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
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


_Key = tuple[str, frozenset[str], str, str]
"""dataset/task, conditions, the method's label, and the metric."""


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
    figures = (_figure(task, label, metric) for label in _labels(method))
    return next(filter(None, figures), None)


def comparison(task: PlannedTask, first: str, second: str, metric: str) -> PublishedFigure | None:
    """The figure of a test between two methods, by their labels in either order, or None."""
    labels = f"{first} vs {second}", f"{second} vs {first}"
    return next(filter(None, (_figure(task, label, metric) for label in labels)), None)


def _figure(task: PlannedTask, label: str, metric: str) -> PublishedFigure | None:
    if task.published is None:
        return None
    return _index().get((task.published, conditions_of(task), label, metric))


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
def _index() -> Mapping[_Key, PublishedFigure]:
    """The figures of the table; of several with one key, the first by `_preference`."""
    with CSV.open(encoding="utf-8", newline="") as file:
        lines = sorted(csv.DictReader(file), key=_preference)
    index: dict[_Key, PublishedFigure] = {}
    for line in lines:
        scale = 1000.0 if line["metric"].endswith(_THOUSANDFOLD) else 1.0
        figure = PublishedFigure(
            value=float(line["value"]) / scale,
            spread=float(line["spread"]) / scale if line["spread"] else None,
            source=source_words(line["paper"], line["table"], line["condition"] or line["note"]),
            of=line["method"],
        )
        conditions = frozenset(filter(None, line["condition"].split(";")))
        metric = line["metric"].removesuffix(_THOUSANDFOLD)
        task = f"{line['dataset']}/{line['task']}"
        index.setdefault((task, conditions, line["method"], metric), figure)
    return index


def _preference(line: Mapping[str, str]) -> tuple[bool, tuple[int, ...], str]:
    paper, table = line["paper"], line["table"]
    kind, _, number = table.rpartition(" ")
    order = tuple(int(part) for part in number.replace("-", ".").split("."))
    return (paper, table) in ABLATIONS, (1 if kind else 0, *order), paper

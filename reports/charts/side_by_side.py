"""Figures without a drawing: tables of metrics by methods, and pictures with what they reach."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import replace

from bench.reports import wording
from bench.reports.charts.subject import (
    Card,
    Contrast,
    Drawn,
    Entry,
    MetricValue,
    Subject,
    gaps,
    record,
)
from bench.result import PlannedTask, Result

DIFFERENCE = (
    "Difference: measured minus published, in points for percentages; below it, where the "
    "published figure lies against the measured 95 % interval."
)

PNG = b"\x89PNG\r\n\x1a\n"


def table(asked: Subject) -> Drawn:
    """A figure of kind `table`: metrics down, methods across, a table a task."""
    return Drawn(
        entries=asked.entries,
        records=[record(entry, metric) for metric in asked.metrics for entry in asked.entries],
        contrasts=[
            _contrast(asked, task, mine) for task, mine in _by_task(asked) if _any(asked, mine)
        ],
        notes=[*_notes(asked), *([DIFFERENCE] if _has_published(asked) else [])],
        missing=gaps(asked),
    )


def pictures(asked: Subject) -> Drawn:
    """A figure of kind `pictures`: what methods bring along, with the metrics below."""
    entries: dict[str, list[Entry]] = {}
    without = []
    for entry in asked.entries:
        if entry.method.picture and is_png(entry.method.picture):
            entries.setdefault(entry.method.label, []).append(entry)
        else:
            without.append(entry.method.label)
    asked = replace(asked, entries=[entry for mine in entries.values() for entry in mine])
    missing = gaps(asked)
    if without:
        missing.insert(0, f"Without a picture: {wording.listed(list(dict.fromkeys(without)))}.")
    return Drawn(
        entries=asked.entries,
        records=[record(entry, metric) for metric in asked.metrics for entry in asked.entries],
        cards=[_card(asked, mine) for mine in entries.values()],
        notes=_notes(asked),
        missing=missing,
    )


def is_png(picture: str) -> bool:
    """Whether a text is a PNG in base64, and nothing else."""
    try:
        return base64.b64decode(picture, validate=True).startswith(PNG)
    except (binascii.Error, ValueError):
        return False


def _by_task(asked: Subject) -> list[tuple[PlannedTask, list[Entry]]]:
    tasks = {entry.task.name: entry.task for entry in asked.entries}
    return [
        (task, [entry for entry in asked.entries if entry.task.name == name])
        for name, task in tasks.items()
    ]


def _any(asked: Subject, entries: Sequence[Entry]) -> bool:
    return any(entry.measured(metric) for metric in asked.metrics for entry in entries)


def _contrast(asked: Subject, task: PlannedTask, entries: Sequence[Entry]) -> Contrast:
    # A metric that nothing on this task reports has no row: `gaps` says why it is missing.
    rows = [
        (metric, [MetricValue(metric, e.measured(metric), e.published(metric)) for e in entries])
        for metric in asked.metrics
        if any(entry.measured(metric) for entry in entries)
    ]
    return Contrast(task.name, [entry.method for entry in entries], rows)


def _card(asked: Subject, entries: Sequence[Entry]) -> Card:
    method = entries[0].method
    # Of several tasks, those that report none of these metrics say nothing here.
    measured = [e for e in entries if any(e.measured(metric) for metric in asked.metrics)]
    values = [
        (
            entry.task.name if asked.many_tasks else "",
            [MetricValue(m, entry.measured(m), entry.published(m)) for m in asked.metrics],
        )
        for entry in measured or entries
    ]
    source = f"data:image/png;base64,{method.picture}"
    return Card(method.label, source, method.caption or method.label, values)


def _notes(asked: Subject) -> list[str]:
    notes = ["Means over seeds with 95 % intervals."]
    sources = {
        published.source
        for entry in asked.entries
        for metric in asked.metrics
        if entry.published(metric) is not None
        if (published := entry.row.cells[metric.name].published)
    }
    return [*notes, f"Published: {'; '.join(sorted(sources))}."] if sources else notes


def _has_published(asked: Subject) -> bool:
    return any(e.published(m) is not None for e in asked.entries for m in asked.metrics)


def strips(asked: Subject) -> Drawn:
    """A figure of kind `strips`: the pictures of each entry's first seed that left some."""
    found = [(entry, result) for entry in asked.entries if (result := _with_pictures(entry))]
    shown = [entry for entry, _ in found]
    pictured = {(entry.task.name, entry.method.label) for entry in shown}
    without = [
        asked.name(entry)
        for entry in asked.entries
        if (entry.task.name, entry.method.label) not in pictured and entry.row.ok
    ]
    missing = [f"Left no picture: {wording.listed(without)}."] if without else []
    return Drawn(
        entries=shown,
        records=[record(entry, metric) for metric in asked.metrics for entry in shown],
        cards=[card for entry, result in found for card in _cards(asked, entry, result)],
        notes=["Pictures of the first seed; values are means over seeds with 95 % intervals."],
        missing=[*missing, *gaps(asked)],
    )


def _with_pictures(entry: Entry) -> Result | None:
    ordered = sorted(entry.row.results, key=lambda result: result.seed)
    return next((r for r in ordered if any(is_png(p.png) for p in r.pictures)), None)


def _cards(asked: Subject, entry: Entry, result: Result) -> list[Card]:
    """A card a picture; the first carries the values."""
    values = [MetricValue(m, entry.measured(m), entry.published(m)) for m in asked.metrics]
    where = entry.task.name if asked.many_tasks else ""
    return [
        Card(
            label=entry.method.label,
            source=f"data:image/png;base64,{picture.png}",
            caption=picture.caption,
            values=[(where, values)] if number == 0 else [],
        )
        for number, picture in enumerate(p for p in result.pictures if is_png(p.png))
    ]

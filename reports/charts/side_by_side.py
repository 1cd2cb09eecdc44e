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
    Entry,
    FigureContent,
    MetricValue,
    Subject,
    gaps,
)
from bench.result import ResultPicture

DIFFERENCE = (
    "Difference: measured minus published, in points for percentages; below it, where the "
    "published figure lies against the measured 95 % interval."
)

PNG = b"\x89PNG\r\n\x1a\n"


def table(subject: Subject) -> FigureContent:
    """A figure of kind `table`: metrics down, methods across, a table a task."""
    by_task: dict[str, list[Entry]] = {}
    for entry in subject.entries:
        by_task.setdefault(entry.task.name, []).append(entry)
    published = any(value.published is not None for value in _values(subject, subject.entries))
    return FigureContent(
        entries=subject.entries,
        records=subject.records(),
        contrasts=[
            contrast
            for name, entries in by_task.items()
            if (contrast := _contrast(subject, name, entries)).rows
        ],
        notes=[*_notes(subject), *([DIFFERENCE] if published else [])],
        missing=gaps(subject),
    )


def pictures(subject: Subject) -> FigureContent:
    """A figure of kind `pictures`: what methods bring along, with the metrics below."""
    by_method: dict[str, list[Entry]] = {}
    without = []
    for entry in subject.entries:
        if entry.method.picture and is_png(entry.method.picture):
            by_method.setdefault(entry.method.label, []).append(entry)
        else:
            without.append(entry.method.label)
    subject = subject.of([entry for entries in by_method.values() for entry in entries])
    missing = gaps(subject)
    if without:
        missing.insert(0, f"Without a picture: {wording.listed(list(dict.fromkeys(without)))}.")
    return FigureContent(
        entries=subject.entries,
        records=subject.records(),
        cards=[_card(subject, entries) for entries in by_method.values()],
        notes=_notes(subject),
        missing=missing,
    )


def strips(subject: Subject) -> FigureContent:
    """A figure of kind `strips`: the pictures of each entry's first seed that left some."""
    kept = [(entry, pngs) for entry in subject.entries if (pngs := _kept_pictures(entry))]
    shown = [entry for entry, _ in kept]
    names = {subject.name(entry) for entry in shown}
    ran = [subject.name(entry) for entry in subject.entries if entry.row.ok]
    without = [name for name in ran if name not in names]
    missing = [f"Left no picture: {wording.listed(without)}."] if without else []
    return FigureContent(
        entries=shown,
        records=subject.of(shown).records(),
        cards=[
            Card(
                label=entry.method.label,
                source=f"data:image/png;base64,{picture.png}",
                caption=picture.caption,
                values=[_named_values(subject, entry)] if number == 0 else [],
            )
            for entry, pngs in kept
            for number, picture in enumerate(pngs)
        ],
        notes=["Pictures of the first seed; values are means over seeds with 95 % intervals."],
        missing=[*missing, *gaps(subject)],
    )


def is_png(picture: str) -> bool:
    """Whether a text is a PNG in base64, and nothing else."""
    try:
        return base64.b64decode(picture, validate=True).startswith(PNG)
    except (binascii.Error, ValueError):
        return False


def _kept_pictures(entry: Entry) -> list[ResultPicture]:
    """The pictures of the first seed that left some."""
    by_seed = sorted(entry.row.results, key=lambda result: result.seed)
    kept = ([p for p in result.pictures if is_png(p.png)] for result in by_seed)
    return next(filter(None, kept), [])


def _contrast(subject: Subject, task: str, entries: Sequence[Entry]) -> Contrast:
    # A metric that nothing on this task reports has no row: `gaps` says why it is missing.
    rows = [
        (metric, _values(replace(subject, metrics=[metric]), entries))
        for metric in subject.metrics
        if any(entry.measured(metric) for entry in entries)
    ]
    return Contrast(task, [entry.method for entry in entries], rows)


def _card(subject: Subject, entries: Sequence[Entry]) -> Card:
    method = entries[0].method
    # Of several tasks, those that report none of these metrics say nothing here.
    measured = [e for e in entries if any(e.measured(metric) for metric in subject.metrics)]
    values = [_named_values(subject, entry) for entry in measured or entries]
    source = f"data:image/png;base64,{method.picture}"
    return Card(method.label, source, method.caption or method.label, values)


def _named_values(subject: Subject, entry: Entry) -> tuple[str, list[MetricValue]]:
    return entry.task.name if subject.many_tasks else "", _values(subject, [entry])


def _values(subject: Subject, entries: Sequence[Entry]) -> list[MetricValue]:
    return [
        MetricValue(metric, entry.measured(metric), entry.published(metric))
        for metric in subject.metrics
        for entry in entries
    ]


def _notes(subject: Subject) -> list[str]:
    notes = ["Means over seeds with 95 % intervals."]
    sources = {
        published.source
        for entry in subject.entries
        for metric in subject.metrics
        if entry.published(metric) is not None
        if (published := entry.row.cells[metric.name].published)
    }
    return [*notes, f"Published: {'; '.join(sorted(sources))}."] if sources else notes

"""Figures without a drawing: tables of metrics by methods, and pictures with what they reach."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from bench.reports import wording
from bench.reports.boards.leaderboard import Cell
from bench.reports.charts.subject import Card, Contrast, Entry, FigureContent, Subject
from bench.result import MetricInfo, ResultPicture

DIFFERENCE = (
    "Difference: measured minus published, in points for percentages; below it, where the "
    "published figure lies against the measured 95 % interval."
)

BESIDE = 5
"""Methods that a table can hold beside each other."""

PNG = b"\x89PNG\r\n\x1a\n"


def table(subject: Subject) -> FigureContent:
    """A figure of kind `table`: metrics down, methods across, a table a task."""
    by_task: dict[str, list[Entry]] = {}
    for entry in subject.entries:
        by_task.setdefault(entry.task.name, []).append(entry)
    contrasts = [contrast(name, rows, subject.metrics) for name, rows in by_task.items()]
    published = any(e.cell(m).published for e in subject.entries for m in subject.metrics)
    return FigureContent(
        subject=subject,
        records=subject.records(),
        contrasts=[table for table in contrasts if table.columns and table.lines],
        notes=[*_notes(subject), *([DIFFERENCE] if published else [])],
        missing=subject.gaps,
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
    names = wording.listed(list(dict.fromkeys(without)))
    return FigureContent(
        subject=subject,
        records=subject.records(),
        cards=[_card(subject, entries) for entries in by_method.values()],
        notes=_notes(subject),
        missing=[*([f"Without a picture: {names}."] if without else []), *subject.gaps],
    )


def strips(subject: Subject) -> FigureContent:
    """A figure of kind `strips`: the pictures of each entry's first seed that left some."""
    kept = [(entry, pngs) for entry in subject.entries if (pngs := _kept_pictures(entry))]
    shown = subject.of([entry for entry, _ in kept])
    ran = [entry for entry in subject.entries if entry.row.ok]
    without = [subject.name(entry) for entry in ran if entry not in shown.entries]
    missing = [f"Left no picture: {wording.listed(without)}."] if without else []
    return FigureContent(
        subject=shown,
        records=shown.records(),
        cards=[
            Card(
                label=entry.method.label,
                source=f"data:image/png;base64,{picture.png}",
                caption=picture.caption,
                values=[_values(subject, entry)] if number == 0 else [],
            )
            for entry, pngs in kept
            for number, picture in enumerate(pngs)
        ],
        notes=["Pictures of the first seed; values are means over seeds with 95 % intervals."],
        missing=[*missing, *subject.gaps],
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


def contrast(task: str, entries: Sequence[Entry], metrics: Sequence[MetricInfo]) -> Contrast:
    """Metrics down, methods across; the other way round where methods are many.

    A metric that nothing on this task reports is left out: the gaps say why it is missing.
    """
    known = [metric for metric in metrics if any(entry.cell(metric).summary for entry in entries)]
    methods = [entry.method for entry in entries]
    rows = [[entry.cell(metric) for entry in entries] for metric in known]
    if len(methods) <= max(BESIDE, len(known)):
        return Contrast(task, False, methods, list(zip(known, rows, strict=True)))
    return Contrast(task, True, known, list(zip(methods, zip(*rows, strict=True), strict=False)))


def _card(subject: Subject, entries: Sequence[Entry]) -> Card:
    method = entries[0].method
    # Of several tasks, those that report none of these metrics say nothing here.
    measured = [e for e in entries if any(e.cell(metric).summary for metric in subject.metrics)]
    values = [_values(subject, entry) for entry in measured or entries]
    source = f"data:image/png;base64,{method.picture}"
    return Card(method.label, source, method.caption or method.label, values)


def _values(subject: Subject, entry: Entry) -> tuple[str, list[Cell]]:
    """The task, where there are several, and the cells of a method on it."""
    cells = [entry.cell(metric) for metric in subject.metrics]
    return entry.task.name if subject.many_tasks else "", cells


def _notes(subject: Subject) -> list[str]:
    notes = ["Means over seeds with 95 % intervals."]
    sources = {
        published.source
        for entry in subject.entries
        for metric in subject.metrics
        if (published := entry.cell(metric).published)
    }
    return [*notes, f"Published: {'; '.join(sorted(sources))}."] if sources else notes

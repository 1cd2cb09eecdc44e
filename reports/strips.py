"""Pictures that trials left: what became of a few samples, with metrics below."""

from __future__ import annotations

from benchmarks.result import Result
from reports import wording
from reports.figure_data import Card, Drawn, Entry, Measured, Subject, gaps, record
from reports.side_by_side import is_png


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
    values = [Measured(m, entry.measured(m), entry.published(m)) for m in asked.metrics]
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

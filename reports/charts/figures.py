"""The figures that a suite asks for, beyond the leaderboard of each task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from bench.reports import wording
from bench.reports.boards.leaderboard import Board
from bench.reports.charts.distributions import boxes, cumulative
from bench.reports.charts.heat import heat
from bench.reports.charts.lines import lines, profiles
from bench.reports.charts.marks import Warnings
from bench.reports.charts.pairs import pairs
from bench.reports.charts.side_by_side import pictures, strips, table
from bench.reports.charts.slopes import group_lines, slope_boxes
from bench.reports.charts.subject import Entry, FigureContent, Subject, subject_of, to_csv
from bench.reports.charts.svg import draw
from bench.result import FigureInfo, Plan

KINDS: Mapping[str, Callable[[Subject], FigureContent]] = {
    "line": lines,
    "heat": heat,
    "pairs": pairs,
    "table": table,
    "pictures": pictures,
    "box": boxes,
    "cumulative": cumulative,
    "profile": profiles,
    "strips": strips,
    "groups": group_lines,
    "slopes": slope_boxes,
}


@dataclass(frozen=True)
class FigureView:
    """A figure on the page."""

    slug: str
    info: FigureInfo
    content: FigureContent
    svg: Markup | None
    csv: str
    warnings: Warnings
    caveats: Mapping[str, str]
    """Sentences on entries whose numbers are not comparable, each with the entries."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to see yet."""
        return not (self.svg or self.content.contrasts or self.content.cards)


def figure_views(
    plan: Plan, boards: Sequence[Board], warnings: Mapping[str, Warnings]
) -> list[FigureView]:
    """The figures of a plan, drawn as far as its results go.

    Args:
        plan: the sweep.
        boards: of all its tasks.
        warnings: by task, what readers must know before its numbers.
    """
    order = {(m.track, m.label): i for i, m in enumerate(plan.methods)}
    # Figures list methods as the suite does; a board's order changes with the results.
    planned = [
        Board(b.task, b.track, b.ranking, b.deciding, b.others,
              sorted(b.rows, key=lambda row: order[row.method.track, row.method.label]))
        for b in boards
    ]  # fmt: skip
    views = []
    for number, info in enumerate(plan.figures, start=1):
        content = KINDS[info.kind](subject_of(info, planned, warnings))
        slug, entries, chart = _slug(number, info), content.subject.entries, content.chart
        svg, records = draw(chart, slug) if chart else None, to_csv(content.records)
        known = content.subject.warnings
        views.append(FigureView(slug, info, content, svg, records, known, _caveats(entries)))
    return views


def _slug(number: int, info: FigureInfo) -> str:
    """A file name and anchor; the number keeps figures of one title apart."""
    title = wording.slugs([info.title])[info.title][:48].strip("-")
    return f"figure-{number}-{title}"


def _caveats(entries: Sequence[Entry]) -> dict[str, str]:
    by_caveat: dict[str, list[str]] = {}
    labels = dict.fromkeys(entry.method.label for entry in entries)
    for method in {entry.method.label: entry.method for entry in entries}.values():
        if method.caveat:
            by_caveat.setdefault(method.caveat, []).append(method.label)
    return {caveat: _who(names, len(labels)) for caveat, names in by_caveat.items()}


def _who(labels: Sequence[str], of: int) -> str:
    if len(labels) == of:
        return "every entry"
    return ", ".join(labels) if len(labels) <= 3 else f"{len(labels)} of {of} entries"

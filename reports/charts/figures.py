"""The figures that a suite asks for, beyond the leaderboard of each task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

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
from bench.reports.charts.subject import FigureContent, Subject, subject_of, to_csv
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
    """A file name and anchor; its number keeps figures of one title apart."""
    content: FigureContent
    svg: Markup | None

    @property
    def info(self) -> FigureInfo:
        """What the suite asks for."""
        return self.content.subject.info

    @property
    def csv(self) -> str:
        """Its data file."""
        return to_csv(self.content.records)

    @property
    def caveats(self) -> Mapping[str, str]:
        """Sentences on entries whose numbers are not comparable, each with the entries."""
        methods = {entry.method.label: entry.method for entry in self.content.subject.entries}
        by_caveat: dict[str, list[str]] = {}
        for label, method in methods.items():
            if method.caveat:
                by_caveat.setdefault(method.caveat, []).append(label)
        return {caveat: _who(labels, len(methods)) for caveat, labels in by_caveat.items()}


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
        replace(board, rows=sorted(board.rows, key=lambda r: order[r.method.track, r.method.label]))
        for board in boards
    ]
    views = []
    for number, info in enumerate(plan.figures, start=1):
        title = wording.slugs([info.title])[info.title][:48].strip("-")
        slug = f"figure-{number}-{title}"
        content = KINDS[info.kind](subject_of(info, planned, warnings))
        svg = draw(content.chart, slug) if content.chart else None
        views.append(FigureView(slug, content, svg))
    return views


def _who(labels: Sequence[str], of: int) -> str:
    if len(labels) == of:
        return "every entry"
    return ", ".join(labels) if len(labels) <= 3 else f"{len(labels)} of {of} entries"

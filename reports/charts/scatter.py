"""A task's first two ranking metrics against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.reports.boards.leaderboard import Board, Cell
from bench.reports.boards.over_tasks import OverTasks
from bench.reports.charts import marks
from bench.reports.charts.axes import axis_title
from bench.reports.charts.colours import Style, nth_style
from bench.reports.charts.subject import Conditions, Entry, axis_of, to_csv
from bench.result import PlannedMethod

NAMED = 3
"""Methods that keep their names in the drawing of a long board; all have them on hovering."""


@dataclass(frozen=True)
class Contender:
    """A method in the plane, in shown units."""

    method: PlannedMethod
    x: Cell
    y: Cell
    measured: marks.Point
    """Means over seeds."""
    style: Style

    @property
    def label(self) -> str:
        """The method's name, with a word where it takes no part in the ranking."""
        return self.method.label + (" (not ranked)" if self.method.caveat else "")

    @property
    def published(self) -> marks.Point | None:
        """The paper's point for this very method."""
        x, y = self.x.published, self.y.published
        return (x.value, y.value) if x and y else None

    @property
    def words(self) -> str:
        """Both metrics, and the published ones."""
        words = [f"{cell.metric.title} {cell.words}" for cell in (self.x, self.y)]
        if self.published:
            words.append("published {:g} and {:g}".format(*self.published))
        return f"{self.label}: {', '.join(words)}"


def scatter(board: Board, warnings: marks.Warnings = ()) -> marks.Chart | None:
    """The chart of a board, or None where fewer than two metrics rank or nothing was measured.

    Args:
        board: the task's methods, best first.
        warnings: words and sentence of what must travel with the figure (selection on test).
    """
    contenders = _contenders(board) if len(board.ranking) > 1 else []
    if not contenders:
        return None
    x, y = board.ranking[:2]
    published = [point for contender in contenders if (point := contender.published)]
    across = axis_of([c.x for c in contenders], [x for x, _ in published], axis_title(x))
    up = axis_of([c.y for c in contenders], [y for _, y in published], axis_title(y))
    named = NAMED if board.is_long else len(contenders)
    drawn = _front([c for c in contenders if c.method.label in board.pareto])
    # The best are drawn last, and so are on top.
    drawn += [_item(c, is_named=c in contenders[:named]) for c in reversed(contenders)]
    drawn += [marks.Callout(c.measured, c.label, c.style.colour) for c in contenders[:named]]
    words = "; ".join(contender.words for contender in contenders)
    sentences = [f"Means over seeds with 95 % intervals. {words}.", *(s for _, s in warnings)]
    return marks.Chart(
        title=f"{board.task.name}: {y.title} against {x.title}",
        description=" ".join(sentences),
        panels=[marks.Panel(across, up, drawn)],
        layout=marks.Layout((680.0, 388.0), top=24.0),
        warnings=warnings,
    )


def _contenders(board: Board) -> list[Contender]:
    # Colours follow the name, not the rank: a method keeps its own when others overtake it.
    order = {label: i for i, label in enumerate(sorted(row.method.label for row in board.rows))}
    contenders = []
    for row in board.rows:
        x, y = (Entry(board.task, row).cell(metric) for metric in board.ranking[:2])
        if x.shown is not None and y.shown is not None:
            style = nth_style(order[row.method.label])
            contenders.append(Contender(row.method, x, y, (x.shown, y.shown), style))
    return contenders


def _front(front: Sequence[Contender]) -> list[marks.Mark]:
    """Steps that bound what the Pareto front beats; nothing for a front of one."""
    if len(front) < 2:
        return []
    ordered = sorted(contender.measured for contender in front)
    corners = [ordered[0]]
    for (x0, y0), (x1, y1) in pairwise(ordered):
        corners += [(x1, y0) if front[0].x.metric.better == "lower" else (x0, y1), (x1, y1)]
    steps = marks.Stroke(corners, width=1.6, dash="1 4", rounded=True)
    words = f"Pareto front by means: {', '.join(contender.label for contender in front)}"
    return [marks.Item([steps], words, "currentColor", opacity=0.45)]


def _item(contender: Contender, *, is_named: bool) -> marks.Item:
    at, shape = contender.measured, contender.style.shape
    drawn: list[marks.Mark] = []
    if contender.published:
        tie = marks.Stroke([at, contender.published], width=1.0, dash="2 3")
        hollow = marks.Symbol(contender.published, shape, hollow=True)
        drawn += [marks.Item([tie], opacity=0.8), hollow]
    whiskers = [marks.Whisker(at, contender.x.interval, upright=False),
                marks.Whisker(at, contender.y.interval, upright=True)]  # fmt: skip
    drawn += [marks.Item(whiskers, opacity=None if is_named else 0.3), marks.Symbol(at, shape)]
    return marks.Item(drawn, contender.words, contender.style.colour)


def board_csv(board: Board) -> str:
    """A line a method and ranking metric, in shown units; a one-seed interval is empty."""
    records: list[Conditions] = []
    for row in board.rows:
        for metric in board.ranking:
            cell = row.cells[metric.name]
            low, high = cell.interval or (None, None)
            published = cell.published
            records.append({
                "task": board.task.name,
                "method": row.method.label,
                "ranked": row.method.caveat is None,
                "rank": row.place.rank if row.place else None,
                "metric": metric.name,
                "unit": metric.unit,
                "better": metric.better,
                "seeds": cell.summary.n if cell.summary else 0,
                "mean": cell.shown,
                "low": low,
                "high": high,
                "published": published.value if published else None,
                "published_for": published.of if published else None,
                "source": published.source if published else None,
            })  # fmt: skip
    return to_csv(records)


def ranks_csv(ranks: OverTasks) -> str:
    """A line a method, best mean rank first, with the critical difference and Friedman's p."""
    records: list[Conditions] = [
        {
            "metric": ranks.metric.name,
            "tasks": len(ranks.tasks),
            "method": standing.label,
            "mean_rank": standing.mean_rank,
            "tasks_won": standing.won,
            "p_against_best": standing.p_best,
            "critical_difference": ranks.critical_difference,
            "p_friedman": ranks.friedman.p,
        }
        for standing in ranks.standings
    ]
    return to_csv(records)

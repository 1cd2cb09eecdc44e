"""The numbers behind a suite page's own drawings, as lines of a CSV file."""

from __future__ import annotations

from reports.figure_data import Record, to_csv
from reports.leaderboard import Board
from reports.ranking import OverTasks


def board_csv(board: Board) -> str:
    """A line a method and ranking metric, in shown units; a one-seed interval is empty."""
    lines: list[Record] = []
    for row in board.rows:
        for metric in board.ranking:
            cell = row.cells[metric.name]
            low, high = cell.interval or (None, None)
            lines.append(
                {
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
                    "published": cell.published.value if cell.published else None,
                    "published_for": cell.published.of if cell.published else None,
                    "source": cell.published.source if cell.published else None,
                }
            )
    return to_csv(lines)


def ranks_csv(found: OverTasks) -> str:
    """A line a method, best mean rank first, with the critical difference and Friedman's p."""
    lines: list[Record] = [
        {
            "metric": found.metric.name,
            "tasks": len(found.tasks),
            "method": standing.label,
            "mean_rank": standing.mean_rank,
            "tasks_won": standing.won,
            "p_against_best": standing.p_best,
            "critical_difference": found.critical_difference,
            "p_friedman": found.friedman.p,
        }
        for standing in found.standings
    ]
    return to_csv(lines)

"""Leaderboards as LaTeX tables for papers: booktabs, mean ± interval, the best in bold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.result import Plan, Result, Status
from reports import wording
from reports.costs import COSTS
from reports.leaderboard import Board, Row, boards
from reports.statistics import Summary
from reports.suite_page import warnings_of

PREAMBLE = "% \\usepackage{booktabs}"
ARROWS = {"higher": " $\\uparrow$", "lower": " $\\downarrow$"}
SPECIAL = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "<": "\\textless{}",
    ">": "\\textgreater{}",
    "|": "\\textbar{}",
    '"': "''",
    wording.MINUS: "$-$",
    "±": "$\\pm$",
    "·": "$\\cdot$",
    "→": "$\\rightarrow$",
    "×": "$\\times$",
    "≤": "$\\leq$",
    "≥": "$\\geq$",
    "\u00a0": "~",
}


@dataclass(frozen=True)
class _Column:
    """A metric or a cost: its heading, and what stands in a method's line."""

    name: str
    title: str
    unit: str
    better: str

    @property
    def heading(self) -> str:
        unit = f" ({self.unit})" if self.unit else ""
        return f"{escaped(self.title + unit)}{ARROWS.get(self.better, '')}"

    def summary(self, row: Row) -> Summary | None:
        """Over seeds, in the stored unit."""
        if self.name in COSTS:
            found: Summary | None = getattr(row, self.name)
            return found
        return row.cells[self.name].summary if self.name in row.cells else None


def tables(
    content: Sequence[tuple[Plan, Mapping[str, Result]]], metrics: Sequence[str] | None = ()
) -> str:
    """A booktabs table for every task.

    Bold is whoever leads a metric by the rule of the pages: all that a paired test over seeds
    does not separate from the leader, and nobody where nobody is behind. Methods stand in the
    order of their overall rank.

    Args:
        content: Plans with the results of their trials.
        metrics: Columns by name, costs included; none for the metrics that decide the ranks,
            None for all. A task leaves out those that its track does not know.
    """
    made = [(plan, boards(plan, results)) for plan, results in content]
    return tables_of_boards(made, metrics)


def tables_of_boards(
    content: Sequence[tuple[Plan, Sequence[Board]]], metrics: Sequence[str] | None = ()
) -> str:
    """The same of boards that were made already."""
    names = [f"{plan.suite} {board.task.name}" for plan, mine in content for board in mine]
    slugs = wording.slugs(names)
    made = [
        _table(plan, board, metrics, slugs[f"{plan.suite} {board.task.name}"])
        for plan, mine in content
        for board in mine
    ]
    return "\n".join([PREAMBLE, *made])


def escaped(text: str) -> str:
    r"""Any text as LaTeX prints it: "a_b < 5 %" -> "a\_b \textless{} 5 \%"."""
    return "".join(SPECIAL.get(sign, sign) for sign in text)


def _table(plan: Plan, board: Board, metrics: Sequence[str] | None, slug: str) -> str:
    columns = _columns(board, metrics)
    lines = [
        "\\begin{table}",
        "  \\centering",
        f"  \\caption{{{_caption(plan, board, columns)}}}",
        f"  \\label{{tab:{slug}}}",
        f"  \\begin{{tabular}}{{l{'r' * len(columns)}}}",
        "    \\toprule",
        f"    {_line(['Method', *(column.heading for column in columns)])}",
        "    \\midrule",
        *(f"    {_line(_cells(board, row, columns))}" for row in board.rows),
        "    \\bottomrule",
        "  \\end{tabular}",
        "\\end{table}",
        "",
    ]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def _columns(board: Board, metrics: Sequence[str] | None) -> list[_Column]:
    own = {metric.name: metric for metric in (*board.ranking, *board.others)}
    usual = [metric.name for metric in board.ranking]
    names = list(own) if metrics is None else list(metrics) or usual
    return [
        _Column(name, own[name].title, own[name].unit, own[name].better)
        if name in own
        else _Column(name, COSTS[name].title, COSTS[name].unit, COSTS[name].better)
        for name in names
        if name in own or name in COSTS
    ]


def _cells(board: Board, row: Row, columns: Sequence[_Column]) -> list[str]:
    marks = ("*" if row.method.caveat else "") + ("\\dagger" if row.ok < row.planned else "")
    label = escaped(row.method.label) + (f"$^{{{marks}}}$" if marks else "")
    return [label, *(_cell(board, row, column) for column in columns)]


def _cell(board: Board, row: Row, column: _Column) -> str:
    summary = column.summary(row)
    if summary is None:
        return "--"
    half = wording.half_width(summary, column.unit)
    text = wording.mean(summary, column.unit) + (f" \\pm {half}" if half else "")
    text = text.replace(wording.MINUS, "-")
    cell = row.cells.get(column.name)
    return f"$\\mathbf{{{text}}}$" if cell and board.best(row, cell.metric) else f"${text}$"


def _caption(plan: Plan, board: Board, columns: Sequence[_Column]) -> str:
    """What is shown, what ± and bold mean, and every reservation that the page would print."""
    seeds = {trial.seed for trial in plan.trials if trial.task == board.task.name}
    some = any((s := c.summary(row)) and s.n > 1 for row in board.rows for c in columns)
    bold = any(board.best(row, row.cells[c.name].metric)
               for row in board.rows for c in columns if c.name in row.cells)  # fmt: skip
    short = [row for row in board.rows if row.ok < row.planned]
    parts = [
        f"{plan.title}: {board.task.name}, {wording.plural(len(seeds), 'seed')}.",
        "Mean ± half-width of the 95 % t interval." if some else "Means of one seed.",
        "Bold: not separated from the best (paired t-tests over seeds, Holm-corrected, 5 %)."
        if bold
        else "",
        *(sentence for _, sentence in warnings_of(board.task)),
    ]
    notes = [f"$^*$ {escaped(row.method.caveat)}" for row in board.rows if row.method.caveat]
    notes += [f"$^\\dagger$ {escaped(_endings(short))}"] if short else []
    return " ".join([*(escaped(part) for part in parts if part), *dict.fromkeys(notes)])


def _endings(rows: Sequence[Row]) -> str:
    """Which methods' means miss seeds: "mfd: 4 of 5 seeds ended well"."""
    told = (f"{r.method.label}: {r.statuses.get(Status.OK.value, 0)} of {r.planned}" for r in rows)
    return f"Seeds that ended well: {'; '.join(told)}."

"""Results out of the folder and into other people's tools: CSV, JSON, Parquet, LaTeX."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.errors import BenchError, UsageError, unknown
from bench.outside.words import for_xml
from bench.reports import wording
from bench.reports.boards.leaderboard import Board, Row, boards
from bench.reports.boards.tables import COLUMNS, COSTS, long_form, results_of, to_csv, to_json
from bench.reports.pages.suite import warnings_of
from bench.reports.statistics.seeds import Summary
from bench.result import MetricInfo, Plan, Result, Status, Store

EVERY = "all"
"""As the only metric: every one that the track knows, also in LaTeX."""

Content = Sequence[tuple[Plan, Mapping[str, Result]]]


@dataclass(frozen=True)
class ExportRequest:
    """What of the results to give out, by name; nothing named is everything.

    Methods are named by their label on the page (`bade[strength=auto]`) or by their file's name,
    which takes all its variants along.
    """

    suites: Sequence[str] = ()
    tasks: Sequence[str] = ()
    methods: Sequence[str] = ()
    metrics: Sequence[str] = ()


def export(root: Path, kind: str, request: ExportRequest) -> bytes:
    """The results under `root` as a file of the given kind; equal results give equal bytes.

    CSV, JSON and Parquet are in long form: a line a planned trial and metric, values in stored
    units (see `long_form`). LaTeX is a booktabs table a task, values as the pages show them and
    ranks among the methods asked for; where no metric is named it has those that decide the ranks.

    Raises:
        UsageError: An unknown kind, suite, task, method or metric, or names that never meet.
        BenchError: The folder holds no results.
    """
    if kind not in WRITERS:
        raise UsageError(f"--format: {unknown('format', kind, WRITERS)}")
    everything = list(_read(root, request.suites))
    _check(everything, request)
    content = [(_narrowed(plan, request), results) for plan, results in everything]
    content = [(plan, results) for plan, results in content if plan.trials]
    if not content:
        raise UsageError("--tasks and --methods: no trial has both.")
    return WRITERS[kind](content, None if EVERY in request.metrics else request.metrics)


def _read(root: Path, suites: Sequence[str]) -> Iterator[tuple[Plan, Mapping[str, Result]]]:
    store = Store(root)
    known = store.suites()
    if not known:
        raise BenchError(f"{root}: no results here. Name their folder with --out.")
    for name in dict.fromkeys(suites or known):
        plan = store.read_plan(name) if name in known else None
        if plan is None:
            raise UsageError(f"{root}: {unknown('suite', name, known)}")
        yield plan, results_of(store, name, plan)


def _check(content: Content, request: ExportRequest) -> None:
    """Raise UsageError for a name that no suite knows."""
    plans = [plan for plan, _ in content]
    known: dict[str, tuple[Sequence[str], set[str]]] = {
        "method": (
            request.methods,
            {x for p in plans for m in p.methods for x in (m.label, m.name)},
        ),
        "task": (request.tasks, {task.name for plan in plans for task in plan.tasks}),
        "metric": (request.metrics, {EVERY}.union(*(_metrics(*suite) for suite in content))),
    }
    for kind, (requested, names) in known.items():
        for name in requested:
            if name not in names:
                raise UsageError(f"--{kind}s: {unknown(kind, name, names)}")
    if EVERY in request.metrics and len(request.metrics) > 1:
        raise UsageError(f'--metrics: "{EVERY}" stands alone.')


def _metrics(plan: Plan, results: Mapping[str, Result]) -> set[str]:
    known = {metric.name for track in plan.tracks for metric in track.metrics}
    return known.union(COSTS, *(result.metrics for result in results.values()))


def _narrowed(plan: Plan, request: ExportRequest) -> Plan:
    """The plan cut down to the requested trials."""
    file_of = {method.label: method.name for method in plan.methods}
    names = set(request.methods)
    trials = [
        trial
        for trial in plan.trials
        if (not names or names & {trial.method, file_of.get(trial.method)})
        and (not request.tasks or trial.task in request.tasks)
    ]
    tasks, methods = {trial.task for trial in trials}, {trial.method for trial in trials}
    return plan.model_copy(
        update={
            "trials": trials,
            "tasks": [task for task in plan.tasks if task.name in tasks],
            "methods": [method for method in plan.methods if method.label in methods],
        }
    )


def _frame(content: Content, metrics: Sequence[str] | None) -> pd.DataFrame:
    frames = [long_form(plan, results) for plan, results in content]
    table = pd.concat(frames, ignore_index=True)
    return table[table["metric"].isin(metrics)] if metrics else table


def _parquet(content: Content, metrics: Sequence[str] | None) -> bytes:
    frame = _frame(content, metrics).reset_index(drop=True)
    texts = [name for name in COLUMNS if name not in ("seed", "value", "official_data")]
    file = io.BytesIO()
    # A column without a single value keeps its type, so that the files of two sweeps fit together.
    frame.astype(dict.fromkeys(texts, "string")).to_parquet(file, index=False, engine="pyarrow")
    return file.getvalue()


WRITERS: dict[str, Callable[[Content, Sequence[str] | None], bytes]] = {
    "csv": lambda content, metrics: for_xml(to_csv(_frame(content, metrics))).encode(),
    "json": lambda content, metrics: to_json(_frame(content, metrics)).encode(),
    "latex": lambda content, metrics: for_xml(
        tables([(plan, boards(plan, results)) for plan, results in content], metrics)
    ).encode(),
    "parquet": _parquet,
}
"""By format: what writes the results and the metrics asked for (None: all, empty: the usual)."""


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


def tables(
    content: Sequence[tuple[Plan, Sequence[Board]]], metrics: Sequence[str] | None = ()
) -> str:
    """A booktabs table for every task.

    Bold is whoever leads a metric by the rule of the pages: all that a paired test over seeds
    does not separate from the leader, and nobody where nobody is behind. Methods stand in the
    order of their overall rank.

    Args:
        content: Plans with their boards.
        metrics: Columns by name, costs included; none for the metrics that decide the ranks,
            None for all. A task leaves out those that its track does not know.
    """
    named = [(f"{plan.suite} {board.task.name}", plan, board)
             for plan, suite_boards in content for board in suite_boards]  # fmt: skip
    slugs = wording.slugs([name for name, _, _ in named])
    return "\n".join(
        [PREAMBLE, *(_table(plan, board, metrics, slugs[name]) for name, plan, board in named)]
    )


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
        f"    {_line(['Method', *map(_heading, columns)])}",
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


def _columns(board: Board, metrics: Sequence[str] | None) -> list[MetricInfo]:
    own = {metric.name: metric for metric in (*board.ranking, *board.others)}
    usual = [metric.name for metric in board.ranking]
    known = COSTS | own
    names = list(own) if metrics is None else list(metrics) or usual
    return [known[name] for name in names if name in known]


def _heading(column: MetricInfo) -> str:
    unit = f" ({column.unit})" if column.unit else ""
    return f"{escaped(column.title + unit)}{ARROWS.get(column.better, '')}"


def _summary(row: Row, column: MetricInfo) -> Summary | None:
    """A metric or a cost over seeds, in the stored unit."""
    if column.name in COSTS:
        return row.costs[column.name]
    return row.cells[column.name].summary if column.name in row.cells else None


def _cells(board: Board, row: Row, columns: Sequence[MetricInfo]) -> list[str]:
    marks = ("*" if row.method.caveat else "") + ("\\dagger" if row.ok < row.planned else "")
    label = escaped(row.method.label) + (f"$^{{{marks}}}$" if marks else "")
    return [label, *(_cell(board, row, column) for column in columns)]


def _cell(board: Board, row: Row, column: MetricInfo) -> str:
    summary = _summary(row, column)
    if summary is None:
        return "--"
    text = wording.interval(summary, column.unit).replace("±", "\\pm").replace(wording.MINUS, "-")
    cell = row.cells.get(column.name)
    return f"$\\mathbf{{{text}}}$" if cell and board.best(row, cell.metric) else f"${text}$"


def _caption(plan: Plan, board: Board, columns: Sequence[MetricInfo]) -> str:
    """The caption: what the table shows, what ± and bold mean, and the page's warnings."""
    seeds = {trial.seed for trial in plan.trials if trial.task == board.task.name}
    some = any((s := _summary(row, c)) and s.n > 1 for row in board.rows for c in columns)
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
    counts = (
        f"{r.method.label}: {r.statuses.get(Status.OK.value, 0)} of {r.planned}" for r in rows
    )
    return f"Seeds that ended well: {'; '.join(counts)}."

"""`bench export`, `compare`, `merge` and `publish`: commands on existing results."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from bench.cli.data import out
from bench.errors import UsageError, escaped
from bench.outside.terminal import one_line

if TYPE_CHECKING:
    from bench.reports.compare import Comparison

Out = Annotated[
    Path,
    typer.Option(
        "--out", envvar="BENCH_OUT", metavar="FOLDER", help="Results, cache and MLflow database."
    ),
]
Site = Annotated[
    Path, typer.Option("--site", envvar="BENCH_SITE", metavar="FOLDER", help="The pages.")
]
RESULTS, PAGES = Path("results"), Path("site")

Suites = Annotated[
    list[str] | None, typer.Argument(metavar="[SUITE]...", help="Suites; all by default.")
]
Names = Annotated[str, typer.Option(metavar="NAMES", help="Only these, separated by commas.")]
COLOURS = {"better": "green", "worse": "red", "only in the first": "red", "changed": "yellow"}


def export(
    suites: Suites = None,
    kind: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="csv, json, latex or parquet.")
    ] = "csv",
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="Write a file instead of standard output."),
    ] = None,
    tasks: Names = "",
    methods: Names = "",
    metrics: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Only these, separated by commas, or all. LaTeX by default has those that decide "
            "ranks.",
        ),
    ] = "",
    results: Out = RESULTS,
) -> None:
    """Export results for other tools: long tables, or LaTeX for a paper."""
    from bench.reports.export import ExportRequest, export  # noqa: PLC0415 - imports pandas

    request = ExportRequest(
        suites or (), split_names(tasks), split_names(methods), split_names(metrics)
    )
    content = export(results, kind, request)
    from bench.disk.files import write_named  # noqa: PLC0415 - imports numpy

    if to is not None:
        write_named(to, content)
        out.print(one_line(f"{to}: {len(content):,} bytes."), soft_wrap=True)
    elif kind == "parquet" and sys.stdout.isatty():
        raise UsageError("Parquet is not text for a terminal. Name a file with --to.")
    else:
        if sys.stdout.isatty():  # a terminal would obey what a reason or a label holds
            content = escaped(content.decode()).encode()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="Folder of results, or a commit.")],
    second: Annotated[str, typer.Argument(metavar="B", help="The folder or commit to compare.")],
    suite: Annotated[
        str, typer.Option("--suite", metavar="NAMES", help="Only these, separated by commas.")
    ] = "",
    metrics: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Metrics separated by commas, or all; by default those that decide ranks, and the "
            "time.",
        ),
    ] = "",
    every: Annotated[
        bool, typer.Option("--all", help="Also list changes that may be due to chance.")
    ] = False,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Also write a page.")
    ] = None,
    fail_on_worse: Annotated[
        bool, typer.Option("--fail-on-worse", help="Exit code 1 if a metric got worse.")
    ] = False,
    results: Out = RESULTS,
) -> None:
    """List what changed between two folders of results, or two commits' results in one folder.

    Values are compared in pairs by seed: the same method on the same task with the same data order
    and initial weights.
    """
    from bench.reports import compare as comparing  # noqa: PLC0415 - imports scipy

    suites = split_names(suite)
    comparison = comparing.compare(
        comparing.side(first, results, suites),
        comparing.side(second, results, suites),
        split_names(metrics),
    )
    show(comparison, every)
    if to is not None:
        from bench.disk.files import write_named  # noqa: PLC0415 - imports numpy

        write_named(to, comparing.page(comparison).encode())
        out.print(one_line(f"Open {to}"), soft_wrap=True)
    raise typer.Exit(1 if fail_on_worse and comparison.worse else 0)


def merge(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of results.")],
    into: Annotated[
        Path,
        typer.Option("--into", metavar="DIR", help="Target folder; may be one of the folders."),
    ],
    prefer: Annotated[
        str | None,
        typer.Option(
            metavar="WHICH", help="Result to keep in a conflict: newest, or of the first folder."
        ),
    ] = None,
    tolerance: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="NUMBER",
            help="Numbers that differ by no more, absolutely or relatively, count as rounded.",
        ),
    ] = 1e-6,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing.")] = False,
) -> None:
    """Put the results of several machines into one folder.

    Equal results are kept once, also where only rounding differs. Conflicts are listed, and then
    nothing is written, unless --prefer decides them.
    """
    from bench.runner import merge  # noqa: PLC0415

    try:
        merged = merge.merge(folders, into, prefer, tolerance=tolerance, dry_run=dry_run)
    except merge.MergeConflict as error:
        for conflict in error.conflicts:
            out.print(one_line(conflict), soft_wrap=True)
        raise
    for name, suite in merged.items():
        line = f"{name}: {len(suite.results)} results, {suite.added} of them new in {into}"
        line += f", {suite.equal} equal copies" if suite.equal else ""
        line += f", {suite.settled} conflicts decided for the {prefer}" if suite.settled else ""
        out.print(one_line(f"{line}."), soft_wrap=True)
        for (one, other), differences in suite.rounded.items():
            line = f"{len(differences)} results" if len(differences) > 1 else "1 result"
            verb = "differ" if len(differences) > 1 else "differs"
            line += f" {verb} by at most {max(differences):.1g} between {one} and {other}"
            out.print(one_line(f"{name}: {line}; the one finished first is kept."), soft_wrap=True)
    if dry_run:
        out.print("Nothing was written.")


def publish(
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="Target folder of the pages.")],
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Publish, instead of listing what would change.")
    ] = False,
    url: Annotated[
        str, typer.Option("--url", metavar="URL", help="Address of the pages, for the feed.")
    ] = "",
    results: Out = RESULTS,
) -> None:
    """Put the pages into a folder, and change nothing else in it.

    Without --yes, the command only lists what would change.
    """
    from bench.reports.publish import Folder, site_of  # noqa: PLC0415 - imports pandas

    folder = Folder(to)
    with site_of(results, url) as files:
        changes = folder.changes(files)
        for verb, names in (
            ("new", changes.new),
            ("replaced", changes.replaced),
            ("removed", changes.removed),
            ("kept, because changed by somebody else", changes.kept),
        ):
            for name in names:
                out.print(one_line(f"{verb:9} {name}"), soft_wrap=True)
        if yes:
            summary = folder.publish(files)
        elif count := len(changes.new) + len(changes.replaced) + len(changes.removed):
            summary = f"{count} of {len(files)} files would change. --yes publishes them."
        else:
            summary = "Nothing would change."
        out.print(one_line(summary), soft_wrap=True)


def show(comparison: Comparison, every: bool) -> None:
    """Print a comparison: a table of changes (of all values with `every`), and counts."""
    from bench.reports import wording  # noqa: PLC0415

    for letter, side in (("A", comparison.first), ("B", comparison.second)):
        commits = ", ".join(f"{sha[:12]} ({n})" for sha, n in side.commits)
        line = f"{letter}: {side.name}, results by commit: {commits}"
        out.print(one_line(line), soft_wrap=True)
    rows = [change for change in comparison.changes if every or change.verdict.matters]
    if rows:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for name in ("", "metric", "A", "B", "B - A", "p", ""):
            number = name in ("A", "B", "B - A", "p")
            table.add_column(name, justify="right" if number else "left", no_wrap=number)
        for c in rows:
            unit = f" ({c.metric.unit})" if c.metric.unit else ""
            cells = (" · ".join(c.cell[2:]), c.metric.title + unit, *c.sides, c.difference,
                     c.probability, str(c.verdict))  # fmt: skip
            table.add_row(*map(one_line, cells), style=COLOURS.get(c.verdict, ""))
        out.print(table)
    for trial in comparison.endings:
        name = f"{trial.cell[2]} · {trial.cell[3]} · seed {trial.seed}"
        ended = f"{name}: {trial.first} in A, {trial.second} in B. {trial.reason}"
        out.print(one_line(ended.strip(), "yellow"), soft_wrap=True)
    for cell, changes in comparison.settings.items():
        out.print(one_line(f"{cell}: {', '.join(changes)}", "dim"), soft_wrap=True)
    if comparison.arithmetic:
        out.print(one_line(comparison.arithmetic, "yellow"), soft_wrap=True)
    counts = ", ".join(f"{count} {verdict}" for verdict, count in comparison.counts.items())
    out.print(one_line(f"{wording.plural(len(comparison.changes), 'value')}: {counts or 'none'}."))


def split_names(text: str) -> list[str]:
    """Names separated by commas; a comma inside brackets belongs to its name."""
    names, depth, start = [], 0, 0
    for position, character in enumerate(text + ","):
        depth += (character == "[") - (character == "]")
        if character == "," and depth <= 0:
            names.append(text[start:position].strip())
            start = position + 1
    return [name for name in names if name]

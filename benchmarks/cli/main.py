"""The `bench` command."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer
from rich.padding import Padding
from rich.text import Text

from bench import __version__
from bench.cli.data import DATA, Data, data_app, out, print_rows
from bench.cli.results import (
    PAGES,
    RESULTS,
    Out,
    Site,
    compare,
    export,
    merge,
    publish,
    split_names,
)
from bench.ending import complain, conclude
from bench.errors import BenchError, UsageError, shortened
from bench.plugins import lookup, unreported
from bench.privacy import public_command
from bench.suites.bounds import LARGEST_SEED, objection_to_seeds
from bench.suites.source import descriptions, read_value

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(data_app, name="data", no_args_is_help=True)

MOST_PROCESSES = 1024
"""Trials at a time, and threads of one: more than any machine has cores for."""


Uri = Annotated[
    str | None,
    typer.Option(
        "--tracking-uri",
        envvar="MLFLOW_TRACKING_URI",
        metavar="URI",
        help="MLflow server or database; by default SQLite beside the results.",
    ),
]
Host = Annotated[str, typer.Option(metavar="ADDRESS", help="Address to listen on.")]
Device = Annotated[str, typer.Option(metavar="NAME", help="auto, cpu or cuda.")]
Threads = Annotated[
    int,
    typer.Option(
        min=1,
        max=MOST_PROCESSES,
        metavar="N",
        help="CPU threads of one trial. More than 1 may change last digits of image results.",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SETTING",
        help="method.field=value, or training.field=value; repeatable.",
    ),
]


@app.callback(invoke_without_command=True)
def bench(
    context: typer.Context,
    suite: Annotated[
        str | None,
        typer.Option("--suite", metavar="NAME", help="Name of a suite, or path of its file."),
    ] = None,
    methods: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Run only these, separated by commas: bade,standard or bade[strength=auto].",
        ),
    ] = "",
    tasks: Annotated[
        str,
        typer.Option(metavar="NAMES", help="Run only these, separated by commas: income|sex."),
    ] = "",
    seeds: Annotated[
        str, typer.Option(metavar="SEEDS", help="5 for seeds 0 to 4, or 0,3,7, or 2-6.")
    ] = "",
    settings: Settings = None,
    jobs: Annotated[
        int,
        typer.Option(
            min=0,
            max=MOST_PROCESSES,
            metavar="NUMBER",
            help="Concurrent trials; 0: one per core, or one on a GPU.",
        ),
    ] = 0,
    threads: Threads = 1,
    timeout: Annotated[
        float | None,
        typer.Option(min=0.1, metavar="SECONDS", help="Time limit of a trial."),
    ] = None,
    memory_limit: Annotated[
        float | None,
        typer.Option(min=64, metavar="MIB", help="Memory limit of a trial's process."),
    ] = None,
    device: Device = "auto",
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first trial that fails.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the trials that would run, and run nothing.")
    ] = False,
    track: Annotated[bool, typer.Option("--track/--no-track", help="Log to MLflow.")] = True,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Build the pages.")] = True,
    results: Out = RESULTS,
    site: Site = PAGES,
    data: Data = DATA,
    tracking_uri: Uri = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Compare published methods with their baselines over many seeds, and show the results.

    Finished trials are not run again, so the same command resumes a sweep.
    """
    if version:
        from bench.runner.provenance import git_state  # noqa: PLC0415 - imports torch

        sha, dirty = git_state()
        out.print(f"bench {__version__} ({sha[:12]}{', changed since' if dirty else ''})")
        return
    if context.invoked_subcommand:
        return
    if suite is None:
        out.print(context.get_help(), highlight=False, markup=False)
        out.print("\nSuites:", highlight=False)
        print_rows(list(descriptions().items()))
        out.print("\nStart with: bench --suite digits", highlight=False)
        return
    from bench.runner import sweep  # noqa: PLC0415 - torch takes seconds to import

    request = sweep.SweepRequest(
        suite=suite,
        methods=split_names(methods),
        tasks=split_names(tasks),
        seeds=parse_seeds(seeds),
        settings=parse_settings(settings or []),
        jobs=jobs,
        threads=threads,
        timeout=timeout,
        memory_limit=memory_limit,
        device=device,
        fail_fast=fail_fast,
        dry_run=dry_run,
        track=track,
        report=report,
        out=results,
        site=site,
        data=data,
        tracking_uri=tracking_uri,
        command=command_line(sys.argv[1:]),
    )
    raise typer.Exit(sweep.run(request, out))


@app.command("list")
def list_all() -> None:
    """List suites, tasks, methods and poisoning attacks."""
    from bench.attacks.poisoning.contract import attacks  # noqa: PLC0415 - imports torch
    from bench.data.dataset import data_sets  # noqa: PLC0415 - imports scikit-learn
    from bench.method import methods, summary_of  # noqa: PLC0415 - imports torch

    out.print("Suites", style="bold")
    print_rows(list(descriptions().items()))
    out.print("\nTasks", style="bold")
    known = data_sets().items()
    print_rows([(f"{name} {task}", d.title) for name, d in known for task in d.listed_tasks])
    for name, data in known:
        if data.further:
            out.print(Text(f"{name} also: {data.further}", "dim"))
    by_track: dict[str, list[tuple[str, str, str]]] = {}
    for name, method in methods().items():
        row = (name, summary_of(method), method.paper.cite)
        by_track.setdefault(method.track, []).append(row)
    for track, rows in by_track.items():
        out.print(f"\nMethods, {track.replace('_', ' ')}", style="bold")
        print_rows(rows)
    out.print("\nPoisoning attacks", style="bold")
    print_rows([(name, summary_of(attack)) for name, attack in attacks().items()])


@app.command()
def show(
    name: Annotated[
        str,
        typer.Argument(metavar="METHOD", help="A method or attack; `bench list` shows them."),
    ],
) -> None:
    """Show the description, fields and defaults of a method or attack, and a method's paper."""
    from bench.attacks.poisoning.contract import attacks  # noqa: PLC0415 - imports torch
    from bench.method import Method, about, field_docs, methods, summary_of  # noqa: PLC0415

    cls = lookup("method or attack", name, {**methods(), **attacks()})
    kind = cls.track if issubclass(cls, Method) else "poisoning attack"
    out.print(Text(name, "bold"), Text(f"({kind})"))
    out.print(Text(summary_of(cls)))
    for paragraph in about(cls):
        out.print(Text(f"\n{paragraph}"))
    if issubclass(cls, Method):
        paper = cls.paper
        out.print(Text(f"\nPaper: {paper.cite}, {paper.title}. {paper.url or ''}"))
    fields = field_docs(cls)
    out.print(Text("\nFields" if fields else "\nNo fields.", "bold"))
    for field, (values, default, text) in fields.items():
        out.print(Text(f"  {field} = {default!r}", "cyan"), Text(f" ({values})", "dim"))
        out.print(Padding(Text(text), (0, 0, 0, 6)))


@app.command()
def report(
    results: Out = RESULTS,
    site: Site = PAGES,
    interval: Annotated[
        Literal["t", "bootstrap"],
        typer.Option(metavar="NAME", help="95 % intervals of means over seeds: t or bootstrap."),
    ] = "t",
) -> None:
    """Build the pages from the results."""
    from bench.reports.site import build  # noqa: PLC0415 - imports pandas and statsmodels

    _need_results(results)
    pages = build(results, site, interval)
    out.print(f"{len(pages)} files in {site}. Open {site / 'index.html'}", highlight=False)


@app.command()
def log(results: Out = RESULTS, site: Site = PAGES, tracking_uri: Uri = None) -> None:
    """Bring MLflow up to date with the results."""
    from bench.result import Store  # noqa: PLC0415
    from bench.tracking.background import (  # noqa: PLC0415
        Background,
        attach_pages,
        log_suite,
    )

    _need_results(results)
    store = Store(results)
    with Background(tracking_uri, results) as background:
        for suite in store.suites():
            if plan := store.read_plan(suite):
                log_suite(background, store, plan, out)
                attach_pages(background, plan, site)
                out.print(f"{suite}: {background.logged} results are in MLflow.", highlight=False)
    if not store.suites():
        out.print(f"{results} holds no results yet.", highlight=False)


@app.command()
def ui(
    results: Out = RESULTS,
    tracking_uri: Uri = None,
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, metavar="NUMBER")] = 5000,
) -> None:
    """Start MLflow's pages on this machine."""
    from bench.tracking.tracker import default_uri, serve  # noqa: PLC0415

    if code := serve(tracking_uri or default_uri(results), results, host, port):
        raise BenchError(f"MLflow's server ended by itself, with code {code}; it says why above.")


@app.command()
def label(
    suite: Annotated[
        str, typer.Argument(metavar="SUITE", help="Name of a suite, or path of its file.")
    ],
    task: Annotated[
        str, typer.Option(metavar="NAME", help="A task's name, or a part that only it has.")
    ] = "",
    method: Annotated[
        str,
        typer.Option(metavar="NAME", help="Method that makes the clusters; it may have fields."),
    ] = "labor",
    seed: Annotated[
        int,
        typer.Option(min=0, max=LARGEST_SEED, metavar="NUMBER", help="Seed of the trial."),
    ] = 0,
    tags: Annotated[
        Path,
        typer.Option(metavar="FILE", help="File of answers; an existing one is continued."),
    ] = Path("tags.json"),
    settings: Settings = None,
    threads: Threads = 1,
    device: Device = "auto",
    results: Out = RESULTS,
    data: Data = DATA,
    host: Host = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="NUMBER", help="Port; 0 takes a free one.")
    ] = 5001,
) -> None:
    """Show a person samples of each cluster on a page, and record which class they see.

    The answers go to a file that a method with annotator=recorded reads.
    """
    from bench.labelling import command  # noqa: PLC0415 - imports torch

    request = command.LabelRequest(
        suite=suite,
        task=task,
        method=method,
        seed=seed,
        settings=settings or [],
        overrides=parse_settings(settings or []),
        tags=tags,
        data=data,
        out=results,
        device=device,
        threads=threads,
        host=host,
        port=port,
    )
    command.label(request, out)


def parse_seeds(text: str) -> list[int]:
    """The seeds of "5" (0 to 4), "0,3,7" or "2-6". Raises UsageError for any other form."""
    seeds: Sequence[int]
    try:
        if not text:
            return []
        if text.isdigit():
            seeds = range(int(text))
        elif "," in text:
            seeds = [int(part) for part in text.split(",") if part.strip()]
        else:
            first, last = text.split("-")
            seeds = range(int(first), int(last) + 1)
    except ValueError as error:
        raise UsageError(
            f'--seeds: "{shortened(text)}" is not of the form 5, 0,3,7 or 2-6.'
        ) from error
    if objection := objection_to_seeds(seeds):
        raise UsageError(f'--seeds: "{shortened(text)}": {objection}.')
    return list(seeds)


def parse_settings(texts: list[str]) -> dict[str, dict[str, Any]]:
    """method.field=value -> {method: {field: value}}. Raises UsageError for any other form."""
    settings: dict[str, dict[str, Any]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        owner, dot, field = name.partition(".")
        if not (equals and dot and owner.strip() and field.strip()):
            raise UsageError(f'--set: "{shortened(text)}" is not of the form method.field=value.')
        try:
            settings.setdefault(owner.strip(), {})[field.strip()] = read_value(value)
        except UsageError as error:
            raise UsageError(f"--set {name}: {error}") from error
    return settings


def command_line(arguments: list[str]) -> str:
    """The command that the page shows."""
    return public_command(["bench", *arguments])


def _need_characters() -> None:
    """Raise UsageError for arguments and settings that are no text: nothing could store them."""
    given = {"an argument": " ".join(sys.argv[1:])}
    given |= {
        name: value for name, value in os.environ.items() if name.startswith(("BENCH_", "MLFLOW_"))
    }
    for place, text in given.items():
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise UsageError(f"{place} is not UTF-8 text: {shortened(text)}.")


def _need_results(folder: Path) -> None:
    """Raise UsageError if the folder does not exist; pages of an empty one say that it is empty."""
    if not folder.is_dir():
        raise UsageError(
            f"{folder}: there is no such folder of results. Run `bench --suite NAME` first, or "
            "choose another folder with --out."
        )


for command in (export, compare, merge, publish):
    app.command()(command)


def main() -> NoReturn:
    """Run the command to its exit code; mistakes of the user are printed as one line."""
    conclude(run)


def run() -> object:
    """Run the command, and then name the plug-ins that it had to leave out."""
    _need_characters()
    try:
        return app(prog_name="bench", standalone_mode=False)  # else typer prints three lines
    finally:
        for problem in unreported():
            complain(str(problem), "yellow")

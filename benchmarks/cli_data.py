"""`bench data`: what data sets there are, and getting them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from benchmarks.errors import DataError

data_app = typer.Typer(help="Data sets: what there is, fetching, checking, preparing.")
out = Console()

Data = Annotated[
    Path,
    typer.Option(
        "--data", envvar="BENCH_DATA", metavar="FOLDER", help="Raw and prepared data sets."
    ),
]
DataName = Annotated[
    str, typer.Argument(metavar="NAME", help="A data set; `bench data list` shows them.")
]
GetName = Annotated[
    str,
    typer.Argument(metavar="NAME", help="A data set, or weights/NAME; `bench data list` shows."),
]
DATA = Path("data")


@data_app.command("list")
def data_list(data: Data = DATA) -> None:
    """Data sets, their licences, and what is here."""
    from benchmarks.data.dataset import Library, data_sets  # noqa: PLC0415

    library = Library(data)
    rows = []
    for name, found in data_sets().items():
        try:
            missing = len(library.raw(found).missing())
            raw = f"{len(found.files) - missing}/{len(found.files)}" if found.files else "embedded"
            copies = library.prepared(name)
            state = f"prepared {', '.join(copies)}".strip() if copies else "not prepared"
        except DataError as error:  # one damaged data set does not hide the others
            raw, state = "?", f"damaged: {error}"
        rows.append((name, found.title, f"raw files: {raw}", state, found.licence))
    from benchmarks.perception import weights  # noqa: PLC0415

    for name, state in weights.listing(data):
        what = f"a network's weights, {weights.FILES[name].name}"
        rows.append((f"weights/{name}", what, state, "", weights.licence(name)))
    print_rows(rows)


@data_app.command("get")
def data_get(
    name: GetName,
    data: Data = DATA,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="You agree to the licence.")
    ] = False,
) -> None:
    """Fetch a data set's raw files, or a network's weights, checked against their SHA-256."""
    from benchmarks.data.dataset import Library, data_set  # noqa: PLC0415
    from benchmarks.perception import weights  # noqa: PLC0415

    room, _, file = name.partition("/")
    of_weights = room == weights.ROOM
    if of_weights:
        fetched = weights.get(file, data, accept_licence)
    else:
        fetched = Library(data).get(name, accept_licence)
    for path in fetched:
        out.print(Text(f"fetched {path}"), soft_wrap=True)
    if not fetched:
        embedded = not of_weights and not data_set(name).files
        what = "is embedded" if embedded else "is already here"
        out.print(f"{name}: nothing to fetch, it {what}.", highlight=False)


@data_app.command("check")
def data_check(name: DataName, data: Data = DATA) -> None:
    """Compare a data set's raw files with the official ones."""
    from benchmarks.data.dataset import Library, data_set  # noqa: PLC0415

    raw = Library(data).raw(data_set(name))
    for record in raw.records():
        line = f"{raw.where(record.name)}  {record.sha256}  {record.verdict}"
        out.print(Text(line), soft_wrap=True)
    if not raw.files:
        out.print(f"{name} is embedded: nothing to check.", highlight=False)


@data_app.command("prepare")
def data_prepare(
    name: DataName,
    data: Data = DATA,
    options: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="SETTING", help="Of its tasks: size=224; repeatable."),
    ] = None,
) -> None:
    """Turn a data set's raw files into arrays. What was interrupted goes on."""
    from benchmarks.data.dataset import Library, data_set, parse_options  # noqa: PLC0415

    chosen = parse_options(data_set(name), options or [])
    meta = Library(data).prepare(name, chosen)
    sizes = ", ".join(f"{split} {size:,}" for split, size in meta.sizes.items())
    out.print(f"{name}: {sizes}; hash {meta.hash[:12]}", highlight=False)
    for note in meta.remarks:
        out.print(Padding(Text(note), (0, 0, 0, 2)))


def print_rows(rows: Sequence[tuple[str, ...]]) -> None:
    """A table without lines, its first column in colour."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="cyan")
    for row in rows:
        table.add_row(*map(Text, row))
    out.print(table)

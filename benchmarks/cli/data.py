"""`bench data`: what data sets there are, and getting them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bench.errors import DataError, UsageError, unknown

if TYPE_CHECKING:
    from bench.data.dataset import DataSet, Options

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
    from bench.data.dataset import Library, data_sets  # noqa: PLC0415

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
    from bench.models import pretrained  # noqa: PLC0415

    for name, state in pretrained.WeightsFolder(data).listing():
        what = f"a network's weights, {pretrained.FILES[name].name}"
        rows.append((f"weights/{name}", what, state, "", pretrained.licence(name)))
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
    from bench.data.dataset import Library, data_set  # noqa: PLC0415
    from bench.models import pretrained  # noqa: PLC0415

    room, _, file = name.partition("/")
    of_weights = room == pretrained.ROOM
    if of_weights:
        fetched = pretrained.WeightsFolder(data).get(file, accept_licence)
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
    from bench.data.dataset import Library, data_set  # noqa: PLC0415

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
    from bench.data.dataset import Library, data_set  # noqa: PLC0415

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


def parse_options(data: DataSet, texts: list[str]) -> Options:
    """key=value -> the options of a data set. Raises UsageError naming the one that is wrong."""
    from pydantic import ValidationError  # noqa: PLC0415

    from bench.suites.source import read_value  # noqa: PLC0415

    given: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f'--option: "{text}" is not of the form key=value.')
        if key not in data.options.model_fields:
            raise UsageError("--option: " + unknown("option", key, data.options.model_fields))
        given[key] = read_value(value)
    try:
        return data.options.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"--option {first['loc'][0]}: {first['msg'].lower()}.") from error

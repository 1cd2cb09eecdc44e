"""`bench data`: listing, fetching, checking and preparing data sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.padding import Padding
from rich.table import Table

from bench.errors import DataError, UsageError, unknown
from bench.heartbeat import acting_as
from bench.outside.terminal import Terminal, one_line

if TYPE_CHECKING:
    from bench.data.dataset import DataSet, Options

data_app = typer.Typer(help="List, fetch, check and prepare data sets.")
out = Terminal()

Data = Annotated[
    Path,
    typer.Option(
        "--data", envvar="BENCH_DATA", metavar="FOLDER", help="Folder of raw and prepared data."
    ),
]
DataName = Annotated[
    str, typer.Argument(metavar="NAME", help="A data set; `bench data list` shows them.")
]
GetName = Annotated[
    str,
    typer.Argument(metavar="NAME", help="A data set or weights/NAME, see `bench data list`."),
]
DATA = Path("data")


@data_app.command("list")
def data_list(data: Data = DATA) -> None:
    """List data sets and weights with their licences, and what is on this machine."""
    from bench.data.dataset import Library, data_sets  # noqa: PLC0415

    library = Library(data)
    rows = []
    for name, known in data_sets().items():
        try:
            missing = len(library.raw(known).missing())
            raw = f"{len(known.files) - missing}/{len(known.files)}" if known.files else "embedded"
            copies = library.prepared(name)
            state = f"prepared {', '.join(copies)}".strip() if copies else "not prepared"
        except DataError as error:  # a damaged data set must not hide the others
            raw, state = "?", f"damaged: {error}"
        rows.append((name, known.title, f"raw files: {raw}", state, known.licence))
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
        bool, typer.Option("--accept-licence", help="Agree to the licence.")
    ] = False,
) -> None:
    """Fetch a data set's raw files, or a network's weights, and check their SHA-256."""
    from bench.data.dataset import Library, data_set  # noqa: PLC0415
    from bench.models import pretrained  # noqa: PLC0415

    folder, _, file = name.partition("/")
    of_weights = folder == pretrained.ROOM
    if of_weights:
        fetched = pretrained.WeightsFolder(data).get(file, accept_licence)
    else:
        fetched = Library(data).get(name, accept_licence)
    for path in fetched:
        out.print(one_line(f"fetched {path}"), soft_wrap=True)
    if not fetched:
        embedded = not of_weights and not data_set(name).files
        what = "is embedded" if embedded else "is already here"
        out.print(f"{name}: nothing to fetch, it {what}.", highlight=False)


@data_app.command("check")
def data_check(name: DataName, data: Data = DATA) -> None:
    """Compare a data set's raw files with the official ones, and its arrays with their digests."""
    from bench.data.dataset import Library, data_set  # noqa: PLC0415

    library = Library(data)
    raw = library.raw(data_set(name))
    if not (raw.files or library.copies(name)):
        out.print(f"{name} is embedded: nothing to check.", highlight=False)
    wrong = []
    for folder, complaints in library.check(name):
        for complaint in complaints:
            out.print(one_line(f"{complaint}."), soft_wrap=True)
        if complaints:
            wrong.append(f"{folder} is not as it was prepared. {library.remedy_of(name, folder)}")
        else:
            out.print(one_line(f"{folder}  as it was prepared"), soft_wrap=True)
    for record in raw.records():
        line = f"{raw.where(record.name)}  {record.sha256}  {record.verdict}"
        out.print(one_line(line), soft_wrap=True)
    if wrong:
        raise DataError(" ".join(wrong))


@data_app.command("prepare")
def data_prepare(
    name: DataName,
    data: Data = DATA,
    options: Annotated[
        list[str] | None,
        typer.Option(
            "--option", metavar="SETTING", help="Option of its tasks: size=224; repeatable."
        ),
    ] = None,
) -> None:
    """Turn a data set's raw files into arrays. An interrupted run is continued."""
    from bench.data.dataset import Library, data_set  # noqa: PLC0415

    chosen = parse_options(data_set(name), options or [])
    with acting_as(f"bench data prepare {name}"):
        meta = Library(data).prepare(name, chosen)
    sizes = ", ".join(f"{split} {size:,}" for split, size in meta.sizes.items())
    out.print(f"{name}: {sizes}; hash {meta.hash[:12]}", highlight=False)
    for note in meta.remarks:
        out.print(Padding(one_line(note), (0, 0, 0, 2)))


def print_rows(rows: Sequence[tuple[str, ...]]) -> None:
    """Print a table without lines, with its first column in colour."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="cyan")
    for row in rows:
        table.add_row(*map(one_line, row))
    out.print(table)


def parse_options(data: DataSet, texts: list[str]) -> Options:
    """The options of a data set from key=value texts. Raises UsageError naming a wrong one."""
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

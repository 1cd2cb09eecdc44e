"""Tables: reading CSV cells with errors that name line and column, and encoding them as numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.data.prepared import Array
from bench.data.raw import RawFolder
from bench.errors import DataError


@dataclass(frozen=True)
class Table:
    """The text cells of a CSV file; `lines` holds the line number of each row in the file."""

    file: str
    frame: pd.DataFrame
    lines: list[int]

    def at(self, row: int, column: str) -> str:
        """Where a cell stands, for an error message: file, line and column."""
        return f"{self.file}, line {self.lines[row]}, column {column}"

    def numbers(self, column: str) -> Array:
        """A column as [n] float64. Raises DataError for the first cell that is not a number."""
        values = pd.to_numeric(self.frame[column], errors="coerce").to_numpy(float)
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            cell = self.frame[column].iloc[bad[0]]
            raise DataError(f"{self.at(int(bad[0]), column)}: {cell!r} is not a number.")
        return values

    def classes(self, column: str, known: dict[str, int]) -> Array:
        """A column as [n] int64, by the class of each text. Raises DataError for any other text."""
        values = self.frame[column].map(known)
        bad = np.flatnonzero(values.isna().to_numpy())
        if len(bad):
            cell = self.frame[column].iloc[bad[0]]
            expected = " or ".join(map(repr, known))
            raise DataError(f"{self.at(int(bad[0]), column)}: {cell!r} is not {expected}.")
        return values.to_numpy(np.int64)


def read_table(
    raw: RawFolder,
    file: str,
    columns: list[str] | None = None,
    comment: str | None = None,
    *,
    optional: bool = False,
) -> Table:
    """Read a CSV file as text; blank lines are skipped.

    Args:
        raw: the raw files of the data set.
        file: name of the file.
        columns: names for a file without a header line.
        comment: prefix of lines to skip.
        optional: whether a file may be without the last of these columns.

    Raises:
        DataError: the file has no rows, a column without a name or of another's name, or a row with
            too few or too many cells.
    """
    path = raw.where(file)
    where = (
        f"{file} ({path.name})" if path and path.suffix != ".zip" and path.name != file else file
    )
    rows = _rows(raw.read(file), file, comment)
    if columns is None:
        columns = next(rows, (0, []))[1]
        _check_header(file, columns)
    cells: list[list[str]] = []
    lines: list[int] = []
    for line, row in rows:
        if not cells and optional and len(row) == len(columns) - 1:
            columns = columns[:-1]
        if len(row) != len(columns):
            hint = ""
            if not cells:
                hint = " Is this another edition of the file?"
            elif len(row) < len(columns):
                hint = " The file was probably cut short: fetch it again."
            raise DataError(
                f"{where}, line {line}: has {len(row)} cells, {len(columns)} are expected.{hint}"
            )
        cells.append(row)
        lines.append(line)
    if not cells:
        raise DataError(f"{file}: has no rows. Fetch it again.")
    return Table(file, pd.DataFrame(cells, columns=columns, dtype=str), lines)


def _check_header(file: str, columns: list[str]) -> None:
    """Raise DataError for columns without a name, or of one name."""
    for number, column in enumerate(columns, 1):
        if not column.strip() or column.startswith("Unnamed:"):
            raise DataError(
                f"{file}: its column {number} has no name. It is probably the index of a pandas "
                "table, which is no input: save the table with index=False."
            )
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise DataError(f"{file}: has column {twice[0]} twice. Is this the official file?")


def _rows(content: bytes, file: str, comment: str | None) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of every row."""
    try:
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig")), skipinitialspace=True)
        for row in reader:
            blank = not "".join(row).strip() and len(row) < 2
            if not (blank or (comment and row[0].startswith(comment))):
                yield reader.line_num, row
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{file}, line {line}: is not text in UTF-8. Fetch it again.") from error
    except csv.Error as error:
        raise DataError(f"{file}, line {reader.line_num}: not a table ({error}).") from error


def require_columns(table: Table, columns: list[str]) -> None:
    """Raise DataError for the first of these columns that the table lacks."""
    for column in columns:
        if column not in table.frame.columns:
            raise DataError(f"{table.file}: has no column {column}. Is this the official file?")


def standardise(train: Array, *others: Array) -> tuple[list[Array], float, float]:
    """Scale columns by the mean and deviation of `train`; the deviation of a constant is 1."""
    mean, std = float(train.mean()), float(train.std()) or 1.0
    return [(column - mean) / std for column in (train, *others)], mean, std


def encode(
    tables: Mapping[str, Table],
    fitted: str,
    rows: Array,
    columns: Sequence[str],
    categorical: Sequence[str],
    missing: str | None = None,
) -> tuple[dict[str, Array], dict[str, dict[str, float]], list[str]]:
    """Standardise numbers and encode categories one-hot, both fitted on training rows alone.

    Args:
        tables: the tables to encode, by any name.
        fitted: name of the table that holds the training rows.
        rows: the training rows of that table.
        columns: columns to encode, in this order.
        categorical: which of them are categories.
        missing: text of a missing category, which is encoded as all zeros.

    Returns:
        The inputs of each table, [n, inputs] float32; mean and standard deviation of each numeric
        column; and the names of the inputs.
    """
    blocks: dict[str, list[Array]] = {name: [] for name in tables}
    normalisation: dict[str, dict[str, float]] = {}
    inputs: list[str] = []
    for column in columns:
        if column in categorical:
            categories = sorted(set(tables[fitted].frame[column].iloc[rows]) - {missing})
            inputs += [f"{column}={category}" for category in categories]
            for name, table in tables.items():
                blocks[name].append(one_hot(table.frame[column], categories))
        else:
            values = {name: table.numbers(column) for name, table in tables.items()}
            _, mean, std = standardise(values[fitted][rows])
            normalisation[column] = {"mean": mean, "std": std}
            inputs.append(column)
            for name, numbers in values.items():
                blocks[name].append(((numbers - mean) / std)[:, None])
    encoded = {name: np.hstack(parts).astype(np.float32) for name, parts in blocks.items()}
    return encoded, normalisation, inputs


def one_hot(values: pd.Series[Any], categories: list[str]) -> Array:
    """[n, categories] float64; a value that is none of the categories is encoded as all zeros."""
    cells = values.to_numpy(dtype=object)[:, None]
    return (cells == np.asarray(categories, dtype=object)[None, :]).astype(float)

"""Tables: reading cells with errors that name their row, and encoding them as numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.data.prepared import Array
from bench.data.raw import RawFolder
from bench.errors import DataError


@dataclass(frozen=True)
class Table:
    """A CSV file as text cells; `lines` holds the file's line of each row."""

    file: str
    frame: pd.DataFrame
    lines: list[int]

    def at(self, row: int, column: str) -> str:
        """A place for an error message."""
        return f"{self.file}, line {self.lines[row]}, column {column}"

    def numbers(self, column: str) -> Array:
        """A column as float64. Raises DataError at the first cell that is no number."""
        values = pd.to_numeric(self.frame[column], errors="coerce").to_numpy(float)
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            cell = self.frame[column].iloc[bad[0]]
            raise DataError(f"{self.at(int(bad[0]), column)}: {cell!r} is not a number.")
        return values

    def classes(self, column: str, known: dict[str, int]) -> Array:
        """A column as int64 by the table `known`. Raises DataError at the first other cell."""
        values = self.frame[column].map(known)
        bad = np.flatnonzero(values.isna().to_numpy())
        if len(bad):
            cell = self.frame[column].iloc[bad[0]]
            expected = " or ".join(map(repr, known))
            raise DataError(f"{self.at(int(bad[0]), column)}: {cell!r} is not {expected}.")
        return values.to_numpy(np.int64)


def read_table(
    raw: RawFolder, file: str, columns: list[str] | None = None, comment: str | None = None
) -> Table:
    """Read a CSV file as text. Blank lines are no rows.

    Args:
        raw: where the file is looked for.
        file: its name.
        columns: names for a file without a header line.
        comment: how lines begin that are no rows either.

    Raises:
        DataError: no rows, a column twice, or a row with too few or too many cells.
    """
    rows = _rows(raw.read(file), file, comment)
    if columns is None:
        columns = next(rows, (0, []))[1]
        twice = sorted({column for column in columns if columns.count(column) > 1})
        if twice:
            raise DataError(f"{file}: has column {twice[0]} twice. Is this the official file?")
    cells, lines = [], []
    for line, row in rows:
        if len(row) != len(columns):
            fewer = len(row) < len(columns)
            raise DataError(
                f"{file}, line {line}: has {len(row)} cells, {len(columns)} are expected."
                + (" The file was probably cut short: fetch it again." if fewer else "")
            )
        cells.append(row)
        lines.append(line)
    if not cells:
        raise DataError(f"{file}: has no rows. Fetch it again.")
    return Table(file, pd.DataFrame(cells, columns=columns, dtype=str), lines)


def _rows(content: bytes, file: str, comment: str | None) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of every row."""
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
    """Raise DataError for the first column that the table lacks."""
    for column in columns:
        if column not in table.frame.columns:
            raise DataError(f"{table.file}: has no column {column}. Is this the official file?")


def standardise(train: Array, *others: Array) -> tuple[list[Array], float, float]:
    """Scale columns by the mean and standard deviation of `train` alone (constant: by 1)."""
    mean, std = float(train.mean()), float(train.std()) or 1.0
    return [(column - mean) / std for column in (train, *others)], mean, std


def one_hot(values: pd.Series[Any], categories: list[str]) -> Array:
    """[n, categories] float64; a value outside `categories` (a missing one) is all zeros."""
    cells = values.to_numpy(dtype=object)[:, None]
    return (cells == np.asarray(categories, dtype=object)[None, :]).astype(float)

"""Tables: reading cells with errors that name their row, and encoding them as numbers."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.data.prepared import Array
from benchmarks.data.raw import RawFolder
from benchmarks.errors import DataError


@dataclass(frozen=True)
class Table:
    """A CSV file as text cells; `first_line` is the file's line of row 0."""

    file: str
    frame: pd.DataFrame
    first_line: int

    def at(self, row: int, column: str) -> str:
        """A place for an error message."""
        return f"{self.file}, line {row + self.first_line}, column {column}"

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
    raw: RawFolder, file: str, columns: list[str] | None = None, skip_lines: int = 0
) -> Table:
    """Read a CSV file as text.

    Args:
        raw: where the file is looked for.
        file: its name.
        columns: names for a file without a header line.
        skip_lines: leading lines that are no rows.

    Raises:
        DataError: no rows, or a row with too few or too many cells.
    """
    text = raw.read(file)
    try:
        frame = pd.read_csv(
            io.BytesIO(text),
            header=0 if columns is None else None,
            names=columns,
            skiprows=skip_lines,
            dtype=str,
            keep_default_na=False,
            na_values=[],
            skipinitialspace=True,
            index_col=False,
            on_bad_lines="error",
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DataError(
            f"{file}: not a readable table ({' '.join(str(error).split())})."
        ) from error
    table = Table(file, frame, skip_lines + (2 if columns is None else 1))
    if frame.empty:
        raise DataError(f"{file}: has no rows. Fetch it again.")
    short = np.flatnonzero(frame.iloc[:, -1].isna().to_numpy())
    if len(short):
        raise DataError(
            f"{file}, line {int(short[0]) + table.first_line}: has fewer than "
            f"{frame.shape[1]} cells. The file was probably cut short: fetch it again."
        )
    return table


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

"""Reading tables: every bad cell is named with its file, line and column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.data.raw import RawFile, RawFolder
from bench.data.tabular import Table, one_hot, read_table, require_columns, standardise
from bench.errors import DataError


def read(folder: Path, content: str | bytes, **settings: object) -> Table:
    raw = RawFolder("toy", (RawFile("t.csv", "", ""),), folder)
    raw.downloads.mkdir(exist_ok=True)
    (raw.downloads / "t.csv").write_bytes(
        content if isinstance(content, bytes) else content.encode()
    )
    return read_table(raw, "t.csv", **settings)  # type: ignore[arg-type]


def test_cells_are_text_until_asked_for_numbers(tmp_path: Path) -> None:
    table = read(tmp_path, "age,name\n 007, NA\n8.5,\n")
    assert table.frame["age"].tolist() == ["007", "8.5"]
    assert table.frame["name"].tolist() == ["NA", ""]
    assert table.numbers("age").tolist() == [7.0, 8.5]


def test_a_file_without_header_is_given_names_and_comments_are_no_rows(tmp_path: Path) -> None:
    table = read(tmp_path, "|about\n1,2\n3,4\n", columns=["a", "b"], comment="|")
    assert table.numbers("b").tolist() == [2.0, 4.0]
    assert table.at(1, "b") == "t.csv, line 3, column b"


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    table = read(tmp_path, b"\xef\xbb\xbfa,b\r\n1,2\r\n")
    assert list(table.frame.columns) == ["a", "b"]
    assert table.numbers("b").tolist() == [2.0]


@pytest.mark.parametrize("word", ["forty", "", "nan", "inf", "1,5"])
def test_a_row_with_a_word_for_a_number_names_its_line_and_column(
    tmp_path: Path, word: str
) -> None:
    table = read(tmp_path, f'age,x\n30,1\n"{word}",2\n')
    with pytest.raises(DataError, match=rf"^t.csv, line 3, column age: '{word}' is not a number"):
        table.numbers("age")


def test_blank_lines_do_not_shift_the_line_that_is_named(tmp_path: Path) -> None:
    table = read(tmp_path, "age,x\n\n30,1\n\n  \nforty,2\n\n")
    assert len(table.frame) == 2
    with pytest.raises(DataError, match=r"line 6, column age: 'forty'"):
        table.numbers("age")


def test_an_unknown_class_names_its_place_and_what_is_expected(tmp_path: Path) -> None:
    table = read(tmp_path, "sex\nMale\nFemale\nmale\n")
    with pytest.raises(DataError, match=r"line 4, column sex: 'male' is not 'Male' or 'Female'"):
        table.classes("sex", {"Male": 1, "Female": 0})


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("3", "line 3: has 1 cells, 2 are expected. The file was probably cut short"),
        ("3,4,5", "line 3: has 3 cells, 2 are expected."),
    ],
)
def test_a_row_with_too_few_or_too_many_cells_is_named(
    tmp_path: Path, row: str, message: str
) -> None:
    for settings in ({}, {"columns": ["a", "b"]}):
        with pytest.raises(DataError, match=rf"^t.csv, {message}"):
            read(tmp_path, f"a,b\n1,2\n{row}\n1,2\n", **settings)


def test_a_first_row_with_too_many_cells_does_not_pass_silently(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 1: has 3 cells, 2 are expected"):
        read(tmp_path, "1,2,3\n4,5,6\n", columns=["a", "b"])


@pytest.mark.parametrize("content", ["a,b\n", "a,b\n\n\n"])
def test_a_file_without_rows_is_named(tmp_path: Path, content: str) -> None:
    with pytest.raises(DataError, match=r"^t.csv: has no rows"):
        read(tmp_path, content)


def test_a_column_that_stands_twice_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^t.csv: has column a twice"):
        read(tmp_path, "a,b,a\n1,2,3\n")


def test_bytes_that_are_no_text_name_their_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^t.csv, line 2: is not text in UTF-8"):
        read(tmp_path, b"a,b\n\xff\xfe,2\n")


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b\n1,2\n")
    require_columns(table, ["a", "b"])
    with pytest.raises(DataError, match=r"^t.csv: has no column RACE. Is this the official file"):
        require_columns(table, ["a", "RACE"])


def test_standardising_uses_the_training_rows_alone() -> None:
    [train, test], mean, std = standardise(np.array([1.0, 3.0]), np.array([4.0, 2.0]))
    assert (mean, std) == (2.0, 1.0)
    assert train.tolist() == [-1.0, 1.0]
    assert test.tolist() == [2.0, 0.0]


def test_a_constant_column_becomes_zero_and_not_nan() -> None:
    [train, test], mean, std = standardise(np.array([5.0, 5.0]), np.array([6.0]))
    assert (mean, std) == (5.0, 1.0)
    assert train.tolist() == [0.0, 0.0]
    assert test.tolist() == [1.0]


def test_one_hot_gives_all_zeros_for_what_is_no_category() -> None:
    encoded = one_hot(pd.Series(["b", "?", "a"]), ["a", "b"])
    assert encoded.tolist() == [[0, 1], [0, 0], [1, 0]]

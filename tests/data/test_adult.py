"""Adult: encoded as its docstring says, and every damaged file named."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from bench.data.dataset import Library, Options
from bench.errors import DataError
from tests.data.raw_examples import (
    adult_row,
    adult_test,
    adult_train,
    assert_nothing_is_left,
    write_adult,
)


def test_a_fifth_of_train_is_held_out_with_every_cell_in_its_share(library: Library) -> None:
    write_adult(library)
    meta = library.prepare("adult")
    assert meta.sizes == {"train": 32, "validation": 8, "test": 8}
    splits = library.splits("adult", "income|sex", Options())
    for split, each in (("train", 8), ("validation", 2), ("test", 2)):
        cells = list(zip(splits[split].y.tolist(), splits[split].b.tolist(), strict=True))
        assert {cell: cells.count(cell) for cell in cells} == {
            (income, sex): each for income in (0, 1) for sex in (0, 1)
        }


def test_normalisation_is_fitted_on_the_training_rows_alone(library: Library) -> None:
    write_adult(library)  # ages 20, 30, ... 90 in equal parts; in test everybody is 1000
    meta = library.prepare("adult")
    assert meta.normalisation["age"] == {"mean": 55.0, "std": pytest.approx(np.sqrt(525))}
    assert meta.normalisation["capital-loss"] == {"mean": 0.0, "std": 1.0}
    splits = library.splits("adult", "income|sex", Options())
    assert sorted(set(splits["train"].x[:, 0].tolist()))[0] == pytest.approx(-35 / np.sqrt(525))
    assert set(splits["test"].x[:, 0].tolist()) == {np.float32((1000 - 55) / np.sqrt(525))}


def test_a_missing_category_is_all_zeros_and_its_row_stays(library: Library) -> None:
    train = [*adult_train()[:-1], adult_row(7, 90, workclass="State-gov")]
    test = [adult_row(0, 30, workclass="?", stop="."), *adult_test()[1:]]
    write_adult(library, train, test)
    meta = library.prepare("adult")
    assert "1 rows have a missing category; it is encoded as all zeros." in meta.notes
    assert meta.columns is not None
    work = [i for i, name in enumerate(meta.columns) if name.startswith("workclass=")]
    x = library.splits("adult", "income|sex", Options())["test"].x
    assert x[0, work].tolist() == [0] * len(work)
    assert x[1:, work].sum(axis=1).tolist() == [1] * 7
    assert "workclass=?" not in meta.columns


def test_the_labels_with_and_without_a_full_stop_mean_the_same(library: Library) -> None:
    write_adult(library)
    library.prepare("adult")
    splits = library.splits("adult", "income|race", Options())
    assert splits["test"].y.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert splits["test"].b.tolist() == [0, 1, 0, 1, 0, 1, 0, 1]


def test_the_same_files_give_the_same_hash_and_one_cell_another(library: Library) -> None:
    write_adult(library)
    first = library.prepare("adult").hash
    assert library.prepare("adult").hash == first
    write_adult(library, [adult_row(0, 21), *adult_train()[1:]])
    assert library.prepare("adult").hash != first


def test_files_that_are_not_the_official_ones_are_said_to_be_so(library: Library) -> None:
    write_adult(library)
    meta = library.prepare("adult")
    assert not meta.official
    assert [record.name for record in meta.raw] == ["adult.data", "adult.test"]


GOOD = adult_row(0, 30)
BROKEN = {
    "a word for a number": (
        [*adult_train(), GOOD.replace("77516", "many")],
        adult_test(),
        "adult.data, line 41, column fnlwgt: 'many' is not a number",
    ),
    "a word for a number, in test": (
        adult_train(),
        [*adult_test(), GOOD.replace("77516", "many")],
        "adult.test, line 10, column fnlwgt: 'many' is not a number",
    ),
    "an unknown income": (
        [*adult_train(), GOOD.replace("<=50K", "50K")],
        adult_test(),
        "adult.data, line 41, column income: '50K' is not '<=50K' or '>50K'",
    ),
    "an unknown sex": (
        [GOOD.replace("Female", "?"), *adult_train()],
        adult_test(),
        "adult.data, line 1, column sex: '?' is not 'Female' or 'Male'",
    ),
    "too few cells in a row": (
        [*adult_train(), GOOD[:40]],
        adult_test(),
        "adult.data, line 41: has 6 cells, 15 are expected. The file was probably cut short",
    ),
    "a missing column": (
        [row.replace(" 77516,", "") for row in adult_train()],
        adult_test(),
        "adult.data, line 1: has 14 cells, 15 are expected",
    ),
    "no rows in test": (adult_train(), [], "adult.test: has no rows"),
    "no women in test": (
        adult_train(),
        [adult_row(cell, 30, stop=".") for cell in (2, 3, 6, 7)],
        "adult: the test split has no row with sex = female. The raw files are probably incompl",
    ),
    "a single rich black woman": (
        [row for i, row in enumerate(adult_train()) if i not in range(21, 25)],
        adult_test(),
        "adult.data: too few rows of every income, sex and race",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_is_named_and_nothing_is_left(library: Library, what: str) -> None:
    train, test, message = BROKEN[what]
    write_adult(library, train, test)
    with pytest.raises(DataError) as error:
        library.prepare("adult")
    assert message in str(error.value)
    assert_nothing_is_left(library)


def test_an_empty_file_is_named_and_nothing_is_left(library: Library) -> None:
    (write_adult(library) / "adult.test").write_bytes(b"")
    with pytest.raises(DataError, match=r"adult.test is empty. Fetch it again."):
        library.prepare("adult")
    assert_nothing_is_left(library)


def test_a_truncated_archive_is_named_and_nothing_is_left(library: Library) -> None:
    folder = write_adult(library)
    with zipfile.ZipFile(folder / "adult.zip", "w") as archive:
        for name in ("adult.data", "adult.test"):
            archive.write(folder / name, name)
            (folder / name).unlink()
    assert library.prepare("adult").sizes["test"] == 8
    whole = (folder / "adult.zip").read_bytes()
    (folder / "adult.zip").write_bytes(whole[: len(whole) // 2])
    before = library.meta("adult")
    with pytest.raises(DataError, match=r"adult.zip: not a complete zip archive"):
        library.prepare("adult")
    assert library.meta("adult") == before


def test_the_official_adult_has_105_inputs_and_its_known_sizes(real_library: Library) -> None:
    meta = real_library.meta("adult")
    assert meta is not None
    assert meta.official
    assert meta.shape == [105]
    assert meta.sizes == {"train": 26048, "validation": 6513, "test": 16281}
    assert meta.notes[0].startswith("3,620 rows have a missing category")
    splits = real_library.splits("adult", "income|sex", Options())
    assert splits["test"].y.sum() == 3846
    assert splits["test"].b.sum() == 10860

"""Photographs by country: any folder of folders, with a table of where they were taken."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.data.dataset import Labelled, Library
from bench.data.imagenet_geo import GeoOptions
from bench.data.prepared import Meta
from bench.errors import DataError
from tests.data.country_examples import photographs, write_photographs

SMALL = GeoOptions(size=8)


def prepared(library: Library, options: GeoOptions = SMALL) -> tuple[Meta, dict[str, Labelled]]:
    meta = library.prepare("imagenet_geo", options)
    return meta, library.splits("imagenet_geo", "class|country", options)


def test_countries_stand_under_their_codes_with_log_gdp_per_capita(library: Library) -> None:
    write_photographs(library)
    meta, _ = prepared(library)
    assert meta.attributes == {"class": ["cat", "dog"], "country": ["HTI", "MEX", "USA"]}
    expected = [math.log(value) for value in (250, 5_000, 20_000)]
    assert meta.covariates == {"country": pytest.approx(expected)}


def test_without_folders_of_splits_every_country_is_dealt_out_alike(library: Library) -> None:
    write_photographs(library)
    meta, splits = prepared(library)
    assert meta.sizes == {"train": 35, "validation": 6, "test": 18}
    for split, each in (("validation", 2), ("test", 6)):
        assert np.bincount(splits[split].b).tolist() == [each] * 3
    for part in splits.values():
        dark = part.x.max(axis=(1, 2, 3)) < 100
        assert np.array_equal(dark, part.y == 0)


def test_pictures_without_a_country_or_an_income_are_left_out_and_said(library: Library) -> None:
    write_photographs(library)
    meta, _ = prepared(library)
    assert sum(meta.sizes.values()) == 59  # 60, and the last of the table is missing from it
    assert "21 pictures without a country are left out." in meta.notes
    assert "Left out, without a GDP per capita: Atlantis." in meta.notes


def test_folders_of_splits_are_kept(library: Library) -> None:
    files = {**photographs("train/"), **photographs("test/")}
    rows = "".join(f"{name.removeprefix('geo/')},USA\n" for name in files)
    write_photographs(library, files, "image,country\n" + rows)
    meta, _ = prepared(library)
    assert meta.sizes == {"train": 72, "validation": 8, "test": 80}


def test_a_year_makes_a_copy_of_its_own(library: Library) -> None:
    write_photographs(library)
    prepared(library)
    prepared(library, GeoOptions(size=8, year=1994))
    assert set(library.prepared("imagenet_geo")) == {"8px-2020", "8px-1994"}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("image,place\na.jpg,USA\n", "has no column country"),
        ("image,country\na.jpg,USA\na.jpg,USA\n", r"line 3, column image: a\.jpg is listed twice"),
        ("image,country\na.jpg,Atlantis\n", "none of its countries has a GDP per capita in 2020"),
        ("image,country\nnobody.jpg,USA\n", r"no picture CLASS/NAME in it is listed in countries"),
    ],
)  # fmt: skip
def test_a_table_that_does_not_fit_is_named(library: Library, table: str, message: str) -> None:
    write_photographs(library, table=table)
    with pytest.raises(DataError, match=message):
        prepared(library)

"""Adult by country: who is left out, who is in no split, and what the covariate is."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from bench.data.adult_country import CODES, WITHOUT
from bench.data.dataset import Library, Options
from bench.errors import DataError
from tests.data.country_examples import person, write_people
from tests.data.raw_examples import write_adult

TASK = "income|country"


def test_groups_are_countries_and_the_covariate_is_log_gdp_per_capita(library: Library) -> None:
    write_people(library)
    meta = library.prepare("adult_country")
    assert meta.attributes["country"] == ["Haiti", "Japan", "Mexico", "United-States"]
    expected = [math.log(value) for value in (250, 40_000, 5_000, 20_000)]
    assert meta.covariates == {"country": pytest.approx(expected)}
    splits = library.splits("adult_country", TASK, Options())
    assert np.bincount(splits["train"].b).tolist() == [8, 1, 16, 32]
    assert np.bincount(splits["validation"].b).tolist() == [2, 0, 4, 8]
    assert np.bincount(splits["test"].b).tolist() == [8, 0, 8, 8]
    assert splits["test"].y.tolist() == [0, 0, 0, 0, 1, 1, 1, 1] * 3


def test_who_has_no_country_with_a_gdp_is_left_out_and_counted(library: Library) -> None:
    write_people(library)
    meta = library.prepare("adult_country")
    assert meta.sizes == {"train": 57, "validation": 14, "test": 24}
    [note] = [note for note in meta.notes if "left out" in note]
    assert note.startswith("13 people")
    assert "? (not given): 11" in note
    assert "South (no country of that name): 2" in note
    assert "Nobody in test is from Japan." in meta.notes


def test_a_country_of_which_nobody_has_heard_is_an_error(library: Library) -> None:
    write_people(library)
    write_adult(library, [person("Atlantis", 0)])
    with pytest.raises(DataError, match=r"adult\.data, line 1, column native-country: 'Atlantis'"):
        library.prepare("adult_country")


def test_every_country_of_the_official_description_is_accounted_for(mirror: Path) -> None:
    lines = (mirror / "adult" / "adult.names").read_text(encoding="utf-8").splitlines()
    [line] = [line for line in lines if line.startswith("native-country:")]
    listed = {name.strip(" .") for name in line.partition(":")[2].split(",")}
    assert listed == (CODES.keys() | WITHOUT.keys()) - {"?"}
    assert len(listed) == 41

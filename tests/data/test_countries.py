"""GDP per capita: GDP over population, of one year, by code or name."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from bench.data.adult_country import CODES
from bench.data.countries import COUNTRY_FILES, Incomes, read_incomes
from bench.data.dataset import Library
from bench.data.raw import RawFolder
from bench.errors import DataError
from tests.data.country_examples import write_countries


def raw(library: Library) -> RawFolder:
    return RawFolder("anything", COUNTRY_FILES, library.folder / "raw")


def incomes(library: Library, year: int = 1994) -> Incomes:
    write_countries(library)
    return read_incomes(raw(library), year)


def test_income_is_gdp_over_population(library: Library) -> None:
    found = incomes(library)
    assert found.of == {"USA": 20_000, "MEX": 5_000, "HTI": 250, "JPN": 40_000}
    assert found.log("MEX") == pytest.approx(math.log(5_000))


def test_a_country_without_gdp_has_no_income_but_a_code(library: Library) -> None:
    found = incomes(library)
    assert found.code("Nowhere") == found.code("NWH") == "NWH"
    assert found.log("NWH") is None
    assert found.code("Atlantis") is None


def test_a_year_that_the_tables_lack_is_named(library: Library) -> None:
    with pytest.raises(DataError, match=r"no country has figures for the year 1950"):
        incomes(library, 1950)


def test_the_files_lie_in_a_room_of_their_own_whoever_asks(library: Library) -> None:
    folder = raw(library)
    assert [file.name for file in folder.missing()] == ["gdp.csv", "population.csv"]
    place = write_countries(library)
    assert folder.missing() == []
    assert folder.where("gdp.csv") == place / "gdp.csv"
    assert not any(record.official for record in folder.records())


def test_a_table_in_another_layout_is_refused(library: Library) -> None:
    (write_countries(library) / "gdp.csv").write_text("country,year,gdp\nUSA,1994,1\n")
    with pytest.raises(DataError, match=r"gdp\.csv: has no column Country Name"):
        read_incomes(raw(library), 1994)


def test_the_real_tables_have_every_country_of_adult(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not (mirror / "country").is_dir():
        pytest.skip("needs country/ in the folder that BENCH_MIRROR names")
    monkeypatch.setenv("BENCH_MIRROR", str(mirror))
    found = read_incomes(RawFolder("x", COUNTRY_FILES, tmp_path), 1994)
    assert set(CODES.values()) <= found.of.keys()
    assert found.of["USA"] == pytest.approx(27_694.85, abs=0.01)
    assert found.of["VNM"] == pytest.approx(229.86, abs=0.01)

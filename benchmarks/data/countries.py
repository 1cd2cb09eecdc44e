"""GDP per capita by country and year, from the World Bank's tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bench.data.raw import RawFile, RawFolder
from bench.data.tabular import Table, read_table, require_columns
from bench.errors import DataError

FOLDER = "country"
GDP, POPULATION = "gdp.csv", "population.csv"
UPSTREAM = "https://raw.githubusercontent.com/datasets"
COUNTRY_FILES = (
    RawFile(
        GDP,
        f"{UPSTREAM}/gdp/main/data/gdp.csv",
        "f0a8408195646dbb1a9d7fc4424e2d302ee5380d0ec8834793f12ca25cbd7e2c",
        folder=FOLDER,
    ),
    RawFile(
        POPULATION,
        f"{UPSTREAM}/population/main/data/population.csv",
        "7d2dd6a17f5ed7916de1f89a9c116791e64d207f2e2f6ce47c57e1ab46f0088a",
        folder=FOLDER,
    ),
)
"""Upstream publishes a new edition every month; the checksums are of one, others can be used."""
COUNTRY_LICENCE = "World Bank, World Development Indicators: CC BY 4.0 (packaged under ODC-PDDL)"
COVARIATE = "log GDP per capita"
COLUMNS = ["Country Name", "Country Code", "Year", "Value"]


@dataclass(frozen=True)
class Incomes:
    """GDP per capita of one year.

    Attributes:
        year: the year.
        of: World Bank code of a country ("USA") -> GDP per capita in current US dollars.
        codes: World Bank name of a country -> its code.
    """

    year: int
    of: Mapping[str, float]
    codes: Mapping[str, str]

    def log(self, code: str) -> float | None:
        """Natural logarithm of GDP per capita, or None where the tables lack it."""
        return math.log(self.of[code]) if code in self.of else None

    def code(self, country: str) -> str | None:
        """The code of a country that is given by its code or World Bank name, or None."""
        if country in self.codes.values():
            return country
        return self.codes.get(country)


def read_incomes(raw: RawFolder, year: int) -> Incomes:
    """GDP over population where both exist in that year. Raises DataError if there are none."""
    gdp, population = (_values(read_table(raw, file), year) for file in (GDP, POPULATION))
    both = {code: gdp[code] / population[code] for code in gdp if population.get(code)}
    if not both:
        raise DataError(f"{GDP}, {POPULATION}: no country has figures for the year {year}.")
    frame = read_table(raw, POPULATION).frame
    return Incomes(year, both, dict(zip(frame["Country Name"], frame["Country Code"], strict=True)))


def _values(table: Table, year: int) -> dict[str, float]:
    require_columns(table, COLUMNS)
    frame = table.frame
    rows = (frame["Year"] == str(year)).to_numpy()
    values = table.numbers("Value")
    return dict(zip(frame["Country Code"][rows], values[rows].tolist(), strict=True))

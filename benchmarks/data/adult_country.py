"""Adult by native country: is income predicted as well for people from poorer countries?"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from bench.data.adult import VALIDATION_SHARE, Adult, encode, labels_of, read_people
from bench.data.countries import COUNTRY_FILES, COUNTRY_LICENCE, COVARIATE, Incomes, read_incomes
from bench.data.dataset import DataSet, Options, TaskDefinition
from bench.data.prepared import Array, Arrays, Columns
from bench.data.raw import RawFolder
from bench.data.splitting import stratified
from bench.data.tabular import Table
from bench.errors import DataError

YEAR = 1994  # of the census that the people were drawn from
SPLIT_SEED = 0
CODES = {
    "Cambodia": "KHM", "Canada": "CAN", "China": "CHN", "Columbia": "COL", "Cuba": "CUB",
    "Dominican-Republic": "DOM", "Ecuador": "ECU", "El-Salvador": "SLV", "England": "GBR",
    "France": "FRA", "Germany": "DEU", "Greece": "GRC", "Guatemala": "GTM", "Haiti": "HTI",
    "Holand-Netherlands": "NLD", "Honduras": "HND", "Hong": "HKG", "Hungary": "HUN", "India": "IND",
    "Iran": "IRN", "Ireland": "IRL", "Italy": "ITA", "Jamaica": "JAM", "Japan": "JPN",
    "Laos": "LAO", "Mexico": "MEX", "Nicaragua": "NIC", "Peru": "PER", "Philippines": "PHL",
    "Poland": "POL", "Portugal": "PRT", "Puerto-Rico": "PRI", "Scotland": "GBR",
    "Thailand": "THA", "Trinadad&Tobago": "TTO", "United-States": "USA", "Vietnam": "VNM",
}  # fmt: skip
"""The file's countries in the World Bank's codes. England and Scotland share the United Kingdom's;
Hong is read as Hong Kong."""
WITHOUT = {
    "?": "not given",
    "South": "no country of that name",
    "Taiwan": "not in the World Bank's tables",
    "Yugoslavia": "in pieces by 1994",
    "Outlying-US(Guam-USVI-etc)": "not in the tables before 2002",
}
"""What else stands in the column, and why nobody's income can be put to it."""


class AdultCountry(DataSet):
    """Adult with 37 native countries as groups; log GDP per capita of 1994 is their covariate.

    The official split; a fifth of train, stratified by country and income, is held out. People
    whose country has no GDP per capita are left out. Inputs are those of `adult`, the native
    country among them.
    """

    title = "Adult (census income) by native country"
    kind = "table"
    licence = f"CC BY 4.0; {COUNTRY_LICENCE}"
    homepage = Adult.homepage
    files = (*Adult.files, *COUNTRY_FILES)
    shares = "adult"
    tasks: ClassVar = {
        "income|country": TaskDefinition("income", None, group="country", covariate=COVARIATE)
    }

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Read, leave out who has no country with a GDP, split, encode."""
        del options, work
        incomes = read_incomes(raw, YEAR)
        official = {"train": read_people(raw, "adult.data"), "test": read_people(raw, "adult.test")}
        kept = {name: _with_country(table) for name, table in official.items()}
        present = set().union(*(table.frame["native-country"] for table in kept.values()))
        names = sorted(present)
        position = {name: number for number, name in enumerate(names)}
        labels = {
            name: {
                "income": labels_of(table)["income"],
                "country": table.classes("native-country", position),
            }
            for name, table in kept.items()
        }
        cells = labels["train"]["country"] * 2 + labels["train"]["income"]
        rows = stratified(cells, {"validation": VALIDATION_SHARE}, SPLIT_SEED)
        encoded, normalisation, columns = encode(kept, rows["train"])
        splits = {
            name: Columns(encoded["train"][i], {k: v[i] for k, v in labels["train"].items()})
            for name, i in rows.items()
        } | {"test": Columns(encoded["test"], labels["test"])}
        return Arrays(
            splits=splits,
            attributes={"income": ["at most 50K", "over 50K"], "country": names},
            columns=columns,
            normalisation=normalisation,
            covariates={"country": [_log(incomes, name) for name in names]},
            notes=[
                *_left_out(official),
                "Covariate: natural logarithm of GDP per capita in 1994, current US dollars, World "
                "Bank. England and Scotland have the United Kingdom's.",
                *_absent(names, {name: s.attributes["country"] for name, s in splits.items()}),
                "Sex, race and native country are among the inputs.",
            ],
        )


def _with_country(table: Table) -> Table:
    """The people whose country has a GDP. Raises DataError for a country nobody has heard of."""
    known = {**dict.fromkeys(CODES, 1), **dict.fromkeys(WITHOUT, 0)}
    here = np.flatnonzero(table.classes("native-country", known))
    frame = table.frame.iloc[here].reset_index(drop=True)
    return Table(table.file, frame, [table.lines[i] for i in here])


def _log(incomes: Incomes, country: str) -> float:
    value = incomes.log(CODES[country])
    if value is None:
        raise DataError(
            f"GDP or population of {CODES[country]} ({country}) in {incomes.year} is missing."
        )
    return value


def _left_out(official: dict[str, Table]) -> list[str]:
    counts = {
        name: sum(int((t.frame["native-country"] == name).sum()) for t in official.values())
        for name in WITHOUT
    }
    words = [f"{name} ({why}): {counts[name]:,}" for name, why in WITHOUT.items() if counts[name]]
    if not words:
        return []
    total = sum(counts.values())
    return [f"{total:,} people have no country with a GDP per capita and are left out. "
            f"{'; '.join(words)}."]  # fmt: skip


def _absent(names: list[str], groups: dict[str, Array]) -> list[str]:
    notes = []
    for split, group in groups.items():
        count = np.bincount(group, minlength=len(names))
        gone = [names[i] for i in np.flatnonzero(count == 0)]
        if gone:
            notes.append(f"Nobody in {split} is from {', '.join(gone)}.")
    return notes

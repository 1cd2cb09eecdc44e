"""Adult by native country: is income predicted as well for people from poorer countries?"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from bench.data.adult import VALIDATION_SHARE, Adult, encode_people, labels_of, read_people
from bench.data.countries import COUNTRY_FILES, COUNTRY_LICENCE, COVARIATE, read_incomes
from bench.data.dataset import Options, TaskDefinition
from bench.data.prepared import Arrays, Columns
from bench.data.raw import RawFolder
from bench.data.splitting import stratified
from bench.data.tabular import Table
from bench.errors import DataError

YEAR = 1994  # of the census that the people were drawn from
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
"""World Bank code of each country that the file names. England and Scotland have the United
Kingdom's; Hong is read as Hong Kong."""
WITHOUT = {
    "?": "not given",
    "South": "no country of that name",
    "Taiwan": "not in the World Bank's tables",
    "Yugoslavia": "in pieces by 1994",
    "Outlying-US(Guam-USVI-etc)": "not in the tables before 2002",
}
"""The column's other values, and why none of them has a GDP per capita."""


class AdultCountry(Adult):
    """Adult with 37 native countries as groups; log GDP per capita of 1994 is their covariate.

    The split is the official one; a fifth of train, stratified by country and income, is held out
    for validation. People whose country has no GDP per capita are left out. Inputs are those of
    `adult`, the native country among them.
    """

    title = "Adult (census income) by native country"
    licence = f"CC BY 4.0; {COUNTRY_LICENCE}"
    files = (*Adult.files, *COUNTRY_FILES)
    shares = "adult"
    tasks: ClassVar = {
        "income|country": TaskDefinition("income", None, group="country", covariate=COVARIATE)
    }

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Read both files, leave out people without a GDP per capita, split, encode."""
        del options, work
        incomes = read_incomes(raw, YEAR)
        official = read_people(raw)
        kept = {name: _with_country(table) for name, table in official.items()}
        names = sorted(set().union(*(table.frame["native-country"] for table in kept.values())))
        covariate: list[float] = []
        for name in names:
            if (value := incomes.log(CODES[name])) is None:
                raise DataError(
                    f"GDP or population of {CODES[name]} ({name}) in {YEAR} is missing."
                )
            covariate.append(value)
        position = {name: number for number, name in enumerate(names)}
        labels = {
            name: {
                "income": labels_of(table)["income"],
                "country": table.classes("native-country", position),
            }
            for name, table in kept.items()
        }
        cells = labels["train"]["country"] * 2 + labels["train"]["income"]
        rows = stratified(cells, {"validation": VALIDATION_SHARE})
        encoded, normalisation, columns = encode_people(kept, rows["train"])
        whole = Columns(encoded["train"], labels["train"])
        splits = {name: whole.subset(some) for name, some in rows.items()}
        splits["test"] = Columns(encoded["test"], labels["test"])
        return Arrays(
            splits=splits,
            attributes={"income": ["at most 50K", "over 50K"], "country": names},
            columns=columns,
            normalisation=normalisation,
            covariates={"country": covariate},
            notes=[
                *_left_out_note(official),
                "Covariate: natural logarithm of GDP per capita in 1994, current US dollars, World "
                "Bank. England and Scotland have the United Kingdom's.",
                *_absent_notes(names, splits),
                "Sex, race and native country are among the inputs.",
            ],
        )


def _with_country(table: Table) -> Table:
    """The people whose country has a GDP per capita. Raises DataError for an unknown country."""
    known = {**dict.fromkeys(CODES, 1), **dict.fromkeys(WITHOUT, 0)}
    rows = np.flatnonzero(table.classes("native-country", known))
    frame = table.frame.iloc[rows].reset_index(drop=True)
    return Table(table.file, frame, [table.lines[i] for i in rows])


def _left_out_note(official: dict[str, Table]) -> list[str]:
    counts = {
        name: sum(int((t.frame["native-country"] == name).sum()) for t in official.values())
        for name in WITHOUT
    }
    listed = [f"{name} ({why}): {counts[name]:,}" for name, why in WITHOUT.items() if counts[name]]
    if not listed:
        return []
    total = sum(counts.values())
    return [f"{total:,} people have no country with a GDP per capita and are left out. "
            f"{'; '.join(listed)}."]  # fmt: skip


def _absent_notes(names: list[str], splits: dict[str, Columns]) -> list[str]:
    notes = []
    for split, columns in splits.items():
        count = np.bincount(columns.attributes["country"], minlength=len(names))
        if absent := [names[i] for i in np.flatnonzero(count == 0)]:
            notes.append(f"Nobody in {split} is from {', '.join(absent)}.")
    return notes

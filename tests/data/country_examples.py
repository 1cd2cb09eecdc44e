"""Small tables in the World Bank's layout, and photographs with countries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.data.dataset import Library
from tests.data.picture_examples import jpeg, tarred
from tests.data.raw_examples import adult_row, write_adult

CODES = {"United States": "USA", "Mexico": "MEX", "Haiti": "HTI", "Japan": "JPN", "Nowhere": "NWH"}
PER_CAPITA = {"USA": 20_000.0, "MEX": 5_000.0, "HTI": 250.0, "JPN": 40_000.0}
YEARS = (1994, 2020)
HEAD = "Country Name,Country Code,Year,Value\n"
CLASSES, PLACES = ("cat", "dog"), ("USA", "Mexico", "HTI", "Atlantis")


def write_countries(library: Library) -> Path:
    """gdp.csv and population.csv; nobody knows Nowhere's GDP."""
    folder = library.folder / "raw" / "country"
    folder.mkdir(parents=True, exist_ok=True)
    people = [f"{n},{c},{year},1000" for n, c in CODES.items() for year in YEARS]
    money = [
        f"{n},{c},{year},{1000 * PER_CAPITA[c]}"
        for n, c in CODES.items()
        if c in PER_CAPITA
        for year in YEARS
    ]
    (folder / "population.csv").write_text(HEAD + "\n".join(people) + "\n")
    (folder / "gdp.csv").write_text(HEAD + "\n".join(money) + "\n")
    return folder


def person(country: str, cell: int, stop: str = "") -> str:
    """A row of UCI Adult from a country."""
    return adult_row(cell, 40, stop=stop).replace("United-States", country)


def write_people(library: Library) -> Path:
    """40 from the US, 20 from Mexico, 10 from Haiti, one from Japan, some who are left out."""
    counts = {"United-States": 40, "Mexico": 20, "Haiti": 10, "Japan": 1, "?": 3, "South": 2}
    train = [person(c, i % 8) for c, n in counts.items() for i in range(n)]
    test = [person(c, i, ".") for c in ("United-States", "Mexico", "Haiti", "?") for i in range(8)]
    write_countries(library)
    return write_adult(library, train, test)


def photographs(split: str = "") -> dict[str, bytes]:
    """Ten of each class and place, as CLASS/PLACE_i.jpg; grey says which class."""
    return {
        f"geo/{split}{name}/{place}_{name}_{i}.jpg": jpeg(48, 48, 60 + 120 * label)
        for label, name in enumerate(CLASSES)
        for place in PLACES
        for i in range(10)
    }


def write_photographs(
    library: Library, files: Mapping[str, bytes] | None = None, table: str | None = None
) -> Path:
    """imagenet_geo.tar and countries.csv; the last picture of the table is not in it."""
    files = photographs() if files is None else files
    folder = library.folder / "raw" / "imagenet_geo"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "imagenet_geo.tar").write_bytes(tarred(files, "w"))
    names = sorted(name.rpartition("/")[2] for name in files)[:-1]
    rows = "".join(f"{name},{name.partition('_')[0]}\n" for name in names)
    (folder / "countries.csv").write_text("image,country\n" + rows if table is None else table)
    write_countries(library)
    return folder

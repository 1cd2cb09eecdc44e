"""Photographs with the country they were taken in: of ImageNet, or of any other classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import ClassVar, cast

import numpy as np
from pydantic import Field

from bench.data.archives import Archive
from bench.data.countries import COUNTRY_FILES, COVARIATE, Incomes, read_incomes
from bench.data.dataset import Options, TaskDefinition
from bench.data.imagenet200 import FOLDERS, class_labels, drawn, folder_splits
from bench.data.pictures import LARGEST, SUFFIXES, SizedPictures, SizeOptions, decode
from bench.data.prepared import SPLITS, Arrays
from bench.data.raw import RawFile, RawFolder, named
from bench.data.splitting import PartialDataSet, TrainSizeOptions
from bench.data.tabular import Table, read_table, require_columns
from bench.errors import DataError

PICTURES, TABLE = "imagenet_geo.tar", "countries.csv"
SHARES = {"validation": 0.1, "test": 0.3}

Photograph = tuple[str, str, str, str]
"""Folder of its split ("" where there is none), class, code of its country, name in the archive."""


class GeoOptions(SizeOptions, TrainSizeOptions):
    """How large the pictures are, how many are used, and the year of the countries' incomes."""

    size: int = Field(224, ge=8, le=1024)
    """Side of the pictures in pixels."""
    year: int = Field(2020, ge=1960, le=2100)
    """Year of GDP per capita; the paper gives none."""


class ImagenetGeo(PartialDataSet, SizedPictures):
    """Photographs in folders CLASS/, or train/CLASS/, val/CLASS/ and test/CLASS/, any classes.

    A table `countries.csv` with the columns `image` and `country` states where each was taken:
    `image` is its path in the folder, or its bare name where that is unique; `country` is the World
    Bank's code (USA) or name. Groups are countries; their covariate is log GDP per capita.
    Photographs without a country, or whose country has no GDP per capita, are left out.

    Without folders of splits, a tenth is for validation and three tenths are for test, stratified
    by country.
    """

    title = "ImageNet by country"
    licence = "non-commercial research only; not to be redistributed"
    homepage = "https://www.image-net.org/download.php"
    consent = (
        "ImageNet is for non-commercial research and education only, so only a person can fetch "
        "it; the paper's own table of places was not published. Any folder of pictures a class "
        "with such a table will do."
    )
    files = (
        RawFile(
            PICTURES,
            others=("imagenet_geo", "imagenet_geo.zip", "imagenet_geo.tar.gz"),
            location="a folder imagenet_geo, or a .tar or .zip of it, with a folder a class",
        ),
        RawFile(TABLE, location="a table with the columns image and country"),
        *COUNTRY_FILES,
    )
    tasks: ClassVar = {
        "class|country": TaskDefinition(
            "class", None, "imagenet_geo/fairness", group="country", covariate=COVARIATE
        )
    }
    options = GeoOptions
    validation_to_train = SHARES["validation"] / (1 - sum(SHARES.values()))

    def variant(self, options: Options) -> str:
        """One copy for each size and year."""
        return f"{super().variant(options)}-{cast('GeoOptions', options).year}"

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Look up the country of each picture, split the pictures, decode them."""
        chosen = cast("GeoOptions", options)
        incomes = read_incomes(raw, chosen.year)
        archive = raw.archive(PICTURES)
        country_of, unknown = _countries(read_table(raw, TABLE), incomes)
        photographs, without = _photographs(archive, country_of)
        parts = _splits(archive, photographs)
        classes, label = class_labels(
            archive.path, {split: [name for _, name, _, _ in part] for split, part in parts.items()}
        )
        countries = sorted({code for part in parts.values() for _, _, code, _ in part})
        group = {
            split: np.array([countries.index(code) for _, _, code, _ in part], np.int64)
            for split, part in parts.items()
        }
        where = {split: [name for _, _, _, name in parts[split]] for split in SPLITS}
        decoded = decode(archive, where, chosen.size, LARGEST, work, expected=None)
        logs = [incomes.log(code) for code in countries]
        return Arrays(
            splits=decoded.splits({s: {"class": label[s], "country": group[s]} for s in SPLITS}),
            attributes={"class": classes, "country": countries},
            covariates={"country": [value for value in logs if value is not None]},
            notes=[
                f"Of each picture the largest central square is used, scaled to {chosen.size}.",
                f"{len(countries)} countries; covariate: natural logarithm of GDP per capita in "
                f"{chosen.year}, current US dollars, World Bank.",
                *([f"{without:,} pictures without a country are left out."] if without else []),
                *([f"Left out, without a GDP per capita: {named(unknown)}."] if unknown else []),
                *decoded.notes(),
            ],
        )


def _countries(table: Table, incomes: Incomes) -> tuple[dict[str, str], list[str]]:
    """Code of the country of each picture, and the countries without a GDP per capita."""
    require_columns(table, ["image", "country"])
    country_of: dict[str, str] = {}
    unknown: set[str] = set()
    for row, (image, country) in enumerate(
        zip(table.frame["image"], table.frame["country"], strict=True)
    ):
        code = incomes.code(country)
        if image in country_of:
            raise DataError(f"{table.at(row, 'image')}: {image} is listed twice.")
        if code is None or incomes.log(code) is None:
            unknown.add(country or "(none)")
        else:
            country_of[image] = code
    if not country_of:
        raise DataError(f"{table.file}: none of its countries has a GDP per capita in "
                        f"{incomes.year}.")  # fmt: skip
    return country_of, sorted(unknown)


def _photographs(archive: Archive, country_of: dict[str, str]) -> tuple[list[Photograph], int]:
    """Pictures with a country, sorted by name, and the number of pictures without one."""
    photographs: list[Photograph] = []
    without = 0
    for name in sorted(archive.names):
        path = PurePosixPath(name)
        if path.suffix.lower() not in SUFFIXES or len(path.parts) < 2:
            continue
        folder = path.parts[-3] if len(path.parts) > 2 and path.parts[-3] in FOLDERS else ""
        tails = ["/".join(path.parts[i:]) for i in range(len(path.parts))]
        code = next((country_of[tail] for tail in tails if tail in country_of), None)
        if code is None:
            without += 1
        else:
            photographs.append((folder, path.parts[-2], code, name))
    if not photographs:
        raise DataError(f"{archive.path}: no picture CLASS/NAME in it is listed in {TABLE}.")
    return photographs, without


def _splits(archive: Archive, photographs: Sequence[Photograph]) -> dict[str, list[Photograph]]:
    """Photographs by split: as their folders name it, else drawn, stratified by country."""
    by = {folder: [p for p in photographs if p[0] == folder] for folder in ("", *FOLDERS)}
    if by["train"]:
        parts = folder_splits(by, lambda photograph: photograph[2])
    else:
        everything = [p for part in by.values() for p in part]
        parts = drawn(everything, lambda photograph: photograph[2], SHARES)
    for split, part in parts.items():
        if not part:
            raise DataError(f"{archive.path}: no picture with a country is left for {split}.")
    return parts

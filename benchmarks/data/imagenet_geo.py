"""Photographs with the country they were taken in: of ImageNet, or of any folder of folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import ClassVar, cast

import numpy as np
from pydantic import Field

from bench.data.archives import Archive
from bench.data.countries import COUNTRY_FILES, COVARIATE, Incomes, read_incomes
from bench.data.dataset import Options, TaskDefinition
from bench.data.imagenet200 import FOLDERS, SUFFIXES
from bench.data.pictures import LARGEST, decode, named
from bench.data.prepared import SPLITS, Arrays, Columns
from bench.data.raw import RawFile, RawFolder
from bench.data.splitting import PartialDataSet, TrainSizeOptions, stratified
from bench.data.tabular import Table, read_table, require_columns
from bench.errors import DataError

PICTURES, TABLE = "imagenet_geo.tar", "countries.csv"
SHARES = {"validation": 0.1, "test": 0.3}
SPLIT_SEED = 0

Photograph = tuple[str, str, str, str]
"""Split ("" where the folders name none), class, country's code, and name in the archive."""


class GeoOptions(TrainSizeOptions):
    """How large the pictures are, and of which year a country's income is."""

    size: int = Field(224, ge=8, le=1024)
    """Side of the pictures in pixels."""
    year: int = Field(2020, ge=1960, le=2100)
    """Year of GDP per capita; the paper gives none."""


class ImagenetGeo(PartialDataSet):
    """Photographs in folders CLASS/, or train/CLASS/, val/CLASS/ and test/CLASS/, any classes.

    A table `countries.csv` with the columns `image` and `country` says where each was taken: image
    by its path in the folder, or by its bare name where that is unique; country by the World Bank's
    code (USA) or name. Groups are countries, their covariate is log GDP per capita. Photographs
    without a country, or whose country has no GDP, are left out.

    Without folders of splits, a tenth is for validation and three tenths for test, stratified by
    country.
    """

    title = "ImageNet by country"
    kind = "image"
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
            found="a folder imagenet_geo, or a .tar or .zip of it, with a folder a class",
        ),
        RawFile(TABLE, found="a table with the columns image and country"),
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
        """One copy a size and a year."""
        asked = cast("GeoOptions", options)
        return f"{asked.size}px-{asked.year}"

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Put pictures and countries together, split, decode."""
        asked = cast("GeoOptions", options)
        incomes = read_incomes(raw, asked.year)
        archive = raw.archive(PICTURES)
        places, unknown = _places(read_table(raw, TABLE), incomes)
        found, without = _found(archive, places)
        parts = _splits(archive, found)
        classes = sorted({name for _, name, _, _ in parts["train"]})
        countries = sorted({code for part in parts.values() for _, _, code, _ in part})
        for split, part in parts.items():
            if strange := sorted({name for _, name, _, _ in part} - set(classes)):
                raise DataError(f"{archive.path}: {split} has a class without train: {strange[0]}.")
        where = {split: [name for _, _, _, name in parts[split]] for split in SPLITS}
        decoded = decode(archive, where, asked.size, LARGEST, work, expected=None)
        splits = {}
        for split in SPLITS:
            kept = decoded.kept[split]
            label = np.array([classes.index(name) for _, name, _, _ in parts[split]], np.int64)
            group = np.array([countries.index(code) for _, _, code, _ in parts[split]], np.int64)
            attributes = {"class": label[kept], "country": group[kept]}
            splits[split] = Columns(decoded.x[split], attributes)
        logs = [incomes.log(code) for code in countries]
        return Arrays(
            splits=splits,
            attributes={"class": classes, "country": countries},
            covariates={"country": [value for value in logs if value is not None]},
            notes=[
                f"Of each picture the largest central square is used, scaled to {asked.size}.",
                f"{len(countries)} countries; covariate: natural logarithm of GDP per capita in "
                f"{asked.year}, current US dollars, World Bank.",
                *([f"{without:,} pictures without a country are left out."] if without else []),
                *([f"Left out, without a GDP per capita: {named(unknown)}."] if unknown else []),
                *decoded.notes(),
            ],
        )


def _places(table: Table, incomes: Incomes) -> tuple[dict[str, str], list[str]]:
    """Country's code by picture, and the countries that have no GDP per capita."""
    require_columns(table, ["image", "country"])
    places: dict[str, str] = {}
    unknown: set[str] = set()
    for row, (image, country) in enumerate(
        zip(table.frame["image"], table.frame["country"], strict=True)
    ):
        code = incomes.code(country)
        if image in places:
            raise DataError(f"{table.at(row, 'image')}: {image} stands here twice.")
        if code is None or incomes.log(code) is None:
            unknown.add(country or "(none)")
        else:
            places[image] = code
    if not places:
        raise DataError(f"{table.file}: no country of it has a GDP per capita in {incomes.year}.")
    return places, sorted(unknown)


def _found(archive: Archive, places: dict[str, str]) -> tuple[list[Photograph], int]:
    """Pictures with a country, by name, and how many have none."""
    found: list[Photograph] = []
    without = 0
    for name in sorted(archive.names):
        path = PurePosixPath(name)
        if path.suffix.lower() not in SUFFIXES or len(path.parts) < 2:
            continue
        folder = path.parts[-3] if len(path.parts) > 2 and path.parts[-3] in FOLDERS else ""
        tails = ["/".join(path.parts[i:]) for i in range(len(path.parts))]
        code = next((places[tail] for tail in tails if tail in places), None)
        if code is None:
            without += 1
        else:
            found.append((folder, path.parts[-2], code, name))
    if not found:
        raise DataError(f"{archive.path}: no picture CLASS/NAME in it stands in {TABLE}.")
    return found, without


def _splits(archive: Archive, found: Sequence[Photograph]) -> dict[str, list[Photograph]]:
    """By their folders; what these do not name is drawn, stratified by country."""
    by = {folder: [p for p in found if p[0] == folder] for folder in ("", *FOLDERS)}
    if not by["train"]:
        everything = [p for part in by.values() for p in part]
        rows = stratified(np.array([p[2] for p in everything]), SHARES, SPLIT_SEED)
        parts = {split: [everything[i] for i in part] for split, part in rows.items()}
    elif by["test"] and by["val"]:
        parts = {"train": by["train"], "validation": by["val"], "test": by["test"]}
    else:
        train = by["train"]
        rows = stratified(
            np.array([p[2] for p in train]), {"validation": SHARES["validation"]}, SPLIT_SEED
        )
        parts = {split: [train[i] for i in part] for split, part in rows.items()}
        parts["test"] = by["test"] or by["val"]
    for split, part in parts.items():
        if not part:
            raise DataError(f"{archive.path}: no picture with a country is left for {split}.")
    return parts

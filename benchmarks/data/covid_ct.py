"""COVID-CT: 746 lung scans from papers, with COVID-19 or without."""

from __future__ import annotations

from itertools import product
from pathlib import Path, PurePosixPath
from typing import ClassVar, cast

import numpy as np

from bench.data.archives import Archive, Several
from bench.data.dataset import Options, TaskDefinition
from bench.data.pictures import LARGEST, SUFFIXES, SizedPictures, SizeOptions, decode
from bench.data.prepared import SPLITS, Arrays
from bench.data.raw import RawFile, RawFolder, named
from bench.data.splitting import PartialDataSet, TrainSizeOptions
from bench.errors import DataError

CLASSES = {"NonCOVID": "no COVID-19", "COVID": "COVID-19"}
LISTS = {"train": "train", "validation": "val", "test": "test"}
PICTURES = 746


class CovidCtOptions(SizeOptions, TrainSizeOptions):
    """How many pictures are used, and how large: the data set's own model takes 224 pixels."""


def _archive_file(name: str) -> RawFile:
    return RawFile(
        f"CT_{name}.zip",
        others=(
            f"Images-processed/CT_{name}.zip", f"*/Images-processed/CT_{name}.zip", f"CT_{name}",
            f"Images-processed/CT_{name}", f"*/Images-processed/CT_{name}",
        ),
        location="folder Images-processed of the repository",
    )  # fmt: skip


def _list_file(name: str, part: str) -> RawFile:
    file = f"{part}CT_{name}.txt"
    return RawFile(
        file,
        others=(f"Data-split/{name}/{file}", f"*/Data-split/{name}/{file}"),
        location=f"folder Data-split/{name} of the repository",
    )


class CovidCt(PartialDataSet, SizedPictures):
    """COVID-CT in its official split; pictures are read from the two zips.

    The largest central square of each picture is scaled to the option `size`.
    """

    title = "COVID-CT (lung scans)"
    licence = "rights remain with the authors and publishers of the papers the pictures are from"
    homepage = "https://github.com/UCSD-AI4H/COVID-CT"
    consent = (
        "All copyrights of the pictures belong to the authors and publishers of the papers they "
        "are from, so a person fetches them (a clone of the repository will do)."
    )
    files = (
        *(_archive_file(name) for name in CLASSES),
        *(_list_file(name, part) for name, part in product(CLASSES, LISTS.values())),
    )
    tasks: ClassVar = {"covid": TaskDefinition("covid", None, "covid_ct/universal")}
    options = CovidCtOptions
    validation_to_train = 118 / 425  # of the official lists

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Read the lists, and decode the listed pictures that are in the archives."""
        archives = {name: raw.archive(f"CT_{name}.zip") for name in CLASSES}
        where: dict[str, list[str]] = {split: [] for split in SPLITS}
        label: dict[str, list[int]] = {split: [] for split in SPLITS}
        absent: list[str] = []
        for (number, name), split in product(enumerate(CLASSES), SPLITS):
            members, missing = read_list(raw, name, LISTS[split], archives[name])
            where[split] += [f"{name}/{member}" for member in members]
            label[split] += [number] * len(members)
            absent += missing
        size = cast("CovidCtOptions", options).size
        decoded = decode(Several(archives), where, size, LARGEST, work, expected=None)
        total = sum(map(len, where.values()))
        notes = [f"Of each picture the largest central square is used, scaled to {size}."]
        if absent:
            notes.append(f"{len(absent):,} listed pictures are missing: {named(absent)}.")
        if total != PICTURES:
            notes.append(f"There are {total:,} pictures; the official release has {PICTURES:,}.")
        return Arrays(
            splits=decoded.splits({s: {"covid": np.array(label[s], np.int64)} for s in SPLITS}),
            attributes={"covid": list(CLASSES.values())},
            notes=[*notes, *decoded.notes()],
        )


def read_list(
    raw: RawFolder, name: str, part: str, archive: Archive
) -> tuple[list[str], list[str]]:
    """Read the list of one class (`name`) and split (`part`).

    Returns:
        Names in the archive of the listed pictures that are in it, and the other listed names.

    Raises:
        DataError: a line is not the name of a picture, or a name occurs twice.
    """
    file = f"{part}CT_{name}.txt"
    members = {PurePosixPath(member).name: member for member in reversed(archive.names)}
    listed: dict[str, str | None] = {}
    for number, line in enumerate(raw.read(file).decode("utf-8", "replace").split("\n"), 1):
        picture = line.strip()
        if not picture:
            continue
        if not picture.lower().endswith(tuple(SUFFIXES)):
            raise DataError(
                f"{file}, line {number}: {picture[:50]!r} is not the name of a picture."
            )
        if picture in listed:
            raise DataError(f"{file}, line {number}: {picture} occurs twice.")
        listed[picture] = members.get(picture)
    present = [member for member in listed.values() if member is not None]
    return present, [picture for picture, member in listed.items() if member is None]

"""ImageNet-200: photographs of 200 of ImageNet's classes, with one folder for each class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import ClassVar, TypeVar, cast

import numpy as np
from pydantic import Field

from bench.data.dataset import Options, TaskDefinition
from bench.data.pictures import LARGEST, SUFFIXES, SizedPictures, SizeOptions, decode
from bench.data.prepared import SPLITS, Array, Arrays
from bench.data.raw import RawFile, RawFolder
from bench.data.splitting import PartialDataSet, TrainSizeOptions, stratified
from bench.errors import DataError

PICTURES = "imagenet200.tar"
FOLDERS = ("train", "val", "test")
VALIDATION_SHARE = 0.1
PAPER = {"classes": 200, "train pictures": 100_000, "test pictures": 10_000}  # LABOR, section 5.1

T = TypeVar("T")
Pictures = dict[str, list[tuple[str, str]]]
"""Folder of FOLDERS, or split -> its pictures: class, and name in the archive."""


class Imagenet200Options(SizeOptions, TrainSizeOptions):
    """How large the pictures are, and how many are used."""

    size: int = Field(224, ge=8, le=1024)
    """Side of the pictures in pixels; 224 is the paper's (section 5.1)."""


class Imagenet200(PartialDataSet, SizedPictures):
    """Photographs in folders `train/CLASS/` and `test/CLASS/` or `val/CLASS/`, any classes.

    The largest central square of each picture is scaled to the option `size`. Where there are both
    test and val, val is for validation; else a tenth of train, stratified by class, is held out.
    """

    title = "ImageNet-200"
    licence = "non-commercial research only; not to be redistributed"
    homepage = "https://www.image-net.org/download.php"
    consent = (
        "ImageNet is for non-commercial research and education only, so only a person can fetch "
        "it. The paper draws 200 classes at random and does not name them."
    )
    files = (
        RawFile(
            PICTURES,
            others=("imagenet200*", "sub-imagenet-200*"),
            location="a folder imagenet200, or a .tar or .zip of it, with train/CLASS/*.JPEG and "
            "test/CLASS/*.JPEG or val/CLASS/*.JPEG, made from ILSVRC 2012: 500 and 50 a class",
        ),
    )
    tasks: ClassVar = {"class": TaskDefinition("class", None, "imagenet200/issba")}
    options = Imagenet200Options
    validation_to_train = VALIDATION_SHARE / (1 - VALIDATION_SHARE)

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Read the classes from the folders' names, split the pictures, decode them."""
        archive = raw.archive(PICTURES)
        pictures = read_folders(archive.names)
        test = pictures["test"] or pictures["val"]
        for folder, part in (("train/", pictures["train"]), ("test/ or val/", test)):
            if not part:
                raise DataError(f"{archive.path}: has no pictures in {folder}CLASS/.")
        parts = folder_splits(pictures, lambda picture: picture[0])
        held_out = not (pictures["test"] and pictures["val"])
        classes, label = class_labels(
            archive.path, {split: [name for name, _ in part] for split, part in parts.items()}
        )
        where = {split: [member for _, member in parts[split]] for split in SPLITS}
        size = cast("Imagenet200Options", options).size
        decoded = decode(archive, where, size, LARGEST, work, expected=None)
        return Arrays(
            splits=decoded.splits({split: {"class": label[split]} for split in SPLITS}),
            attributes={"class": classes},
            notes=[
                f"Of each picture the largest central square is used, scaled to {size}.",
                *_size_notes(pictures, len(classes)),
                *(["A tenth of train is held out for validation."] if held_out else []),
                *decoded.notes(),
            ],
        )


def read_folders(names: Iterable[str]) -> Pictures:
    """Class and name of the pictures in train/CLASS/, val/CLASS/ and test/CLASS/, sorted."""
    pictures: Pictures = {folder: [] for folder in FOLDERS}
    for name in names:
        path = PurePosixPath(name)
        if len(path.parts) >= 3 and path.suffix.lower() in SUFFIXES and path.parts[-3] in pictures:
            pictures[path.parts[-3]].append((path.parts[-2], name))
    return {folder: sorted(part) for folder, part in pictures.items()}


def class_labels(
    path: Path, names: Mapping[str, Sequence[str]]
) -> tuple[list[str], dict[str, Array]]:
    """The classes of train, ordered by name, and split -> class of each picture, [n] int64.

    Raises DataError, which names `path`, where another split has a class that train lacks.
    """
    classes = sorted(set(names["train"]))
    for split, part in names.items():
        if without := sorted(set(part) - set(classes)):
            raise DataError(f"{path}: {split} has a class that train lacks: {without[0]}.")
    place = {name: number for number, name in enumerate(classes)}
    return classes, {s: np.array([place[n] for n in part], np.int64) for s, part in names.items()}


def folder_splits(
    pictures: Mapping[str, Sequence[T]], cell: Callable[[T], str]
) -> dict[str, list[T]]:
    """Pictures of the three splits, from those of each of FOLDERS.

    Where there are both test and val, val is for validation; else a tenth of train, stratified by
    `cell`, is held out.
    """
    test = list(pictures["test"] or pictures["val"])
    if pictures["test"] and pictures["val"]:
        train, validation = list(pictures["train"]), list(pictures["val"])
        return {"train": train, "validation": validation, "test": test}
    return {**drawn(pictures["train"], cell, {"validation": VALIDATION_SHARE}), "test": test}


def drawn(
    pictures: Sequence[T], cell: Callable[[T], str], shares: Mapping[str, float]
) -> dict[str, list[T]]:
    """Splits of pictures, stratified by `cell`."""
    rows = stratified(np.array([cell(picture) for picture in pictures]), shares)
    return {split: [pictures[i] for i in part] for split, part in rows.items()}


def _size_notes(pictures: Pictures, classes: int) -> list[str]:
    sizes = {
        "classes": classes,
        "train pictures": len(pictures["train"]),
        "test pictures": len(pictures["test"] or pictures["val"]),
    }
    return [
        f"There are {size:,} {name}; the paper has {PAPER[name]:,}."
        for name, size in sizes.items()
        if size != PAPER[name]
    ] + ["The paper does not name its classes, so these may be others."]

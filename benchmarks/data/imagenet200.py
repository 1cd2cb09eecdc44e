"""ImageNet-200: a folder a class of photographs, 200 classes of ImageNet."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import ClassVar, cast

import numpy as np
from pydantic import Field

from bench.data.archives import Archive
from bench.data.dataset import Options, TaskDefinition
from bench.data.pictures import LARGEST, decode
from bench.data.prepared import SPLITS, Arrays, Columns
from bench.data.raw import RawFile, RawFolder
from bench.data.splitting import PartialDataSet, TrainSizeOptions, stratified
from bench.errors import DataError

PICTURES = "imagenet200.tar"
SUFFIXES = {".jpeg", ".jpg", ".png"}
FOLDERS = ("train", "val", "test")
VALIDATION_SHARE = 0.1
SPLIT_SEED = 0
PAPER = {"classes": 200, "train": 100_000, "test": 10_000}  # LABOR, section 5.1

Found = dict[str, list[tuple[str, str]]]
"""Folder of FOLDERS -> its pictures: class, and name with folders."""


class Imagenet200Options(TrainSizeOptions):
    """How large the pictures are."""

    size: int = Field(224, ge=8, le=1024)
    """Side of the pictures in pixels; 224 is the paper's (section 5.1)."""


class Imagenet200(PartialDataSet):
    """Photographs in folders `train/CLASS/` and `test/CLASS/` or `val/CLASS/`, any classes.

    The largest central square of each is scaled to the size asked for. Where there are both test
    and val, val is for validation; else a tenth of train, stratified by class, is held out.
    """

    title = "ImageNet-200"
    kind = "image"
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
            found="a folder imagenet200, or a .tar or .zip of it, with train/CLASS/*.JPEG and "
            "test/CLASS/*.JPEG or val/CLASS/*.JPEG, made from ILSVRC 2012: 500 and 50 a class",
        ),
    )
    tasks: ClassVar = {"class": TaskDefinition("class", None, "imagenet200/issba")}
    options = Imagenet200Options
    validation_to_train = VALIDATION_SHARE / (1 - VALIDATION_SHARE)

    def variant(self, options: Options) -> str:
        """One copy a size."""
        return f"{cast('Imagenet200Options', options).size}px"

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Read the folders' names, split, decode."""
        archive = raw.archive(PICTURES)
        found = read_folders(archive.names)
        parts, held_out = _splits(archive, found)
        classes = sorted({name for name, _ in parts["train"]})
        position = {name: number for number, name in enumerate(classes)}
        for split, pictures in parts.items():
            if strange := sorted({name for name, _ in pictures} - set(classes)):
                raise DataError(f"{archive.path}: {split} has a class without train: {strange[0]}.")
        where = {split: [member for _, member in parts[split]] for split in SPLITS}
        size = cast("Imagenet200Options", options).size
        decoded = decode(archive, where, size, LARGEST, work, expected=None)
        splits = {}
        for split in SPLITS:
            label = np.array([position[name] for name, _ in parts[split]], np.int64)
            splits[split] = Columns(decoded.x[split], {"class": label[decoded.kept[split]]})
        return Arrays(
            splits=splits,
            attributes={"class": classes},
            notes=[
                f"Of each picture the largest central square is used, scaled to {size}.",
                *_size_notes(found, len(classes)),
                *(["A tenth of train is held out for validation."] if held_out else []),
                *decoded.notes(),
            ],
        )


def read_folders(names: Iterable[str]) -> Found:
    """Class and name of the pictures that stand as train/CLASS/picture and the like, by class."""
    found: Found = {folder: [] for folder in FOLDERS}
    for name in names:
        path = PurePosixPath(name)
        if len(path.parts) >= 3 and path.suffix.lower() in SUFFIXES and path.parts[-3] in found:
            found[path.parts[-3]].append((path.parts[-2], name))
    return {folder: sorted(pictures) for folder, pictures in found.items()}


def _splits(archive: Archive, found: Found) -> tuple[Found, bool]:
    """Pictures of the three splits, and whether validation is a part of train."""
    test = found["test"] or found["val"]
    for folder, pictures in (("train/", found["train"]), ("test/ or val/", test)):
        if not pictures:
            raise DataError(f"{archive.path}: has no pictures in {folder}CLASS/.")
    if found["test"] and found["val"]:
        return {"train": found["train"], "validation": found["val"], "test": test}, False
    cells = np.array([name for name, _ in found["train"]])
    rows = stratified(cells, {"validation": VALIDATION_SHARE}, SPLIT_SEED)
    parts = {split: [found["train"][i] for i in part] for split, part in rows.items()}
    return {**parts, "test": test}, True


def _size_notes(found: Found, classes: int) -> list[str]:
    sizes = {
        "classes": classes,
        "train": len(found["train"]),
        "test": len(found["test"] or found["val"]),
    }
    return [
        f"There are {size:,} {what if what == 'classes' else f'{what} pictures'}; the paper has "
        f"{PAPER[what]:,}."
        for what, size in sizes.items()
        if size != PAPER[what]
    ] + ["The paper does not name its classes, so these may be others."]

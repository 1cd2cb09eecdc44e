"""The 1,000 ImageNet-compatible photographs on which attacks are compared."""

from __future__ import annotations

import csv
import io
from pathlib import Path, PurePosixPath
from typing import ClassVar, cast

import numpy as np
from pydantic import Field

from bench.data.archives import Archive
from bench.data.dataset import Options, TaskDefinition
from bench.data.pictures import LARGEST, Decoded, SizedPictures, SizeOptions, decode
from bench.data.prepared import Array, Arrays
from bench.data.raw import RawFile, RawFolder
from bench.data.splitting import subset_note
from bench.errors import DataError

PICTURES, TABLE = "images.zip", "images.csv"
OFFICIAL = 1000
SIDE = 299
CLASSES = 1000
COLUMNS = ("ImageId", "TrueLabel")


class ImagenetCompatibleOptions(SizeOptions):
    """How large the pictures are."""

    size: int = Field(SIDE, ge=32, le=1024)
    """Side of the pictures in pixels; 299 is the official one (perceptual-DRO, section 3.2)."""


class ImagenetCompatible(SizedPictures):
    """Development images of the NIPS 2017 competition on attacks and defences.

    There is no training split: published classifiers of ImageNet's 1,000 classes are attacked.
    Images are in the order of the table, so that the first N are the same everywhere.
    """

    title = "ImageNet-compatible"
    licence = "CC BY 2.0; the table names the authors"
    homepage = (
        "https://github.com/cleverhans-lab/cleverhans/tree/master/cleverhans_v3.1.0/examples/"
        "nips17_adversarial_competition/dataset"
    )
    consent = "The images lie with their photographers, so a script of the organisers fetches them."
    files = (
        RawFile(
            PICTURES,
            others=("images", "images.tar*", "dev_images*"),
            location="a folder images, or a .zip or .tar of it, with the 1,000 files ImageId.png",
        ),
        RawFile(
            TABLE, others=("dev_dataset.csv",), location="the table, also called dev_dataset.csv"
        ),
    )
    tasks: ClassVar = {"class": TaskDefinition("class", None, "imagenet_compatible/attack")}
    options = ImagenetCompatibleOptions
    evaluation_only = True

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Read the table and decode the listed images that are in the archive."""
        archive = raw.archive(PICTURES)
        labels, members = _present(archive, read_table(raw))
        size = cast("ImagenetCompatibleOptions", options).size
        decoded = decode(archive, {"test": members}, size, LARGEST, work, expected=(SIDE, SIDE))
        return evaluation_arrays(
            decoded,
            labels,
            [
                *subset_note(len(members), OFFICIAL, "official images"),
                *([f"Scaled from {SIDE} to {size} pixels."] if size != SIDE else []),
                *decoded.notes((SIDE, SIDE)),
            ],
        )


def evaluation_arrays(decoded: Decoded, labels: Array, notes: list[str]) -> Arrays:
    """Arrays for evaluation only: a test split with ImageNet's classes, the others empty.

    Args:
        decoded: the pictures of the split "test".
        labels: class of each picture, from 0, including those that could not be decoded; [n] int64.
        notes: further notes for the page.
    """
    splits = decoded.splits({"test": {"class": labels}})
    empty = splits["test"].subset(np.zeros(0, np.int64))
    return Arrays(
        splits={"train": empty, "validation": empty, **splits},
        attributes={"class": imagenet_classes()},
        notes=["For evaluation only: there is no training split.", *notes],
    )


def imagenet_classes() -> list[str]:
    """Names of ImageNet's 1,000 classes, in the order of published classifiers' outputs."""
    from torchvision.models import SqueezeNet1_1_Weights  # noqa: PLC0415 - takes a second

    return list(SqueezeNet1_1_Weights.DEFAULT.meta["categories"])


def read_table(raw: RawFolder) -> list[tuple[str, int]]:
    """Id and class, from 0, of every image. Raises DataError for a malformed or repeated row."""
    table = csv.DictReader(io.StringIO(raw.read(TABLE).decode("utf-8-sig", errors="replace")))
    if absent := [name for name in COLUMNS if name not in (table.fieldnames or [])]:
        raise DataError(f"{TABLE}: has no column {' or '.join(absent)}.")
    rows: list[tuple[str, int]] = []
    for line in table:
        image, label = str(line["ImageId"]).strip(), str(line["TrueLabel"]).strip()
        if not label.isdecimal() or not 1 <= int(label) <= CLASSES:
            raise DataError(
                f'{TABLE}, line {table.line_num}, TrueLabel: "{label}" is not a class from 1 to '
                f"{CLASSES:,}."
            )
        rows.append((image, int(label) - 1))
    if len({image for image, _ in rows}) < len(rows):
        raise DataError(f"{TABLE}: lists an image twice. Fetch it again.")
    return rows


def _present(archive: Archive, rows: list[tuple[str, int]]) -> tuple[Array, list[str]]:
    """Class, [n] int64, and name in the archive of the listed images that are in it."""
    members = {PurePosixPath(name).stem: name for name in archive.names if name.endswith(".png")}
    present = [(label, members[image]) for image, label in rows if image in members]
    if not present:
        raise DataError(f"{archive.path}: holds none of the images that {TABLE} lists.")
    return np.array([label for label, _ in present], np.int64), [name for _, name in present]

"""A folder of photographs of ImageNet's classes, with one folder for each class."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import ClassVar, cast

import numpy as np
from pydantic import Field

from bench.data.dataset import Options, TaskDefinition
from bench.data.imagenet_compatible import evaluation_arrays, imagenet_classes
from bench.data.pictures import LARGEST, SUFFIXES, SizedPictures, SizeOptions, decode
from bench.data.prepared import Arrays
from bench.data.raw import RawFile, RawFolder
from bench.errors import DataError

PICTURES = "images.zip"


class ImageFolderOptions(SizeOptions):
    """How large the pictures are."""

    size: int = Field(224, ge=32, le=1024)
    """Side of the pictures in pixels; 224 is what most published classifiers were trained on."""


class ImageFolder(SizedPictures):
    """Photographs in folders `CLASS/`, for published classifiers; there is no training split.

    CLASS is a synset (`n01440764`), a name as published classifiers spell it (`tench`) or the
    position of the class from 0 (`0`). The largest central square of each picture is scaled to the
    option `size`. Pictures are ordered in turns: the first of every class, then the second, and so
    on. To train on a folder with `train/CLASS/`, use `imagenet200`, which takes any classes.
    """

    title = "A folder of ImageNet's classes"
    licence = "that of your own pictures"
    homepage = "https://docs.pytorch.org/vision/stable/generated/torchvision.datasets.ImageFolder"
    consent = "These are your own pictures."
    files = (
        RawFile(
            PICTURES,
            others=("images", "images.tar*"),
            location="a folder images, or a .zip or .tar of it, with CLASS/*.JPEG",
        ),
    )
    tasks: ClassVar = {"class": TaskDefinition("class", None)}
    options = ImageFolderOptions
    evaluation_only = True

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Read the classes from the folders' names and decode the pictures."""
        archive = raw.archive(PICTURES)
        pictures = in_turns(archive.names)
        if not pictures:
            raise DataError(f"{archive.path}: has no pictures in CLASS/.")
        labels, classes = [], positions()
        for name, _ in pictures:
            if name not in classes:
                raise DataError(
                    f'{archive.path}: folder "{name}" is none of ImageNet\'s classes: neither a '
                    "synset (n01440764) nor a name (tench) nor a position from 0 to 999."
                )
            labels.append(classes[name])
        size = cast("ImageFolderOptions", options).size
        members = {"test": [member for _, member in pictures]}
        decoded = decode(archive, members, size, LARGEST, work, expected=None)
        notes = [f"Of each picture the largest central square is used, scaled to {size}."]
        return evaluation_arrays(decoded, np.array(labels, np.int64), [*notes, *decoded.notes()])


def in_turns(names: list[str]) -> list[tuple[str, str]]:
    """Folder and name of every picture: the first of each folder, then the second, and so on."""
    folders: dict[str, list[str]] = {}
    for name in sorted(names):
        path = PurePosixPath(name)
        if len(path.parts) >= 2 and path.suffix.lower() in SUFFIXES:
            folders.setdefault(path.parts[-2], []).append(name)
    longest = max(map(len, folders.values()), default=0)
    return [
        (folder, members[turn])
        for turn in range(longest)
        for folder, members in sorted(folders.items())
        if turn < len(members)
    ]


@cache
def positions() -> Mapping[str, int]:
    """Synset, name or position as text -> position; of two classes of one name, the first."""
    from timm.data import ImageNetInfo  # noqa: PLC0415 - takes a second

    info = ImageNetInfo()
    position_of: dict[str, int] = {}
    for position, name in enumerate(imagenet_classes()):
        for word in (str(position), info.index_to_label_name(position), name):
            position_of.setdefault(word, position)
    return position_of

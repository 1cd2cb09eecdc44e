"""UTKFace: 23,708 faces whose file names state age, gender and race."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import ClassVar, cast

import numpy as np

from bench.data.dataset import Options, TaskDefinition
from bench.data.pictures import SizedPictures, SizeOptions, decode
from bench.data.prepared import SPLITS, Array, Arrays
from bench.data.raw import RawFile, RawFolder, parsed_names
from bench.data.splitting import stratified
from bench.errors import DataError

FACES = "UTKFace.tar.gz"
COUNTS = (23_708, 23_707)  # the aligned and cropped release; some copies lack one picture
SIDE = 200
NAME = re.compile(r"(?P<age>\d{1,3})_(?P<gender>[01])_(?P<race>[0-4])_\d.*\.jpe?g", re.IGNORECASE)
OLD = 35  # BaDe, section V.A
GROUP_YEARS = 30  # BaDe, section V.E
SHARES = {"validation": 0.1, "test": 0.2}


class Utkface(SizedPictures):
    """UTKFace, aligned and cropped to 200 pixels a side; there is no official split.

    70 % of the faces are train, 10 % validation and 20 % test, in the same shares of every cell of
    age, gender and race, drawn once from the sorted names.
    """

    title = "UTKFace (age of faces)"
    licence = "non-commercial research only"
    homepage = "https://susanqq.github.io/UTKFace/"
    consent = (
        "UTKFace is for non-commercial research only and lies in a Google Drive folder, so only "
        "a person can fetch it."
    )
    files = (
        RawFile(
            FACES,
            others=("UTKFace.zip", "UTKFace"),
            location='"Aligned&Cropped Faces", Google Drive; a UTKFace.zip or a folder UTKFace '
            "does as well",
        ),
    )
    tasks: ClassVar = {
        "age_over_35|race": TaskDefinition("age_over_35", "race", "utkface/age_over_35|race"),
        "age_regression|race": TaskDefinition(
            "age_regression", "race", "utkface/age_regression|race"
        ),
        "age_30y_groups|race": TaskDefinition(
            "age_30y_groups", "race", "utkface/age_30y_groups|race"
        ),
        "age_over_35|gender": TaskDefinition("age_over_35", "gender"),
    }

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Read the file names, split them, decode the pictures."""
        archive = raw.archive(FACES)
        members, (age, gender, race), notes = read_names(archive.names)
        if not members:
            raise DataError(f"{archive.path}: has no picture named age_gender_race_date.jpg.")
        attributes = {
            "age_over_35": (age > OLD).astype(np.int64),
            "age_regression": (age / max(int(age.max()), 1)).astype(np.float32),
            "age_30y_groups": np.minimum(age // GROUP_YEARS, 2),
            "race": (race == 0).astype(np.int64),  # 0 is White
            "gender": gender,
        }
        cells = [attributes[name] for name in ("age_30y_groups", "age_over_35", "gender", "race")]
        rows = stratified(np.stack(cells).T @ [8, 4, 2, 1], SHARES)
        where = {split: [members[i] for i in rows[split]] for split in SPLITS}
        size = cast("SizeOptions", options).size
        decoded = decode(archive, where, size, SIDE, work, expected=(SIDE, SIDE))
        return Arrays(
            splits=decoded.splits(
                {s: {name: v[rows[s]] for name, v in attributes.items()} for s in SPLITS}
            ),
            attributes={
                "age_over_35": [f"{OLD} or younger", f"over {OLD}"],
                "age_30y_groups": ["0-29", "30-59", "60 or older"],
                "race": ["non-white", "white"],
                "gender": ["male", "female"],
            },
            notes=[
                *notes,
                *decoded.notes((SIDE, SIDE)),
                f"Pictures are scaled to {size} pixels.",
                "There is no official split: 70 % train, 10 % validation, 20 % test, drawn once.",
                "Ages from 60 on are one group, because too few people are 90 or older.",
                f"In the regression task, 1 is an age of {age.max()}.",
            ],
        )


def read_names(paths: Iterable[str]) -> tuple[list[str], Array, list[str]]:
    """Paths of the pictures, in the order of their names; age, gender and race, [3, n]; and notes.

    A name that is not `age_gender_race_date&time.jpg` is counted and skipped. Of two pictures with
    one name, that in the folder UTKFace is taken.
    """
    by_name: dict[str, str] = {}
    repeated = 0
    pictures = (p for p in map(PurePosixPath, paths) if p.suffix.lower() in {".jpg", ".jpeg"})
    for path in sorted(pictures, key=lambda p: (p.parent.name != "UTKFace", p)):
        repeated += path.name in by_name
        by_name.setdefault(path.name, str(path))
    members, stated, notes = parsed_names(by_name, NAME, "pictures")
    if repeated:
        notes.append(f"{repeated:,} pictures are in the archive more than once.")
    if len(by_name) not in COUNTS:
        notes.append(
            f"There are {len(by_name):,} pictures; the official release has {COUNTS[0]:,}."
        )
    return members, np.array(list(stated.values())).astype(np.int64), notes

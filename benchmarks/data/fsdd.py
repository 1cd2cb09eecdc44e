"""FSDD (free spoken digit dataset): 3,000 recordings of digits by six speakers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar

import numpy as np

from bench.data.dataset import Options, TaskDefinition
from bench.data.prepared import Array, Arrays
from bench.data.raw import RawFile, RawFolder, named
from bench.data.sounds import LogMel, SoundDataSet, read_recordings
from bench.data.splitting import stratified
from bench.errors import DataError

RECORDINGS = "recordings.tar.gz"
COUNT = 3_000
RATE = 8_000  # Hz
SAMPLES = RATE  # 1 s: 20 of the 3,000 recordings are longer
NAME = re.compile(r"(?P<digit>\d)_(?P<speaker>[^_]+)_(?P<index>\d+)\.wav")
TEST_INDICES = 5  # recordings 0 to 4 of each digit and speaker are the official test set
VALIDATION_SHARE = 1 / 9  # 300 of the official 2,700, as many as there are test recordings


@dataclass(frozen=True)
class Digits:
    """What file names state, [n] int64 each; `members` are the names with their folders."""

    members: list[str]
    digit: Array
    speaker: Array
    index: Array
    speakers: list[str]


class Fsdd(SoundDataSet):
    """Spoken digits at 8 kHz in their official split, each padded or cut to one second.

    A ninth of train, stratified by digit and speaker, is held out for validation.
    """

    title = "Free spoken digits"
    licence = "CC BY-SA 4.0"
    homepage = "https://github.com/Jakobovski/free-spoken-digit-dataset"
    consent = "No checksum of a release is published, so a person fetches the recordings."
    files = (
        RawFile(
            RECORDINGS,
            others=(
                "recordings", "recordings*.tar*", "recordings*.zip", "free-spoken-digit-dataset*",
            ),
            location="the folder recordings of the repository, as it is or packed; the .zip or "
            ".tar.gz of the repository itself does as well",
        ),
    )  # fmt: skip
    tasks: ClassVar = {"digit": TaskDefinition("digit", None)}
    spectrum = LogMel(RATE)
    validation_to_train = 1 / 8

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Read the file names, split them, read the recordings."""
        del options
        archive = raw.archive(RECORDINGS)
        digits, notes = read_names(archive.names)
        if not digits.members:
            raise DataError(f"{archive.path}: has no recording named digit_speaker_index.wav.")
        rows = _split(digits)
        where = {split: [digits.members[i] for i in part] for split, part in rows.items()}
        recordings = read_recordings(archive, where, RATE, SAMPLES, work)
        splits = recordings.splits(
            {
                split: {"digit": digits.digit[part], "speaker": digits.speaker[part]}
                for split, part in rows.items()
            }
        )
        if len(digits.members) != COUNT:
            notes.append(f"A subset: {len(digits.members):,} of {COUNT:,} official recordings.")
        return Arrays(
            splits=splits,
            attributes={"digit": [str(digit) for digit in range(10)], "speaker": digits.speakers},
            normalisation=self.spectrum.normalisation(splits["train"].x),
            notes=[
                *notes,
                *recordings.notes,
                f"The {len(digits.speakers)} speakers of the test recordings also speak in train.",
            ],
        )


def read_names(paths: Iterable[str]) -> tuple[Digits, list[str]]:
    """Digit, speaker and index from file names, in the order of the names; and notes.

    A .wav file that is not named `digit_speaker_index.wav` is counted and skipped.
    """
    by_name = {path.name: str(path) for path in map(PurePosixPath, paths) if path.suffix == ".wav"}
    matches = {name: match for name in sorted(by_name) if (match := NAME.fullmatch(name))}
    malformed = sorted(set(by_name) - set(matches))
    speakers = sorted({match["speaker"] for match in matches.values()})
    labels = [
        [int(match["digit"]), speakers.index(match["speaker"]), int(match["index"])]
        for match in matches.values()
    ]
    digit, speaker, index = np.array(labels, np.int64).reshape(-1, 3).T
    notes = []
    if malformed:
        notes.append(
            f"{len(malformed):,} recordings are skipped because their names are malformed: "
            f"{named(malformed)}."
        )
    return Digits([by_name[name] for name in matches], digit, speaker, index, speakers), notes


def _split(digits: Digits) -> dict[str, Array]:
    """Rows of each split: the official test set, and the others as train and validation."""
    official = digits.index < TEST_INDICES
    rest = np.flatnonzero(~official)
    cells = digits.speaker[rest] * 10 + digits.digit[rest]
    parts = stratified(cells, {"validation": VALIDATION_SHARE})
    return {split: rest[rows] for split, rows in parts.items()} | {"test": np.flatnonzero(official)}

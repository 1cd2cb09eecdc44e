"""FSDD (free spoken digit dataset): 3,000 recordings of digits by six speakers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import ClassVar

import numpy as np

from bench.data.dataset import Options, TaskDefinition
from bench.data.prepared import Array, Arrays
from bench.data.raw import RawFile, RawFolder, parsed_names
from bench.data.sounds import LogMel, SoundDataSet, read_recordings
from bench.data.splitting import stratified, subset_note
from bench.errors import DataError

RECORDINGS = "recordings.tar.gz"
COUNT = 3_000
RATE = 8_000  # Hz
SAMPLES = RATE  # 1 s: 20 of the 3,000 recordings are longer
NAME = re.compile(r"(?P<digit>\d)_(?P<speaker>[^_]+)_(?P<index>\d+)\.wav")
TEST_INDICES = 5  # recordings 0 to 4 of each digit and speaker are the official test set
VALIDATION_SHARE = 1 / 9  # 300 of the official 2,700, as many as there are test recordings


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
        members, stated, notes = read_names(archive.names)
        if not members:
            raise DataError(f"{archive.path}: has no recording named digit_speaker_index.wav.")
        speakers, speaker = np.unique(stated["speaker"], return_inverse=True)
        digit = stated["digit"].astype(np.int64)
        official = stated["index"].astype(np.int64) < TEST_INDICES
        rest = np.flatnonzero(~official)
        parts = stratified((speaker * 10 + digit)[rest], {"validation": VALIDATION_SHARE})
        rows = {split: rest[part] for split, part in parts.items()}
        rows["test"] = np.flatnonzero(official)
        where = {split: [members[i] for i in part] for split, part in rows.items()}
        recordings = read_recordings(archive, where, RATE, SAMPLES, work)
        splits = recordings.splits(
            {s: {"digit": digit[part], "speaker": speaker[part]} for s, part in rows.items()}
        )
        return Arrays(
            splits=splits,
            attributes={"digit": [str(d) for d in range(10)], "speaker": speakers.tolist()},
            normalisation=self.spectrum.normalisation(splits["train"].x),
            notes=[
                *notes,
                *subset_note(len(members), COUNT, "official recordings"),
                *recordings.notes,
                f"The {len(speakers)} speakers of the test recordings also speak in train.",
            ],
        )


def read_names(paths: Iterable[str]) -> tuple[list[str], dict[str, Array], list[str]]:
    """Digit, speaker and index of each .wav file by its name; see `parsed_names`."""
    by_name = {path.name: str(path) for path in map(PurePosixPath, paths) if path.suffix == ".wav"}
    return parsed_names(by_name, NAME, "recordings")

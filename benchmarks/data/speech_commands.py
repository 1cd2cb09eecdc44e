"""Speech commands: the ten digits of Google's one-second recordings of spoken words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import ClassVar

import numpy as np

from bench.data.archives import Archive
from bench.data.dataset import Options, TaskDefinition
from bench.data.prepared import Arrays
from bench.data.raw import RawFile, RawFolder
from bench.data.sounds import LogMel, SoundDataSet, read_recordings
from bench.errors import DataError

ARCHIVE = "speech_commands_v0.02.tar.gz"
LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
RATE = 16_000  # Hz
SAMPLES = RATE  # one second


class SpeechCommands(SoundDataSet):
    """The words zero to nine of version 0.02 at 16 kHz, in the official split by speakers.

    Recordings that neither validation_list.txt nor testing_list.txt names are train.
    """

    title = "Speech commands (ten digits)"
    licence = "CC BY 4.0"
    homepage = "https://www.tensorflow.org/datasets/catalog/speech_commands"
    files = (
        RawFile(
            ARCHIVE,
            f"https://storage.googleapis.com/download.tensorflow.org/data/{ARCHIVE}",
            md5="6b74f3901214cb2c2934e98196829835",  # as torchaudio's loader checks it
            others=("speech_commands*",),
        ),
    )
    tasks: ClassVar = {"digit": TaskDefinition("digit", None, "speech_commands/noise")}
    spectrum = LogMel(RATE)
    validation_to_train = 0.12  # of the official lists, roughly

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Read both lists, then the recordings of the ten words."""
        del options
        archive = raw.archive(ARCHIVE)
        where, notes = read_split(archive)
        recordings = read_recordings(archive, where, RATE, SAMPLES, work)
        digits = {
            split: np.array([WORDS.index(_folder(name)) for name in names], np.int64)
            for split, names in where.items()
        }
        splits = recordings.splits({split: {"digit": digit} for split, digit in digits.items()})
        return Arrays(
            splits=splits,
            attributes={"digit": list(WORDS)},
            normalisation=self.spectrum.normalisation(splits["train"].x),
            notes=[
                *notes,
                *recordings.notes,
                "The official split by speakers is used; LABOR has 11,360 train and 9,467 test "
                "recordings and does not say which.",
            ],
        )


def read_split(archive: Archive) -> tuple[dict[str, list[str]], list[str]]:
    """Recordings of the ten words by split, and notes. Raises DataError for a malformed list."""
    by_name = {
        "/".join(PurePosixPath(name).parts[-2:]): name
        for name in archive.names
        if name.endswith(".wav") and _folder(name) in WORDS
    }
    where: dict[str, list[str]] = {}
    listed: set[str] = set()
    absent = 0
    for split, file in LISTS.items():
        lines = _read_list(archive, file)
        names = sorted(line for line in lines if line.partition("/")[0] in WORDS)
        where[split] = [by_name[name] for name in names if name in by_name]
        absent += len(names) - len(where[split])
        listed.update(names)
    where["train"] = [by_name[name] for name in sorted(by_name.keys() - listed)]
    if absent:
        return where, [f"A subset: {absent:,} of {len(listed):,} listed recordings are missing."]
    return where, []


def _read_list(archive: Archive, file: str) -> Sequence[str]:
    members = [name for name in archive.names if PurePosixPath(name).name == file]
    if not members:
        raise DataError(f"{archive.path}: has no {file}. Fetch it again.")
    content = next(archive.each(members[:1]))[1]
    lines = content.decode("utf-8", errors="replace").split("\n")
    lines = [line.strip() for line in lines]
    for number, line in enumerate(lines, 1):
        folder, _, name = line.partition("/")
        if line and not (folder and name.endswith(".wav")):
            raise DataError(
                f"{archive.path}, {file}, line {number}: {line[:50]!r} is not word/file.wav."
            )
    return [line for line in lines if line]


def _folder(name: str) -> str:
    return PurePosixPath(name).parent.name

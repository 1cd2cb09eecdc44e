"""CIFAR-10: 60,000 colour pictures of 32 x 32 pixels in ten classes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import ClassVar

import numpy as np

from bench.data.archives import Archive
from bench.data.dataset import Options, TaskDefinition
from bench.data.prepared import Array, Arrays, Columns
from bench.data.raw import RawFile, RawFolder
from bench.data.splitting import PartialDataSet, held_out, subset_note
from bench.errors import DataError

ARCHIVE = "cifar-10-binary.tar.gz"
CLASSES = [
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
]  # fmt: skip
ANIMALS = ("bird", "cat", "deer", "dog", "frog", "horse")
TRAIN_BATCHES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST_BATCH = "test_batch.bin"
BATCH = 10_000  # records of an official batch
SIDE = 32
RECORD = 1 + 3 * SIDE**2  # the label, then all red, all green, all blue values, row by row
VALIDATION_SHARE = 0.1  # 5,000 of the official 50,000


class Cifar10(PartialDataSet):
    """CIFAR-10 in its official split; a tenth of train, stratified by class, is held out.

    It has no bias variable; suites plant triggers in its place.
    """

    title = "CIFAR-10"
    kind = "image"
    licence = "none stated; its page asks to cite Krizhevsky (2009)"
    homepage = "https://www.cs.toronto.edu/~kriz/cifar.html"
    files = (
        RawFile(
            ARCHIVE,
            f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}",
            md5="c32a1d4ab5d03f1284b67883e8d87530",  # as the data set's page has it
            others=("cifar-10-batches-bin", "cifar-10-binary*.tar*"),
        ),
    )
    tasks: ClassVar = {"class": TaskDefinition("class", None)}
    validation_to_train = 1 / 9

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Read the batches and hold out the validation pictures.

        Training batches may be missing; a note then says how many pictures there are.
        """
        del options, work
        archive = raw.archive(ARCHIVE)
        members = {PurePosixPath(name).name: name for name in reversed(archive.names)}
        train_batches = [batch for batch in TRAIN_BATCHES if batch in members]
        for required in ((train_batches or TRAIN_BATCHES)[0], TEST_BATCH):
            if required not in members:
                raise DataError(f"{archive.path}: has no {required}. Fetch it again.")
        names = (*train_batches, TEST_BATCH)
        contents = dict(archive.each([members[name] for name in names]))
        batches = {name: _batch(archive, members[name], contents) for name in names}
        train = np.concatenate([batches[name] for name in train_batches])
        test = batches[TEST_BATCH]
        return Arrays(
            splits=held_out(_columns(train), _columns(test), train[:, 0], VALIDATION_SHARE),
            attributes={"class": CLASSES, "animal": ["vehicle", "animal"]},
            notes=[
                *subset_note(len(train), 5 * BATCH, "official train pictures"),
                *subset_note(len(test), BATCH, "official test pictures"),
            ],
        )


def _batch(archive: Archive, name: str, contents: Mapping[str, bytes]) -> Array:
    """The records of a batch file, [n, 3073] uint8: the label, then the picture."""
    content = np.frombuffer(contents[name], np.uint8)
    if not len(content) or len(content) % RECORD:
        raise DataError(
            f"{archive.path}: {name} has {len(content):,} bytes, not a multiple of {RECORD:,}. It "
            "was probably cut short: fetch it again."
        )
    records = content.reshape(-1, RECORD)
    if records[:, 0].max() >= len(CLASSES):
        raise DataError(
            f"{archive.path}: {name} has label {records[:, 0].max()}; classes go from 0 to 9."
        )
    return records


def _columns(records: Array) -> Columns:
    label = records[:, 0].astype(np.int64)
    is_animal = np.array([name in ANIMALS for name in CLASSES], np.int64)
    pictures = records[:, 1:].reshape(-1, 3, SIDE, SIDE)
    return Columns(pictures, {"class": label, "animal": is_animal[label]})

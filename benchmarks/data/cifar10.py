"""CIFAR-10: 60,000 colour pictures of 32 x 32 pixels in ten classes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import ClassVar, cast

import numpy as np

from bench.data.archives import Archive
from bench.data.dataset import DataSet, Labelled, Options, TaskDefinition
from bench.data.prepared import Array, Arrays, Columns
from bench.data.raw import RawFile, RawFolder
from bench.data.splitting import TrainSizeOptions, stratified
from bench.errors import DataError

ARCHIVE = "cifar-10-binary.tar.gz"
CIFAR10_FILES = (
    RawFile(
        ARCHIVE,
        f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}",
        md5="c32a1d4ab5d03f1284b67883e8d87530",  # as the data set's page has it
        others=("cifar-10-batches-bin", "cifar-10-binary*.tar*"),
    ),
)
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
VALIDATION_TO_TRAIN = 1 / 9
SPLIT_SEED = 0


class Cifar10(DataSet):
    """CIFAR-10 in its official split; a tenth of train, stratified by class, is held out.

    It has no bias variable: a suite plants triggers as one.
    """

    title = "CIFAR-10"
    kind = "image"
    licence = "none stated; its page asks to cite Krizhevsky (2009)"
    homepage = "https://www.cs.toronto.edu/~kriz/cifar.html"
    files = CIFAR10_FILES
    tasks: ClassVar = {"class": TaskDefinition("class", None)}
    options = TrainSizeOptions

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Read the batches and split."""
        del options, work
        return read_cifar10(raw)

    def arrange(
        self, split: str, columns: Columns, task: TaskDefinition, options: Options
    ) -> Labelled:
        """Take as many pictures as asked for."""
        columns = cast("TrainSizeOptions", options).fewer(split, columns, VALIDATION_TO_TRAIN)
        return super().arrange(split, columns, task, options)

    def notes(self, options: Options) -> list[str]:
        """Say that pictures were left out."""
        return cast("TrainSizeOptions", options).size_notes()


def read_cifar10(raw: RawFolder) -> Arrays:
    """Pictures [n, 3, 32, 32] with class and animal, in three splits.

    Training batches that are not there are noted, not missed.

    Raises:
        DataError: no test batch, no training batch, or one that is not in the official layout.
    """
    archive = raw.archive(ARCHIVE)
    members = {PurePosixPath(name).name: name for name in reversed(archive.names)}
    here = [batch for batch in TRAIN_BATCHES if batch in members]
    for wanted, found in ((TRAIN_BATCHES[0], here), (TEST_BATCH, TEST_BATCH in members)):
        if not found:
            raise DataError(f"{archive.path}: has no {wanted}. Fetch it again.")
    contents = dict(archive.each([members[batch] for batch in (*here, TEST_BATCH)]))
    batches = {name: _batch(archive, members[name], contents) for name in (*here, TEST_BATCH)}
    train = np.concatenate([batches[name] for name in here])
    rows = stratified(train[:, 0], {"validation": VALIDATION_SHARE}, SPLIT_SEED)
    records = {split: train[i] for split, i in rows.items()} | {"test": batches[TEST_BATCH]}
    sizes = {"train": (len(train), BATCH * 5), "test": (len(records["test"]), BATCH)}
    return Arrays(
        splits={split: _columns(some) for split, some in records.items()},
        attributes={"class": CLASSES, "animal": ["vehicle", "animal"]},
        notes=[
            f"A subset: {size:,} of {official:,} official {part} pictures."
            for part, (size, official) in sizes.items()
            if size != official
        ],
    )


def _batch(archive: Archive, name: str, contents: Mapping[str, bytes]) -> Array:
    """[n, 3073] uint8."""
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

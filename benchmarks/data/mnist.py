"""MNIST: 70,000 handwritten digits of 28 x 28 grey pixels."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import ClassVar

import numpy as np

from bench.data.colouring import DIGIT_VALUES, digit_attributes
from bench.data.dataset import Labelled, Options, TaskDefinition
from bench.data.prepared import Array, Arrays, Columns, Meta
from bench.data.raw import RawFile, RawFolder
from bench.data.splitting import PartialDataSet, stratified
from bench.errors import DataError

# The address and the MD5 sums are those that torchvision uses.
SOURCE = "https://ossci-datasets.s3.amazonaws.com/mnist/"
MD5 = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
MNIST_FILES = tuple(
    RawFile(name, SOURCE + name, md5=md5, others=(name.removesuffix(".gz"),))
    for name, md5 in MD5.items()
)
OFFICIAL_SIZES = {"train": 60_000, "t10k": 10_000}
VALIDATION_SHARE = 1 / 6  # 10,000 of the official 60,000, as many as there are test digits
VALIDATION_TO_TRAIN = 1 / 5
IMAGES, LABELS = 0x00000803, 0x00000801  # magic numbers: unsigned bytes in 3 or 1 dimensions
SIDE = 28


class Mnist(PartialDataSet):
    """MNIST in its official split; a sixth of train, stratified by digit, is held out.

    It has no bias variable; suites plant triggers in its place.
    """

    title = "MNIST"
    kind = "image"
    licence = "CC BY-SA 3.0"
    homepage = "https://yann.lecun.com/exdb/mnist/"
    files = MNIST_FILES
    tasks: ClassVar = {"digit": TaskDefinition("digit", None)}
    validation_to_train = VALIDATION_TO_TRAIN

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Read the four files and hold out the validation digits."""
        del options, work
        return read_mnist(raw)

    def shape(self, meta: Meta) -> tuple[int, ...]:
        """Three equal channels, because triggers are coloured."""
        return (3, *meta.shape[1:])

    def arrange(
        self, split: str, columns: Columns, task: TaskDefinition, options: Options
    ) -> Labelled:
        """Repeat the grey channel three times."""
        part = super().arrange(split, columns, task, options)
        return Labelled(np.repeat(part.x, 3, axis=1), part.y, part.b)


def read_mnist(raw: RawFolder) -> Arrays:
    """Grey digits, [n, 1, 28, 28] uint8, with digit, parity and value, in three splits.

    Raises:
        DataError: a file is missing, cut short or in another layout.
    """
    images, digits, notes = {}, {}, []
    for part, official in OFFICIAL_SIZES.items():
        images[part] = _idx(raw, f"{part}-images-idx3-ubyte.gz", IMAGES)
        digits[part] = _idx(raw, f"{part}-labels-idx1-ubyte.gz", LABELS)
        if len(images[part]) != len(digits[part]):
            raise DataError(
                f"{raw.name}: {part} has {len(images[part]):,} images but {len(digits[part]):,} "
                "labels. Fetch both files again."
            )
        if len(digits[part]) != official:
            notes.append(f"A subset: {len(digits[part]):,} of {official:,} official {part} digits.")
    rows = stratified(digits["train"], {"validation": VALIDATION_SHARE})
    splits = {
        split: Columns(images["train"][i][:, None], digit_attributes(digits["train"][i]))
        for split, i in rows.items()
    }
    splits["test"] = Columns(images["t10k"][:, None], digit_attributes(digits["t10k"]))
    return Arrays(splits=splits, attributes=DIGIT_VALUES, notes=notes)


def _idx(raw: RawFolder, name: str, magic: int) -> Array:
    """The values of an idx file of bytes, packed or not: [n, 28, 28] or [n] uint8.

    Such a file holds a magic number and the dimensions as big-endian 32-bit integers, then values.
    """
    content = raw.read(name)
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{name}: cannot be unpacked ({error}). Fetch it again.") from error
    dimensions = magic & 0xFF
    header = np.frombuffer(content[: 4 * (1 + dimensions)].ljust(4), ">i4")
    if header[0] != magic or len(header) != 1 + dimensions:
        raise DataError(f"{name}: does not begin like an idx file of this kind. Fetch it again.")
    shape = header[1:].tolist()
    values = np.frombuffer(content, np.uint8, offset=4 * (1 + dimensions))
    if len(values) != np.prod(shape):
        raise DataError(
            f"{name}: announces {' x '.join(map(str, shape))} values but has {len(values):,}. "
            "It was probably cut short: fetch it again."
        )
    if dimensions == 3 and shape[1:] != [SIDE, SIDE]:
        raise DataError(f"{name}: its images are {shape[1]} x {shape[2]}, not {SIDE} x {SIDE}.")
    if dimensions == 1 and values.max(initial=0) > 9:
        raise DataError(f"{name}: has label {values.max()}; digits go from 0 to 9.")
    return values.reshape(shape)

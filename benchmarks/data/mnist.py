"""MNIST: 70,000 handwritten digits of 28 x 28 grey pixels."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from bench.data.colouring import DIGIT_VALUES, GreyDigits, digit_attributes
from bench.data.dataset import Options, TaskDefinition
from bench.data.prepared import Array, Arrays, Columns
from bench.data.raw import RawFile, RawFolder
from bench.data.splitting import PartialDataSet, held_out, subset_note
from bench.data.unpacking import gunzipped
from bench.errors import DataError

# The address and the MD5 sums are those that torchvision uses.
SOURCE = "https://ossci-datasets.s3.amazonaws.com/mnist/"
MD5 = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
OFFICIAL_SIZES = {"train": 60_000, "t10k": 10_000}
VALIDATION_SHARE = 1 / 6  # 10,000 of the official 60,000, as many as there are test digits
IMAGES, LABELS = 0x00000803, 0x00000801  # magic numbers: unsigned bytes in 3 or 1 dimensions
SIDE = 28


class Mnist(PartialDataSet, GreyDigits):
    """MNIST in its official split; a sixth of train, stratified by digit, is held out.

    It has no bias variable; suites plant triggers in its place.
    """

    title = "MNIST"
    licence = "CC BY-SA 3.0"
    homepage = "https://yann.lecun.com/exdb/mnist/"
    files = tuple(
        RawFile(name, SOURCE + name, md5=md5, others=(name.removesuffix(".gz"),))
        for name, md5 in MD5.items()
    )
    tasks: ClassVar = {"digit": TaskDefinition("digit", None)}
    validation_to_train = 1 / 5

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Read the four files and hold out the validation digits; pictures are [n, 1, 28, 28]."""
        del options, work
        images, digits = {}, {}
        notes: list[str] = []
        for part, official in OFFICIAL_SIZES.items():
            images[part] = _idx(raw, f"{part}-images-idx3-ubyte.gz", IMAGES)
            digits[part] = _idx(raw, f"{part}-labels-idx1-ubyte.gz", LABELS)
            if len(images[part]) != len(digits[part]):
                raise DataError(
                    f"{raw.name}: {part} has {len(images[part]):,} images but "
                    f"{len(digits[part]):,} labels. Fetch both files again."
                )
            notes += subset_note(len(digits[part]), official, f"official {part} digits")
        whole = {
            part: Columns(x[:, None], digit_attributes(digits[part])) for part, x in images.items()
        }
        splits = held_out(whole["train"], whole["t10k"], digits["train"], VALIDATION_SHARE)
        return Arrays(splits=splits, attributes=DIGIT_VALUES, notes=notes)


def _idx(raw: RawFolder, name: str, magic: int) -> Array:
    """The values of an idx file of bytes, packed or not: [n, 28, 28] or [n] uint8.

    Such a file holds a magic number and the dimensions as big-endian 32-bit integers, then values.
    """
    content = raw.read(name)
    if content[:2] == b"\x1f\x8b":
        content = gunzipped(content, name)
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

"""Prepared data: arrays on disk and a small JSON that says what they are."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from benchmarks.data.raw import RawRecord
from benchmarks.errors import DataError
from benchmarks.result import Record

SPLITS = ("train", "validation", "test")
Array = npt.NDArray[Any]


class Meta(Record):
    """What the arrays in a folder of prepared data are."""

    name: str
    title: str
    recipe: int
    kind: Literal["table", "image"]
    shape: list[int]
    columns: list[str] | None
    attributes: dict[str, list[str]]
    stored: list[str]
    sizes: dict[str, int]
    normalisation: dict[str, dict[str, float]]
    notes: list[str]
    raw: list[RawRecord]
    hash: str

    @property
    def official(self) -> bool:
        """Whether every raw file is the official one."""
        return all(file.official for file in self.raw)


@dataclass(frozen=True)
class Columns:
    """One split: inputs and, by name, the attributes that can be targets or groups."""

    x: Array
    attributes: Mapping[str, Array]


@dataclass(frozen=True)
class Arrays:
    """What a data set's `prepare` makes of raw files.

    Attributes:
        splits: train, validation and test.
        attributes: names of each attribute's values; the arrays hold their positions.
        columns: names of a table's inputs.
        normalisation: column -> mean and standard deviation, fitted on train alone.
        notes: facts that every page with this data must show.
    """

    splits: Mapping[str, Columns]
    attributes: Mapping[str, list[str]]
    columns: list[str] | None = None
    normalisation: Mapping[str, dict[str, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def write(folder: Path, arrays: Arrays, about: Mapping[str, Any]) -> Meta:
    """Write arrays and their JSON into `folder`, which appears whole or not at all.

    One writer at a time: what one that was killed left behind is removed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for stale in folder.parent.glob(f".{folder.name}.*/"):
        shutil.rmtree(stale, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    before = Path(f"{temporary}.before")
    try:
        content = hashlib.sha256()
        for split in SPLITS:
            columns = arrays.splits[split]
            for name, array in [("x", columns.x), *sorted(columns.attributes.items())]:
                np.save(temporary / f"{split}.{name}.npy", array, allow_pickle=False)
                content.update(f"{split}.{name}:{array.dtype}:{array.shape};".encode())
                content.update(np.ascontiguousarray(array).tobytes())
        meta = Meta(
            shape=list(arrays.splits["train"].x.shape[1:]),
            columns=arrays.columns,
            attributes=dict(arrays.attributes),
            stored=sorted(arrays.splits["train"].attributes),
            sizes={split: len(arrays.splits[split].x) for split in SPLITS},
            normalisation=dict(arrays.normalisation),
            notes=arrays.notes,
            hash=content.hexdigest(),
            **about,
        )
        (temporary / "meta.json").write_text(meta.model_dump_json(indent=1) + "\n", "utf-8")
        temporary.chmod(0o755)
        if folder.exists():
            folder.rename(before)
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        if before.exists():
            before.rename(folder)
        raise
    shutil.rmtree(before, ignore_errors=True)
    return meta


def read_meta(folder: Path) -> Meta | None:
    """What stands in `folder`, or None where nothing is prepared."""
    path = folder / "meta.json"
    if not path.exists():
        return None
    try:
        return Meta.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: damaged. Run `bench data prepare {folder.name}`.") from error


def read_split(folder: Path, meta: Meta, split: str) -> Columns:
    """One split, memory-mapped. Raises DataError where an array is missing or damaged."""

    def load(name: str) -> Array:
        path = folder / f"{split}.{name}.npy"
        try:
            array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(
                f"{path}: cannot be read ({error}). Run `bench data prepare {meta.name}`."
            ) from error
        return array

    return Columns(load("x"), {name: load(name) for name in meta.stored})

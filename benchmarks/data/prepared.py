"""Prepared data: arrays on disk, a small JSON that says what they are, and digests of all files."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import AliasChoices, Field, ValidationError

from bench.data.raw import Array, RawRecord, named
from bench.disk.digests import (
    DIGESTS,
    Advance,
    foreign,
    progress,
    read_digests,
    size_of,
    write_digests,
)  # fmt: skip
from bench.disk.digests import damages as file_damages
from bench.disk.files import reserve
from bench.errors import DataError
from bench.result import FileName, Record, fsync_folder

SPLITS = ("train", "validation", "test")
Kind = Literal["table", "image", "sound", "text"]


class Meta(Record):
    """The description of a folder of prepared arrays, kept beside them as meta.json.

    `hash` is the SHA-256 of the arrays and covariates (and of the revision where networks see
    features that are computed later), not of titles and notes.
    """

    name: str
    title: str
    revision: int = Field(validation_alias=AliasChoices("revision", "recipe"))
    kind: Kind
    shape: list[int]
    columns: list[str] | None
    attributes: dict[str, list[str]]
    stored: list[FileName]
    sizes: dict[str, int]
    normalisation: dict[str, dict[str, float]]
    covariates: dict[str, list[float]] = Field({})
    """By attribute, one number for each of its values."""
    notes: list[str]
    raw: list[RawRecord]
    stamps: dict[str, list[int]] = Field({})
    """By raw file, its size and time of modification when it was read."""
    hash: str

    @property
    def official(self) -> bool:
        """Whether every raw file has the official checksum."""
        return all(file.official for file in self.raw)

    @property
    def comparable(self) -> bool:
        """Whether that is known: False where no file differs and some could not be compared."""
        return bool(self.different) or all(file.comparable for file in self.raw)

    @property
    def different(self) -> list[str]:
        """The raw files that have another checksum than the official ones."""
        return [file.name for file in self.raw if file.comparable and not file.official]

    @property
    def remarks(self) -> list[str]:
        """The notes, and a sentence where raw files are not the official ones."""
        sentence = f"Raw files are not the official ones: {named(self.different)}."
        return [*self.notes, *([sentence] if self.different else [])]


@dataclass(frozen=True)
class Columns:
    """One split: inputs, and by name the attributes that can be targets or groups, [n] each.

    Inputs that do not fit into memory are memory maps of .npy files; `write` moves these files.
    """

    x: Array
    attributes: Mapping[str, Array]

    def subset(self, rows: Array) -> Columns:
        """These rows: their numbers, or [n] bool."""
        return Columns(self.x[rows], {name: v[rows] for name, v in self.attributes.items()})


@dataclass(frozen=True)
class Arrays:
    """The arrays that a data set's `prepare` makes from its raw files.

    Attributes:
        splits: train, validation and test.
        attributes: attribute -> names of its values; the arrays hold positions in this list.
        columns: names of a table's inputs, or the vocabulary of texts: a word's position is its id.
        normalisation: column of a table, or band of a spectrum, -> its mean and standard deviation
            ("mean", "std"), fitted on the training rows alone.
        covariates: attribute -> one number for each of its values (a country's log GDP per capita).
        notes: facts that every page with this data must show.
    """

    splits: Mapping[str, Columns]
    attributes: Mapping[str, list[str]]
    columns: list[str] | None = None
    normalisation: Mapping[str, dict[str, float]] = field(default_factory=dict)
    covariates: Mapping[str, list[float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class DecodedFiles:
    """Inputs decoded from files of one sample each, without the files that could not be read.

    Attributes:
        x: split -> inputs, [kept files, ...].
        kept: split -> [files] bool, False where a file was left out.
    """

    x: dict[str, Array]
    kept: dict[str, Array]

    def splits(self, attributes: Mapping[str, Mapping[str, Array]]) -> dict[str, Columns]:
        """Add attributes, given for every file: split -> attribute -> [files]."""
        return {
            split: Columns(x, {name: v[self.kept[split]] for name, v in attributes[split].items()})
            for split, x in self.x.items()
        }


def rows_of(where: Mapping[str, Sequence[str]]) -> dict[str, list[tuple[str, int]]]:
    """Name of each file -> the rows it fills, (split, row): a file may stand in several splits."""
    rows: dict[str, list[tuple[str, int]]] = {}
    for split, names in where.items():
        for row, name in enumerate(names):
            rows.setdefault(name, []).append((split, row))
    return rows


def leaks(where: Mapping[str, Sequence[str]], things: str) -> list[str]:
    """A note where files stand in several splits, or several times in one."""
    twice = {name: rows for name, rows in rows_of(where).items() if len(rows) > 1}
    if not twice:
        return []
    pairs = sorted({" and ".join(dict.fromkeys(split for split, _ in r)) for r in twice.values()})
    return [
        f"{len(twice):,} {things} stand in both {', in both '.join(pairs)}, so that what is "
        f"learned and what is measured overlap: {named(list(twice))}."
    ]


def write(folder: Path, arrays: Arrays, about: Mapping[str, Any]) -> Meta:
    """Write arrays and meta.json into `folder`, which appears whole or not at all.

    Only one process may write at a time: temporary folders of writers that were killed are removed.

    Args:
        folder: where the arrays go; an earlier copy is replaced.
        arrays: what to write.
        about: the fields of `Meta` that the arrays do not decide.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for stale in folder.parent.glob(f".{folder.name}.*/"):
        shutil.rmtree(stale, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    before = Path(f"{temporary}.before")
    try:
        content = content_hash(
            arrays.splits, kind=about["kind"], revision=about["revision"],
            covariates=arrays.covariates,
        )  # fmt: skip
        for split, columns in arrays.splits.items():
            for name, array in [("x", columns.x), *columns.attributes.items()]:
                _save(array, temporary / f"{split}.{name}.npy")
        meta = Meta(
            shape=list(arrays.splits["train"].x.shape[1:]),
            columns=arrays.columns,
            attributes=dict(arrays.attributes),
            stored=sorted(arrays.splits["train"].attributes),
            sizes={split: len(arrays.splits[split].x) for split in SPLITS},
            normalisation=dict(arrays.normalisation),
            covariates=dict(arrays.covariates),
            notes=arrays.notes,
            hash=content,
            **about,
        )
        (temporary / "meta.json").write_text(meta.model_dump_json(indent=1) + "\n", "utf-8")
        write_digests(temporary)
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
    fsync_folder(folder.parent)
    return meta


def content_hash(
    splits: Mapping[str, Columns],
    *,
    kind: Kind,
    revision: int,
    covariates: Mapping[str, list[float]],
    advance: Advance | None = None,
) -> str:
    """The hash of arrays as `Meta` describes it; `advance` is told of the bytes of the arrays."""
    content = hashlib.sha256()
    if kind == "sound":  # its features are computed later, by code of this revision
        content.update(f"recipe:{revision};".encode())
    if covariates:
        content.update(f"covariates:{dict(covariates)!r};".encode())
    for split in SPLITS:
        columns = splits[split]
        for name, array in [("x", columns.x), *sorted(columns.attributes.items())]:
            content.update(f"{split}.{name}:{array.dtype}:{array.shape};".encode())
            for rows in _chunks(array):
                content.update(rows.tobytes())
                if advance:
                    advance(rows.nbytes)
    return content.hexdigest()


def damages(folder: Path, meta: Meta) -> list[str]:
    """A sentence about each file of a prepared copy that is missing or not as it was written.

    A copy of an earlier version has no digests of its files: its arrays are then compared, all
    together, with the hash in its meta.json.
    """
    try:
        digests = read_digests(folder)
    except (OSError, ValueError) as error:
        return [f"{folder / DIGESTS} is damaged ({error})"]
    with progress(f"checking {folder.name}", size_of(folder)) as advance:
        if digests is not None:
            return list(file_damages(folder, digests, advance))
        try:
            splits = {split: read_split(folder, meta, split) for split in SPLITS}
        except DataError as error:
            return [str(error)]
        content = content_hash(
            splits, kind=meta.kind, revision=meta.revision, covariates=meta.covariates,
            advance=advance,
        )  # fmt: skip
    return [] if content == meta.hash else [f"{folder}: its arrays are not those of its meta.json"]


def unexpected(folder: Path, meta: Meta) -> list[Path]:
    """Files in the folder of a prepared copy that are not part of it."""
    names = [f"{split}.{name}.npy" for split in SPLITS for name in ("x", *meta.stored)]
    return foreign(folder, dict.fromkeys(["meta.json", *names], ""))


def _chunks(array: Array, size: int = 2**28) -> Iterator[Array]:
    """The rows in chunks of about `size` bytes, because some arrays do not fit into memory."""
    rows = max(1, size // max(1, array[:1].nbytes))
    for start in range(0, len(array), rows):
        yield np.ascontiguousarray(array[start : start + rows])


def _save(array: Array, path: Path) -> None:
    if isinstance(array, np.memmap):
        array.flush()
        shutil.move(str(array.filename), path)
    else:
        with path.open("wb") as file:
            reserve(file, array.nbytes)
            np.save(file, array, allow_pickle=False)


def read_meta(folder: Path, remedy: str = "") -> Meta | None:
    """The description of a prepared folder, or None. Raises DataError if meta.json is damaged."""
    path = folder / "meta.json"
    if not path.exists():
        return None
    try:
        return Meta.model_validate_json(path.read_bytes())
    except (OSError, ValidationError, RecursionError) as error:
        raise DataError(f"{path}: damaged. {remedy}".rstrip()) from error


def read_split(folder: Path, meta: Meta, split: str, remedy: str = "") -> Columns:
    """One split as memory maps. Raises DataError if one is missing or damaged.

    The maps are copied where they are written to: no method can change the files. (A tensor that
    shares memory with a read-only map would kill the process that writes to it.)
    """

    def load(name: str) -> Array:
        path = folder / f"{split}.{name}.npy"
        try:
            array: Array = np.load(path, mmap_mode="c", allow_pickle=False)
        except (OSError, ValueError, EOFError, SyntaxError, TypeError, OverflowError) as error:
            raise DataError(f"{path}: cannot be read ({error}). {remedy}".rstrip()) from error
        return array

    return Columns(load("x"), {name: load(name) for name in meta.stored})

"""The contract of data sets, and the library that fetches, prepares and reads them."""

from __future__ import annotations

import shutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from bench.data import prepared
from bench.data.prepared import Array, Arrays, Columns, Kind, Meta
from bench.data.raw import MIRROR, RawFile, RawFolder, RawRecord, named
from bench.disk.locking import Holder, awaited
from bench.errors import DataError, UsageError, writing
from bench.plugins import classes, discover, lookup


class Options(BaseModel):
    """Task fields of a data set; subclasses add those of one. A track adds fields of its own."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True
    )


@dataclass(frozen=True)
class TaskDefinition:
    """Which attribute of a data set to predict, and which groups its samples belong to.

    Attributes:
        target: The attribute to predict. Where its values have no names, it is a regression.
        bias: An attribute with two values on which predictions should not depend; None where only
            a planted trigger can take this part.
        published: The "data set/task" under which the table of published figures lists it.
        group: An attribute with many values over which accuracy should be even. It takes the place
            of `bias`.
        covariate: What accuracy should not depend on, in words ("log GDP per capita"); the prepared
            data holds one number for each value of `group`.
    """

    target: str
    bias: str | None
    published: str | None = None
    group: str | None = None
    covariate: str = ""


@dataclass(frozen=True)
class Labelled:
    """One split of one task: inputs [n, ...], targets [n] and groups [n]."""

    x: Array
    y: Array
    b: Array


class DataSet(ABC):
    """A data set. The module that defines its class has its name.

    Attributes:
        title: The name for people.
        kind: "table", "image", "sound" or "text".
        licence: The terms under which the raw files are published.
        homepage: The address of the page that describes them.
        files: The raw files to download; empty where the data comes with a library.
        consent: What a person must agree to or do before downloading, or None.
        shares: The data set whose raw files these are, where it is another one ("mnist").
        revision: Raise it when `prepare` or `features` changes; prepared copies are then made anew.
        tasks: The tasks by name, which is `target|bias`.
        listed: The tasks that lists show and every prepared copy must support; empty for all.
        further: A sentence about the other tasks.
        evaluation_only: Whether there is only a test split, of images that published classifiers
            were trained to recognise.
        options: The fields that a suite may set for its tasks.
    """

    title: ClassVar[str]
    kind: ClassVar[Kind]
    licence: ClassVar[str]
    homepage: ClassVar[str]
    files: ClassVar[tuple[RawFile, ...]] = ()
    consent: ClassVar[str | None] = None
    shares: ClassVar[str | None] = None
    revision: ClassVar[int] = 1
    tasks: ClassVar[Mapping[str, TaskDefinition]]
    listed: ClassVar[tuple[str, ...]] = ()
    further: ClassVar[str] = ""
    evaluation_only: ClassVar[bool] = False
    options: ClassVar[type[Options]] = Options

    @property
    def name(self) -> str:
        """The name of the module that defines the class."""
        return type(self).__module__.rpartition(".")[2]

    @property
    def listed_tasks(self) -> dict[str, TaskDefinition]:
        """The tasks that lists show, by name."""
        return {name: self.tasks[name] for name in self.listed or self.tasks}

    @abstractmethod
    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Turn raw files into arrays.

        Args:
            raw: The raw files.
            options: Options of the task. Only those that `variant` names may change the arrays.
            work: A folder for intermediate files that should survive an interruption (decoded
                pictures). It may not exist yet, and is removed when the arrays are complete.

        Raises:
            DataError: A raw file is not as expected; the message names file, row and column.
        """

    def variant(self, options: Options) -> str:
        """Name of the prepared copy for these options ("128px"); "" where there is only one."""
        del options
        return ""

    def shape(self, meta: Meta) -> tuple[int, ...]:
        """Shape of one input as `arrange` returns it."""
        return tuple(meta.shape)

    def features(self, x: Array, meta: Meta) -> Array:
        """What networks are given of inputs [n, ...] that `arrange` returned or an attack changed.

        Where the two differ (sounds), this is slow, so callers do it once for a whole split.
        """
        del meta
        return x

    def feature_shape(self, meta: Meta) -> tuple[int, ...]:
        """Shape of one input as `features` returns it."""
        return self.shape(meta)

    def arrange(
        self, split: str, columns: Columns, task: TaskDefinition, options: Options
    ) -> Labelled:
        """One split of one task. Data sets that change inputs (coloured digits) override this."""
        del split, options
        y = labels(columns.attributes[task.target])
        group = task.group or task.bias
        b = labels(columns.attributes[group]) if group else np.zeros(len(y), np.int64)
        return Labelled(columns.x, y, b)

    def notes(self, options: Options) -> list[str]:
        """Sentences about a task with these options that its page must show."""
        del options
        return []


class Library:
    """The data sets on this machine: downloads in `folder`/raw, arrays in `folder`/prepared."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def raw(self, data: DataSet) -> RawFolder:
        """The raw files of a data set."""
        return RawFolder(data.shares or data.name, data.files, self.folder / "raw")

    def prepared_folder(self, name: str, options: Options | None = None) -> Path:
        """The folder of the arrays of a data set, in the variant that the options need."""
        return self.folder / "prepared" / prepared_name(name, options)

    def meta(self, name: str, options: Options | None = None) -> Meta | None:
        """The description of a prepared copy; None where there is none of this revision."""
        meta = prepared.read_meta(self.prepared_folder(name, options), remedy(name, options))
        return meta if meta and meta.revision == data_set(name).revision else None

    def prepared(self, name: str) -> dict[str, Meta]:
        """The prepared copies of a data set, by their variants ("128px" or "")."""
        copies = {}
        for folder in self.copies(name):
            meta = prepared.read_meta(folder, self.remedy_of(name, folder))
            if meta and meta.name == name and meta.revision == data_set(name).revision:
                copies[folder.name.removeprefix(name).removeprefix("-")] = meta
        return copies

    def copies(self, name: str) -> list[Path]:
        """Folders of the prepared copies of a data set, whole or not."""
        folder = self.folder / "prepared"
        return sorted(path for path in (folder / name, *folder.glob(f"{name}-*")) if path.is_dir())

    def verify(self, name: str, options: Options | None = None) -> None:
        """Raise DataError if a file of a prepared copy is not as it was written."""
        folder = self.prepared_folder(name, options)
        meta = self.meta(name, options)
        if meta and (found := prepared.damages(folder, meta)):
            more = f", and {len(found) - 1} more" if len(found) > 1 else ""
            raise DataError(f"{found[0]}{more}. {remedy(name, options)}")

    def check(self, name: str) -> Iterator[tuple[Path, list[str]]]:
        """The folder of each prepared copy, and a sentence about each thing wrong with it."""
        for folder in self.copies(name):
            try:
                meta = prepared.read_meta(folder)
            except DataError as error:
                yield folder, [str(error).rstrip(".")]
                continue
            if meta is None:
                yield folder, [f"{folder / 'meta.json'} is missing"]
                continue
            extra = [f"{path} is not part of it" for path in prepared.unexpected(folder, meta)]
            yield folder, [*prepared.damages(folder, meta), *extra]

    def remedy_of(self, name: str, folder: Path) -> str:
        """What to do about a damaged copy of which only the folder is known."""
        if folder == self.prepared_folder(name):
            return remedy(name)
        return f"Remove {folder}: the next sweep that needs it prepares it again."

    def get(self, name: str, accept_licence: bool = False) -> list[Path]:
        """Download the raw files that are missing, and return their paths.

        Raises:
            UsageError: Consent is needed and not given, or only a person can download them.
        """
        data = data_set(name)
        raw = self.raw(data)
        missing = raw.missing()
        if any(file.url is None for file in missing):
            raise UsageError(_by_hand(data, raw, missing))
        if missing and data.consent and not accept_licence:
            raise UsageError(
                f"{name}: {data.consent} Run `bench data get {name} --accept-licence` once you "
                f"agree, or put {', '.join(f.name for f in missing)} into {raw.downloads}. "
                f"{raw.holdings()}".rstrip()
            )
        return raw.download()

    def prepare(self, name: str, options: Options | None = None) -> Meta:
        """Make the arrays of a data set from its raw files, in place of those made before."""
        self.get(name)
        with self._locked(name, options):
            return self._prepare(name, options)

    def ensure(self, name: str, options: Options | None = None) -> Meta:
        """The description of the prepared copy, which is made now where there is none.

        It is made anew, and that is said, where raw files changed since.
        """
        if meta := self.meta(name, options):
            changed = self.raw(data_set(name)).changed(meta.stamps, meta.raw)
            if not changed:
                return meta
            sys.stderr.write(
                f"{name}: {named(changed)} changed since it was prepared; it is prepared again\n"
            )
            return self.prepare(name, options)
        self.get(name)
        with self._locked(name, options):  # where another process just made it, that is enough
            return self.meta(name, options) or self._prepare(name, options)

    def _locked(self, name: str, options: Options | None) -> AbstractContextManager[None]:
        folder = self.prepared_folder(name, options)
        with writing(folder.parent, DataError):
            folder.parent.mkdir(parents=True, exist_ok=True)
        told: list[str] = []

        def report(holder: Holder | None) -> None:
            who = f"{holder} prepares it" if holder else "another process prepares it"
            if who not in told:
                told.append(who)
                sys.stderr.write(f"waiting for {folder.name}: {who}\n")

        return awaited(folder.parent / f".{folder.name}.lock", folder.parent, report)

    def _prepare(self, name: str, options: Options | None) -> Meta:
        data = data_set(name)
        options = options or data.options()
        raw, folder = self.raw(data), self.prepared_folder(name, options)
        work = self.folder / "work" / folder.name
        with writing(self.folder, DataError):
            stamps = raw.stamps()  # before they are read: what changes meanwhile is noticed
            arrays = data.prepare(raw, options, work)
            if not data.evaluation_only:
                _check(name, arrays, data)
            records = raw.records()
            about = {
                "name": name,
                "title": data.title,
                "revision": data.revision,
                "kind": data.kind,
                "raw": records,
                "stamps": stamps,
            }
            arrays = replace(
                arrays, notes=[*arrays.notes, *raw.account(), *_not_comparable(records)]
            )
            meta = prepared.write(folder, arrays, about)
            shutil.rmtree(work, ignore_errors=True)
            return meta

    def splits(self, name: str, task: str, options: Options) -> dict[str, Labelled]:
        """All splits of one task. Raises DataError where the data set is not prepared."""
        data, folder = data_set(name), self.prepared_folder(name, options)
        meta = self.meta(name, options)
        if meta is None:
            raise DataError(f"{name} is not prepared. {remedy(name, options)}")
        again = remedy(name, options)
        return {
            split: data.arrange(
                split, prepared.read_split(folder, meta, split, again), data.tasks[task], options
            )
            for split in prepared.SPLITS
        }


def prepared_name(name: str, options: Options | None = None) -> str:
    """Name of a folder of prepared arrays: the data set's, and its variant's after a dash."""
    data = data_set(name)
    variant = data.variant(options or data.options())
    return f"{name}-{variant}" if variant else name


def remedy(name: str, options: Options | None = None) -> str:
    """What to do where a prepared copy is missing or damaged."""
    defaults = data_set(name).options()
    changed = [
        f" --option {field}={value}"
        for field, value in (options or defaults).model_dump().items()
        if hasattr(defaults, field) and value != getattr(defaults, field)
    ]
    return f"Run `bench data prepare {name}{''.join(changed)}`."


@cache
def data_sets() -> dict[str, DataSet]:
    """Every data set by name: each module of this package or of a plug-in that defines one."""

    def pick(module: ModuleType) -> list[DataSet]:
        return [cls() for cls in classes(module, DataSet)]  # type: ignore[type-abstract]

    return discover("data set", ["bench.data"], pick)


def data_set(name: str) -> DataSet:
    """A data set by name. Raises UsageError for an unknown one."""
    return lookup("data set", name, data_sets())


def labels(values: Array) -> Array:
    """Targets or groups in the types that training expects: int64, or float32 for real numbers."""
    return values.astype(np.float32 if values.dtype.kind == "f" else np.int64)


def _by_hand(data: DataSet, raw: RawFolder, missing: list[RawFile]) -> str:
    """Instructions for a person: what to download, where to put it, and how to check it."""
    lines = [f"{data.name}: {data.consent or 'These files are fetched by hand.'}"]
    lines += [f"1. Open {data.homepage} and download, if you agree to the terms there:"]
    for file in missing:
        checksum = file.checksum or "no checksum is published"
        lines.append(f"   {file.name}: {file.location} ({checksum})")
    lines += [
        f"2. Put them, packed as they are, into {raw.downloads}, or into ${MIRROR}/{raw.name}.",
        f"3. `bench data check {data.name}` compares their checksums with the official ones where "
        f"there are any; `bench data prepare {data.name}` reads them without unpacking.",
    ]
    if holdings := raw.holdings():
        lines.append(f"{holdings} Files under other names are not recognised.")
    return "\n       ".join(lines)


def _not_comparable(records: list[RawRecord]) -> list[str]:
    by_obstacle: dict[str, list[str]] = {}
    for record in records:
        if not record.comparable:
            by_obstacle.setdefault(record.obstacle, []).append(record.name)
    notes = []
    for obstacle, names in by_obstacle.items():
        few = names if len(names) <= 3 else [names[0], f"{len(names) - 1} other files"]
        notes.append(f"{' and '.join(few)} could not be compared with the official: {obstacle}.")
    return notes


def _check(name: str, arrays: Arrays, data: DataSet) -> None:
    """Raise DataError where a split lacks a class or a group of a listed task or is not finite."""
    attributes = {
        attribute
        for task in data.listed_tasks.values()
        for attribute in (task.target, task.bias)
        if attribute
    }
    for split, columns in arrays.splits.items():
        for attribute in sorted(attributes & set(columns.attributes)):
            column = columns.attributes[attribute]
            present = set(np.unique(column).tolist())
            values = arrays.attributes.get(attribute)
            if values is None and not (len(column) and np.isfinite(column).all()):
                raise DataError(f"{name}: the {split} split has no finite {attribute}.")
            absent = [v for i, v in enumerate(values or []) if i not in present]
            if absent:
                raise DataError(
                    f"{name}: the {split} split has no row with {attribute} = "
                    f"{' or '.join(absent)}. The raw files are probably incomplete."
                )

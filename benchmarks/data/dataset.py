"""What a data set is: its raw files, how they become arrays, and the tasks it poses."""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal

from filelock import FileLock
from pydantic import BaseModel, ConfigDict

from benchmarks.data import prepared
from benchmarks.data.prepared import Array, Arrays, Columns, Meta
from benchmarks.data.raw import RawFile, RawFolder
from benchmarks.errors import DataError, UsageError, unknown


class Options(BaseModel):
    """Task fields that only one data set has; subclasses add theirs."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


@dataclass(frozen=True)
class TaskDefinition:
    """A question a data set poses.

    Attributes:
        target: attribute to predict.
        bias: attribute with two values that predictions should not depend on.
        published: dataset/task under which reports/published.csv lists figures.
    """

    target: str
    bias: str
    published: str | None = None


@dataclass(frozen=True)
class Labelled:
    """One split of one task: inputs, targets and groups."""

    x: Array
    y: Array
    b: Array


class DataSet(ABC):
    """One data set; its class lives in the module of its name in benchmarks/data/.

    Attributes:
        title: name in words.
        kind: table or image.
        licence: under which terms the raw files come.
        homepage: where they are described.
        files: upstream files; empty where the data is embedded.
        consent: what a person must do before downloading, or None.
        recipe: raise it when `prepare` changes, and prepared copies are made anew.
        tasks: by name, `target|bias`.
        options: further task fields.
    """

    title: ClassVar[str]
    kind: ClassVar[Literal["table", "image"]]
    licence: ClassVar[str]
    homepage: ClassVar[str]
    files: ClassVar[tuple[RawFile, ...]] = ()
    consent: ClassVar[str | None] = None
    recipe: ClassVar[int] = 1
    tasks: ClassVar[Mapping[str, TaskDefinition]]
    options: ClassVar[type[Options]] = Options

    @property
    def name(self) -> str:
        """The module's name."""
        return type(self).__module__.rpartition(".")[2]

    @abstractmethod
    def prepare(self, raw: RawFolder) -> Arrays:
        """Turn raw files into arrays. Raises DataError naming the file, row and column."""

    def shape(self, meta: Meta) -> tuple[int, ...]:
        """Shape of one input as `arrange` gives it."""
        return tuple(meta.shape)

    def arrange(
        self, split: str, columns: Columns, task: TaskDefinition, options: Options
    ) -> Labelled:
        """One split of one task. Data sets that alter inputs (coloured digits) override this."""
        del split, options
        return Labelled(columns.x, columns.attributes[task.target], columns.attributes[task.bias])

    def notes(self, options: Options) -> list[str]:
        """Facts about a task with these options that its page must show."""
        del options
        return []


class Library:
    """Data sets on this machine: `folder`/raw holds downloads, `folder`/prepared the arrays."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def raw(self, data: DataSet) -> RawFolder:
        """The raw files of a data set."""
        return RawFolder(data.name, data.files, self.folder / "raw")

    def prepared_folder(self, name: str) -> Path:
        """Where the arrays of a data set stand."""
        return self.folder / "prepared" / name

    def meta(self, name: str) -> Meta | None:
        """What is prepared of a data set, or None (also where the recipe is outdated)."""
        meta = prepared.read_meta(self.prepared_folder(name))
        return meta if meta and meta.recipe == data_set(name).recipe else None

    def get(self, name: str, accept_licence: bool = False) -> list[Path]:
        """Fetch missing raw files. Raises UsageError where consent is needed and not given."""
        data = data_set(name)
        raw = self.raw(data)
        if raw.missing() and data.consent and not accept_licence:
            raise UsageError(
                f"{name}: {data.consent} Run `bench data get {name} --accept-licence` once you "
                f"agree, or put {', '.join(f.name for f in raw.missing())} into {raw.downloads}."
            )
        return raw.download()

    def prepare(self, name: str) -> Meta:
        """Make the arrays of a data set from its raw files, whatever stood there before."""
        data = data_set(name)
        self.get(name)
        raw = self.raw(data)
        folder = self.prepared_folder(name)
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{folder.parent}: cannot write here ({error.strerror}).") from error
        with FileLock(folder.parent / f".{name}.lock"):
            arrays = data.prepare(raw)
            _check(name, arrays, data)
            about = {
                "name": name,
                "title": data.title,
                "recipe": data.recipe,
                "kind": data.kind,
                "raw": raw.records(),
            }
            return prepared.write(folder, arrays, about)

    def ensure(self, name: str) -> Meta:
        """What is prepared of a data set, preparing it now where needed."""
        return self.meta(name) or self.prepare(name)

    def splits(self, name: str, task: str, options: Options) -> dict[str, Labelled]:
        """All splits of one task."""
        data, folder = data_set(name), self.prepared_folder(name)
        meta = self.meta(name)
        if meta is None:
            raise DataError(f"{name} is not prepared. Run `bench data prepare {name}`.")
        return {
            split: data.arrange(
                split, prepared.read_split(folder, meta, split), data.tasks[task], options
            )
            for split in prepared.SPLITS
        }


@cache
def data_sets() -> dict[str, DataSet]:
    """Every data set by name: each module of this package that defines one."""
    import benchmarks.data as package  # noqa: PLC0415 - the package of this very module

    found: dict[str, DataSet] = {}
    for module in pkgutil.iter_modules(package.__path__):
        loaded = importlib.import_module(f"{package.__name__}.{module.name}")
        for thing in vars(loaded).values():
            if _is_own_data_set(thing, loaded.__name__):
                found[module.name] = thing()
    return found


def data_set(name: str) -> DataSet:
    """A data set by name. Raises UsageError for an unknown one."""
    if name not in data_sets():
        raise UsageError(unknown("data set", name, data_sets()))
    return data_sets()[name]


def _is_own_data_set(thing: Any, module: str) -> bool:
    return (
        isinstance(thing, type)
        and issubclass(thing, DataSet)
        and thing is not DataSet
        and thing.__module__ == module
    )


def _check(name: str, arrays: Arrays, data: DataSet) -> None:
    """No split may lack a group or a class of any task."""
    for split, columns in arrays.splits.items():
        for task in data.tasks.values():
            for attribute in (task.target, task.bias):
                values = arrays.attributes.get(attribute)
                if values is None or attribute not in columns.attributes:
                    continue
                present = set(columns.attributes[attribute].tolist())
                absent = [v for i, v in enumerate(values) if i not in present]
                if absent:
                    raise DataError(
                        f"{name}: the {split} split has no row with {attribute} = "
                        f"{' or '.join(absent)}. The raw files are probably incomplete."
                    )

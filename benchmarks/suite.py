"""A suite file, read and checked: what `--suite` names.

A suite lists tasks, methods, seeds and training settings. `matrix:` under a task or a method
expands one entry into every combination of the listed values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmarks.data.dataset import Options, data_set, data_sets
from benchmarks.errors import BenchError, SuiteError, UsageError, unknown
from benchmarks.learning.backbones import check_backbone
from benchmarks.learning.settings import Training
from benchmarks.method import Method, make, methods
from benchmarks.result import Scalar

FOLDER = Path(__file__).parent / "suites"
Place = Sequence[str | int]


class TaskEntry(BaseModel):
    """A task as written; further keys are options of its data set."""

    model_config = ConfigDict(extra="allow", strict=True)

    data: str
    task: str
    training: dict[str, Scalar] = {}
    matrix: dict[str, list[Scalar]] = {}

    @property
    def options(self) -> dict[str, Any]:
        """The data set's own fields."""
        return dict(self.__pydantic_extra__ or {})


class SuiteFile(BaseModel):
    """A suite as written."""

    model_config = ConfigDict(extra="forbid", strict=True)

    title: str
    description: str = ""
    seeds: int | list[int] = 5
    training: dict[str, Scalar] = {}
    tasks: list[TaskEntry] = Field(min_length=1)
    methods: list[str | dict[str, dict[str, Any] | None]] = Field(min_length=1)


@dataclass(frozen=True)
class TaskSpec:
    """A data set, the question asked of it, and how networks are trained on it."""

    data: str
    task: str
    options: Options
    training: Training
    track: str = "debiasing"

    @property
    def name(self) -> str:
        """Name on the page: data, task, and the options that differ from the defaults."""
        changed = self.options.model_dump(exclude_defaults=True)
        inside = ",".join(f"{k}={v:g}" if isinstance(v, float) else f"{k}={v}"
                          for k, v in changed.items())  # fmt: skip
        return f"{self.data} {self.task}" + (f" [{inside}]" if inside else "")


@dataclass(frozen=True)
class Suite:
    """A suite with its sweeps expanded."""

    name: str
    title: str
    description: str
    seeds: tuple[int, ...]
    tasks: tuple[TaskSpec, ...]
    methods: tuple[Method, ...]


class Source:
    """A YAML file that knows at which line each of its parts stands."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            text = path.read_text(encoding="utf-8")
            self.root = yaml.compose(text, Loader=yaml.SafeLoader)
            self.content = yaml.safe_load(text)
        except (OSError, UnicodeDecodeError) as error:
            raise SuiteError(f"{path}: cannot be read ({error}).") from error
        except yaml.YAMLError as error:
            raise SuiteError(f"{path}: not YAML ({' '.join(str(error).split())}).") from error

    def error(self, place: Place, message: str) -> SuiteError:
        """The error to raise for a mistake at `place`."""
        return SuiteError(f"{self.path}, line {self._line(place)}, {_dotted(place)}: {message}")

    def _line(self, place: Place) -> int:
        node, line = self.root, 1
        for part in place:
            found = _child(node, part)
            if found is None:
                break
            line, node = found
        return line


def suite_names() -> dict[str, Path]:
    """The suites that come along, by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}


def find_suite(name: str) -> Path:
    """The file of a suite, by its name or its path. Raises UsageError where there is none."""
    if name in suite_names():
        return suite_names()[name]
    if name.endswith((".yaml", ".yml")):
        if Path(name).is_file():
            return Path(name)
        raise UsageError(f"{name}: no such suite file.")
    raise UsageError(unknown("suite", name, suite_names()) + " A path to a .yaml file works too.")


def read_suite(path: Path, settings: Mapping[str, Mapping[str, Any]] | None = None) -> Suite:
    """Read a suite file.

    Args:
        path: the file; its stem is the suite's name.
        settings: overrides from the command line, by method name (or "training") and field.

    Raises:
        SuiteError: naming the file, the line and the field.
    """
    source = Source(path)
    if not isinstance(source.content, dict):
        raise SuiteError(f"{path}: a suite is a mapping with title, tasks and methods.")
    try:
        file = SuiteFile.model_validate(source.content)
    except ValidationError as error:
        raise _first_error(source, error) from error
    overrides = dict(settings or {})
    common = {**file.training, **overrides.pop("training", {})}
    tasks = tuple(
        spec
        for number, entry in enumerate(file.tasks)
        for spec in _tasks(source, number, entry, common)
    )
    entries = [
        entry for number in range(len(file.methods)) for entry in _methods(source, file, number)
    ]
    made = _apply(entries, overrides)
    for kind, names in (("task", [t.name for t in tasks]), ("method", [m.label for m in made])):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise source.error([f"{kind}s"], f'{kind} "{twice[0]}" is listed twice.')
    seeds = tuple(range(file.seeds)) if isinstance(file.seeds, int) else tuple(file.seeds)
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
        raise source.error(["seeds"], "give at least one seed, none twice, none negative.")
    return Suite(path.stem, file.title, file.description, seeds, tasks, tuple(made))


def _tasks(
    source: Source, number: int, entry: TaskEntry, common: Mapping[str, Scalar]
) -> Iterator[TaskSpec]:
    place: list[str | int] = ["tasks", number]
    if entry.data not in data_sets():
        raise source.error([*place, "data"], unknown("data set", entry.data, data_sets()))
    data = data_set(entry.data)
    if entry.task not in data.tasks:
        raise source.error([*place, "task"], unknown("task", entry.task, data.tasks))
    for field in (*entry.options, *entry.matrix):
        known = {*data.options.model_fields, *Training.model_fields}
        if field not in known or (field in entry.options and field in Training.model_fields):
            where = [*place, field] if field in entry.options else [*place, "matrix", field]
            raise source.error(where, unknown("field", field, data.options.model_fields))
    for values in _combinations(entry.matrix):
        training = {**common, **entry.training}
        training.update({k: v for k, v in values.items() if k in Training.model_fields})
        options = {**entry.options}
        options.update({k: v for k, v in values.items() if k in data.options.model_fields})
        try:
            settings = Training.model_validate(training)
            checked = data.options.model_validate(options)
            check_backbone(settings.backbone, data.kind)
        except ValidationError as error:
            raise _field_error(source, place, error) from error
        except SuiteError as error:
            raise source.error([*place, "training", "backbone"], str(error)) from error
        yield TaskSpec(entry.data, entry.task, checked, settings)


def _methods(source: Source, file: SuiteFile, number: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and fields of each method that one entry stands for."""
    entry = file.methods[number]
    place: list[str | int] = ["methods", number]
    if isinstance(entry, str):
        entry = {entry: None}
    if len(entry) != 1:
        raise source.error(place, "one method an entry: `- name` or `- name: {field: value}`.")
    [(name, given)] = entry.items()
    if name not in methods():
        raise source.error(place, unknown("method", name, methods()))
    fields = dict(given or {})
    matrix = fields.pop("matrix", {})
    if not isinstance(matrix, dict) or not all(isinstance(v, list) for v in matrix.values()):
        raise source.error([*place, name, "matrix"], "a matrix maps fields to lists of values.")
    for values in _combinations(matrix):
        try:
            make(name, {**fields, **values})
        except BenchError as error:
            raise source.error([*place, name], str(error)) from error
        yield name, {**fields, **values}


def _apply(
    entries: list[tuple[str, dict[str, Any]]], overrides: Mapping[str, Mapping[str, Any]]
) -> list[Method]:
    present = {name for name, _ in entries}
    for name in overrides:
        if name not in present:
            raise UsageError(f"--set: {unknown('method of this suite', name, present)}")
    return [make(name, {**fields, **overrides.get(name, {})}) for name, fields in entries]


def _combinations(matrix: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    for values in product(*matrix.values()):
        yield dict(zip(matrix, values, strict=True))


def _first_error(source: Source, error: ValidationError) -> SuiteError:
    detail = error.errors()[0]
    # pydantic names the member of a union after the key; the file knows no such part.
    place = [p for p in detail["loc"] if not (isinstance(p, str) and ("[" in p or p == "str"))]
    if detail["type"] == "extra_forbidden":
        return source.error(place, unknown("key", str(place[-1]), SuiteFile.model_fields))
    return source.error(place, f"{detail['msg']}{_given(detail['input'])}.")


def _field_error(source: Source, place: Place, error: ValidationError) -> SuiteError:
    detail = error.errors()[0]
    field = str(detail["loc"][0]) if detail["loc"] else ""
    if detail["type"] == "extra_forbidden":
        return source.error(
            ["training", field], unknown("training setting", field, Training.model_fields)
        )
    for where in ([*place, field], [*place, "training", field], [*place, "matrix", field],
                  ["training", field]):  # fmt: skip
        if _exists(source.root, where):
            return source.error(where, f"{detail['msg']}{_given(detail['input'])}.")
    return source.error(place, f"{field}: {detail['msg']}{_given(detail['input'])}.")


def _given(value: Any) -> str:
    return f" (given: {value!r})" if isinstance(value, str | int | float | bool) else ""


def _dotted(place: Place) -> str:
    return ".".join(str(part) for part in place) or "top"


def _exists(node: yaml.Node | None, place: Place) -> bool:
    for part in place:
        found = _child(node, part)
        if found is None:
            return False
        node = found[1]
    return True


def _child(node: yaml.Node | None, part: str | int) -> tuple[int, yaml.Node] | None:
    """Line and node of a part of a mapping or list."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark.line + 1, node.value[part]
    return None

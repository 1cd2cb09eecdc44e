"""A suite file, read and checked: what `--suite` names.

A suite lists tasks, methods, seeds and training settings. `matrix:` under a task or a method
expands one entry into every combination of the listed values.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from benchmarks.data.dataset import DataSet, Options, data_set, data_sets
from benchmarks.errors import BenchError, SuiteError, UsageError, unknown
from benchmarks.learning.backbones import check_backbone
from benchmarks.learning.settings import Training
from benchmarks.method import Method, make, methods
from benchmarks.result import FigureInfo, Scalar
from benchmarks.tracks.registry import TRACKS
from benchmarks.yaml_source import Place, Source

FOLDER = Path(__file__).parent / "suites"
AXES = {"line": "x", "heat": "xy", "pairs": "x", "table": "", "pictures": ""}
# What pydantic's types of errors ask for, in words.
EXPECTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "none_required": "nothing",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}


class TaskEntry(BaseModel):
    """A task as written; further keys are options of its data set."""

    model_config = ConfigDict(extra="allow", strict=True)

    data: str
    task: str | list[str]
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
    figures: list[FigureInfo] = []


@dataclass(frozen=True)
class TaskSpec:
    """A data set, the question asked of it, and how networks are trained on it."""

    data: str
    task: str
    options: Options
    training: Training
    track: str = "debiasing"
    varied: tuple[str, ...] = ()
    """Training settings that the entry's matrix varies: they tell its tasks apart."""

    @property
    def name(self) -> str:
        """Name on the page: data, task, options that are not the defaults, varied settings."""
        changed = self.conditions
        inside = ",".join(f"{k}={v:g}" if isinstance(v, float) else f"{k}={v}"
                          for k, v in changed.items())  # fmt: skip
        return f"{self.data} {self.task}" + (f" [{inside}]" if inside else "")

    @property
    def conditions(self) -> dict[str, Scalar]:
        """What sets the task apart: options off their defaults, and varied training settings."""
        changed: dict[str, Scalar] = self.options.model_dump(
            exclude_defaults=True, exclude={"examined"}
        )
        return changed | {field: getattr(self.training, field) for field in self.varied}


@dataclass(frozen=True)
class Suite:
    """A suite with its sweeps expanded."""

    name: str
    title: str
    description: str
    seeds: tuple[int, ...]
    tasks: tuple[TaskSpec, ...]
    methods: tuple[Method, ...]
    figures: tuple[FigureInfo, ...] = ()


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
    forced = overrides.pop("training", {})
    _check_training(forced)
    tasks = tuple(
        spec
        for number, entry in enumerate(file.tasks)
        for spec in _tasks(source, number, entry, file.training, forced)
    )
    entries = [
        entry for number in range(len(file.methods)) for entry in _methods(source, file, number)
    ]
    labels = [make(name, fields).label for name, fields in entries]
    for kind, names in (("task", [task.name for task in tasks]), ("method", labels)):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise source.error([f"{kind}s"], f'{kind} "{twice[0]}" is listed twice.')
    made = dict.fromkeys(_apply(entries, overrides))  # an override can make two of them one
    seeds = tuple(range(file.seeds)) if isinstance(file.seeds, int) else tuple(file.seeds)
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
        raise source.error(["seeds"], "give at least one seed, none twice, none negative.")
    _check_figures(source, file, tasks, made)
    return Suite(
        path.stem, file.title, file.description, seeds, tasks, tuple(made), tuple(file.figures)
    )


def _check_figures(
    source: Source, file: SuiteFile, tasks: Sequence[TaskSpec], made: Collection[Method]
) -> None:
    """Raise SuiteError where a figure names a coordinate, a metric or a method that is not here."""
    coordinates = {field for method in made for field in method.parameters}
    coordinates |= {field for task in tasks for field in type(task.options).model_fields}
    coordinates |= set(Training.model_fields)
    metrics = {m.name for task in tasks for m in TRACKS[task.track]((0, 2, 3), True).metrics}
    known = {name for method in made for name in (method.name, method.label)}
    for number, figure in enumerate(file.figures):
        place: list[str | int] = ["figures", number]
        for axis in ("x", "y"):
            value = getattr(figure, axis)
            if value and value not in coordinates:
                raise source.error([*place, axis], unknown("coordinate", value, coordinates))
            if not value and axis in AXES[figure.kind]:
                raise source.error(place, f"a figure of kind {figure.kind} needs {axis}.")
        for field, present in (("values", metrics), ("methods", known)):
            for name in getattr(figure, field):
                if name not in present:
                    raise source.error([*place, field], unknown(field[:-1], name, present))


def _check_training(forced: Mapping[str, Any]) -> None:
    try:
        Training.model_validate(forced)
    except ValidationError as error:
        detail = error.errors()[0]
        field = str(detail["loc"][0])
        if detail["type"] == "extra_forbidden":
            message = unknown("training setting", field, Training.model_fields)
            raise UsageError(f"--set: {message}") from error
        raise UsageError(f"--set training.{field}: {_asked([detail])}.") from error


def _tasks(
    source: Source,
    number: int,
    entry: TaskEntry,
    common: Mapping[str, Scalar],
    forced: Mapping[str, Any],
) -> Iterator[TaskSpec]:
    place: list[str | int] = ["tasks", number]
    if entry.data not in data_sets():
        raise source.error([*place, "data"], unknown("data set", entry.data, data_sets()))
    data = data_set(entry.data)
    named = [entry.task] if isinstance(entry.task, str) else entry.task
    for task in named:
        if task not in data.tasks:
            raise source.error([*place, "task"], unknown("task", task, data.tasks))
    if not named:
        raise source.error([*place, "task"], "name at least one task.")
    _check_fields(source, place, entry, data)
    matrix = {field: values for field, values in entry.matrix.items() if field not in forced}
    varied = tuple(field for field in matrix if field in Training.model_fields)
    for values in _combinations(matrix):
        training = {**common, **entry.training, **{field: values[field] for field in varied}}
        training.update(forced)
        options = {**entry.options}
        options.update({k: v for k, v in values.items() if k in data.options.model_fields})
        try:
            settings = Training.model_validate(training)
            checked = data.options.model_validate(options)
            check_backbone(settings.backbone, data.kind)
        except ValidationError as error:
            raise _field_error(source, place, error) from error
        except SuiteError as error:
            if "backbone" in forced:
                raise UsageError(f"--set training.backbone: {error}") from error
            where = _written_at(source, place, "backbone") or [*place, "training", "backbone"]
            raise source.error(where, str(error)) from error
        for task in named:
            if data.tasks[task].bias is None and not checked.planted:
                message = f"{entry.data} {task} has no bias variable: set flipped to plant one."
                raise source.error([*place, "task"], message)
            yield TaskSpec(entry.data, task, checked, settings, varied=varied)


def _check_fields(source: Source, place: Place, entry: TaskEntry, data: DataSet) -> None:
    options, settings = data.options.model_fields, Training.model_fields
    for field in entry.options:
        if field in settings:
            message = f"{field} is a training setting: write it under training."
            raise source.error([*place, field], message)
        if field not in options:
            message = unknown("field", field, [*TaskEntry.model_fields, *options])
            raise source.error([*place, field], message)
    for field, values in entry.matrix.items():
        if field not in options and field not in settings:
            message = unknown("field", field, [*options, *settings])
            raise source.error([*place, "matrix", field], message)
        if not values:
            raise source.error([*place, "matrix", field], "give at least one value.")


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
    if not isinstance(matrix, dict) or not all(v and isinstance(v, list) for v in matrix.values()):
        raise source.error([*place, name, "matrix"], "a matrix maps fields to lists of values.")
    for values in _combinations(matrix):
        for field, value in {**fields, **values}.items():
            where = [*place, name, *(["matrix"] if field in values else []), str(field)]
            try:
                make(name, {field: value})
            except BenchError as error:
                raise source.error(where, str(error)) from error
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
    """The first mistake. Where several forms are allowed, that of the form that came furthest."""
    places = [_place(source, detail) for detail in error.errors()]
    within = [place for place in places if place[: len(places[0])] == places[0]]
    where = max(within, key=len)
    same = [d for d, place in zip(error.errors(), places, strict=True) if place == where]
    if same[0]["type"] == "extra_forbidden":
        return source.error(where, unknown("key", str(where[-1]), SuiteFile.model_fields))
    return source.error(where, f"{_asked(same)}.")


def _place(source: Source, detail: ErrorDetails) -> list[str | int]:
    """Where in the file: pydantic also names the member of a union, which the file does not."""
    place: list[str | int] = []
    for part in detail["loc"]:
        if source.has([*place, part]):
            place.append(part)
    return [*place, detail["loc"][-1]] if detail["type"] == "missing" else place


def _field_error(source: Source, place: Place, error: ValidationError) -> SuiteError:
    detail = error.errors()[0]
    field = str(detail["loc"][0]) if detail["loc"] else ""
    where = _written_at(source, place, field)
    if detail["type"] == "extra_forbidden":
        message = unknown("training setting", field, Training.model_fields)
        return source.error(where or place, message)
    if where is None:
        return source.error(place, f"{field}: {_asked([detail])}.")
    return source.error(where, f"{_asked([detail])}.")


def _written_at(source: Source, place: Place, field: str) -> Place | None:
    """Where a task's field or training setting stands in the file."""
    nearest_first: list[list[str | int]] = [
        [*place, field],
        [*place, "matrix", field],
        [*place, "training", field],
        ["training", field],
    ]
    return next((where for where in nearest_first if source.has(where)), None)


def _asked(details: Sequence[ErrorDetails]) -> str:
    """What pydantic found wrong with one value, in words."""
    types = {detail["type"] for detail in details}
    if types == {"missing"}:
        message = "is missing"
    elif types <= EXPECTED.keys():
        forms = list(dict.fromkeys(EXPECTED[detail["type"]] for detail in details))
        message = " or ".join(filter(None, [", ".join(forms[:-1]), forms[-1]])) + " is expected"
    else:
        message = details[0]["msg"]
    return message + _given(details[0]["input"])


def _given(value: Any) -> str:
    return f" (given: {value!r})" if isinstance(value, str | int | float | bool) else ""

"""A suite file, read and checked: what `--suite` names.

A suite lists tasks, methods, seeds and training settings. `matrix:` under a task or a method
expands one entry into every combination of the listed values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.attacks.poisoning.clean import Clean
from bench.errors import BenchError, SuiteError, UsageError, unknown
from bench.learning.settings import Training
from bench.method import Method, make, methods
from bench.plugins import lookup
from bench.result import FigureInfo, Scalar, file_name
from bench.suites.bounds import MOST_VARIANTS, objection_to_seeds, variants
from bench.suites.source import SuiteSource, complaint, first_error, suite_names
from bench.suites.tasks import TaskEntry, TaskSpec, combinations, task_specs
from bench.tracks.registry import tracks

AXES = {"line": "x", "heat": "xy", "pairs": "x"}
"""Coordinates that figures need, by kind."""


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
class Suite:
    """A suite with its sweeps expanded."""

    name: str
    title: str
    description: str
    seeds: tuple[int, ...]
    tasks: tuple[TaskSpec, ...]
    methods: tuple[Method, ...]
    figures: tuple[FigureInfo, ...] = ()


def find_suite(name: str) -> Path:
    """The file of a suite, by its name or its path. Raises UsageError where there is none."""
    if name.endswith((".yaml", ".yml")) and name not in suite_names():
        if Path(name).is_file():
            return Path(name)
        raise UsageError(f"{name}: no such suite file.")
    try:
        return lookup("suite", name, suite_names())
    except UsageError as error:
        raise UsageError(f"{error} A path to a .yaml file works too.") from error


def read_suite(path: Path, settings: Mapping[str, Mapping[str, Any]] | None = None) -> Suite:
    """Read a suite file.

    Args:
        path: the file; its stem is the suite's name.
        settings: overrides from the command line, by method name (or "training") and field.

    Raises:
        SuiteError: naming the file, the line and the field.
    """
    try:
        file_name(path.stem)  # the suite's results and pages get a folder of this name
    except ValueError as error:
        raise SuiteError(f"{path}: its name {error}. Rename the file.") from error
    source = SuiteSource(path)
    try:
        file = SuiteFile.model_validate(source.content)
    except ValidationError as error:
        raise first_error(source, error, SuiteFile.model_fields) from error
    _check_extent(source, file)
    overrides = dict(settings or {})
    forced = overrides.pop("training", {})
    _check_training(forced)
    tasks = tuple(
        spec
        for number, entry in enumerate(file.tasks)
        for spec in task_specs(source, number, entry, file.training, forced)
    )
    # Two attacks on one data set share their clean twin.
    twins = dict.fromkeys(task for task in tasks if isinstance(task.attack, Clean))
    tasks = (*(task for task in tasks if not isinstance(task.attack, Clean)), *twins)
    entries = [
        entry for number in range(len(file.methods)) for entry in _methods(source, file, number)
    ]
    labels = [make(name, fields).label for name, fields in entries]
    for kind, names in (("task", [task.name for task in tasks]), ("method", labels)):
        twice = sorted(name for name, count in Counter(names).items() if count > 1)
        if twice:
            raise source.error([f"{kind}s"], f'{kind} "{twice[0]}" is listed twice.')
    present = {name for name, _ in entries}
    for name in overrides:
        if name not in present:
            raise UsageError(f"--set: {unknown('method of this suite', name, present)}")
    # An override can make two methods one.
    made = dict.fromkeys(
        make(name, {**fields, **overrides.get(name, {})}) for name, fields in entries
    )
    seeds = range(file.seeds) if isinstance(file.seeds, int) else file.seeds
    if objection := objection_to_seeds(seeds):
        raise source.error(["seeds"], f"{objection}.")
    _check_players(source, file)
    _check_figures(source, file, tasks, made)
    return Suite(
        path.stem,
        file.title,
        file.description,
        tuple(seeds),
        tasks,
        tuple(made),
        tuple(file.figures),
    )


def _check_extent(source: SuiteSource, file: SuiteFile) -> None:
    """Raise SuiteError where the matrices of tasks or methods stand for too many entries."""
    matrices: dict[str, list[Mapping[str, Any]]] = {
        "tasks": [task.matrix for task in file.tasks],
        "methods": [
            given["matrix"]
            for entry in file.methods
            for given in (entry.values() if isinstance(entry, dict) else ())
            if given and isinstance(given.get("matrix"), dict)
        ],
    }
    for kind, present in matrices.items():
        listed = [{k: v for k, v in m.items() if isinstance(v, list)} for m in present]
        if (number := variants(listed)) > MOST_VARIANTS:
            message = f"with their matrices, these are {number:,}; a suite may have "
            raise source.error([kind], f"{message}{MOST_VARIANTS:,}.")


def _check_players(source: SuiteSource, file: SuiteFile) -> None:
    """Raise SuiteError where a task names a method that the suite lacks or that cannot play it."""
    listed = [entry if isinstance(entry, str) else next(iter(entry)) for entry in file.methods]
    for number, task in enumerate(file.tasks):
        for position, name in enumerate(task.methods):
            place: list[str | int] = ["tasks", number, "methods", position]
            if name not in listed:
                raise source.error(place, unknown("method of this suite", name, listed))
            cls, track = methods()[name], task.track
            if track and track not in (cls.track, *cls.also):
                raise source.error(place, f"{name} cannot play tasks of the track {track}.")


def _check_figures(
    source: SuiteSource, file: SuiteFile, tasks: Sequence[TaskSpec], made: Collection[Method]
) -> None:
    """Raise SuiteError where a figure names a coordinate, a metric or a method that is not here."""
    coordinates = {field for method in made for field in method.parameters}
    coordinates |= {field for task in tasks for field in type(task.options).model_fields}
    coordinates |= {field for task in tasks for field in type(task.track_options).model_fields}
    coordinates |= {field for task in tasks if task.attack for field in task.attack.parameters}
    coordinates |= set(Training.model_fields)
    infos = [tracks()[name].info for name in dict.fromkeys(task.track for task in tasks)]
    metrics = {metric.name for info in infos for metric in info.metrics}
    known = {name for method in made for name in (method.name, method.label)}
    for number, figure in enumerate(file.figures):
        place: list[str | int] = ["figures", number]
        for axis in ("x", "y"):
            value = getattr(figure, axis)
            if value and value not in coordinates:
                raise source.error([*place, axis], unknown("coordinate", value, coordinates))
            if not value and axis in AXES.get(figure.kind, ""):
                raise source.error(place, f"a figure of kind {figure.kind} needs {axis}.")
        suited = [t.info.name for t in tracks().values() if figure.kind in t.info.figures]
        if suited and not {info.name for info in infos} & set(suited):
            message = f"a figure of kind {figure.kind} needs tasks of {' or '.join(suited)}."
            raise source.error([*place, "kind"], message)
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
        raise UsageError(f"--set training.{field}: {complaint([detail])}.") from error


def _methods(
    source: SuiteSource, file: SuiteFile, number: int
) -> Iterator[tuple[str, dict[str, Any]]]:
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
    for values in combinations(matrix):
        for field, value in {**fields, **values}.items():
            where = [*place, name, *(["matrix"] if field in values else []), str(field)]
            try:
                make(name, {field: value})
            except BenchError as error:
                raise source.error(where, str(error)) from error
        yield name, {**fields, **values}

"""The tasks of a suite file: entries as written, and the tasks that they stand for."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from bench.attacks.poisoning.clean import Clean
from bench.attacks.poisoning.contract import Attack, attacks
from bench.data.dataset import DataSet, Options, TaskDefinition, data_set, data_sets
from bench.errors import SuiteError, UsageError, unknown
from bench.learning.settings import Training
from bench.method import configured
from bench.models.backbones import check_backbone
from bench.result import Scalar
from bench.suites.source import Location, SuiteSource, field_error, written_at
from bench.tracks.registry import tracks

SUFFIX = {"imperceptibility": " attacked"}
"""What tells tasks of different tracks on the same data apart."""


class TaskEntry(BaseModel):
    """A task as written; further keys are options of its data set.

    An attack makes it a task of the poisoning track, and a clean twin stands beside it; one whose
    data set names many groups belongs to robust_fairness; `track` says it where neither does.
    """

    model_config = ConfigDict(extra="allow", strict=True, use_attribute_docstrings=True)

    data: str
    task: str | list[str]
    training: dict[str, Scalar] = {}
    matrix: dict[str, list[Scalar]] = {}
    attack: str | dict[str, dict[str, Any] | None] | None = None
    track: str | None = None
    methods: list[str] = []
    """Methods that run on it, where not all of its track do."""

    @property
    def options(self) -> dict[str, Any]:
        """The data set's own fields."""
        return dict(self.__pydantic_extra__ or {})


@dataclass(frozen=True)
class TaskSpec:
    """A data set, the question asked of it, and how networks are trained on it."""

    data: str
    task: str
    options: Options
    training: Training
    attack: Attack | None = None
    varied: tuple[str, ...] = ()
    """Training settings that the entry's matrix varies: they tell its tasks apart."""
    track: str = "debiasing"
    methods: tuple[str, ...] = field(default=(), compare=False)
    """Files' names of the methods that play it; empty for all those of its track."""

    @property
    def name(self) -> str:
        """Name on the page: data, task, what sets it apart, attack or track."""
        changed = self._changed
        inside = ",".join(f"{k}={v:g}" if isinstance(v, float) else f"{k}={v}"
                          for k, v in changed.items())  # fmt: skip
        attacked = f" under {self.attack.label}" if self.attack else SUFFIX.get(self.track, "")
        return f"{self.data} {self.task}" + (f" [{inside}]" if inside else "") + attacked

    @property
    def conditions(self) -> dict[str, Scalar]:
        """Options and fields of the attack off their defaults, and varied training settings."""
        attack = self.attack
        fields = (
            {}
            if attack is None
            else {
                f.name: getattr(attack, f.name)
                for f in dataclasses.fields(attack)
                if getattr(attack, f.name) != f.default
            }
        )
        return self._changed | fields

    @property
    def _changed(self) -> dict[str, Scalar]:
        changed: dict[str, Scalar] = self.options.model_dump(
            exclude_defaults=True, exclude={"examined"}
        )
        return changed | {field: getattr(self.training, field) for field in self.varied}


def task_specs(
    source: SuiteSource,
    number: int,
    entry: TaskEntry,
    common: Mapping[str, Scalar],
    forced: Mapping[str, Any],
) -> Iterator[TaskSpec]:
    """The tasks that one entry stands for.

    Args:
        source: the suite file.
        number: of the entry in it.
        entry: as written.
        common: the suite's training settings.
        forced: those of the command line.

    Raises:
        SuiteError: naming the file, the line and the field.
    """
    place: list[str | int] = ["tasks", number]
    if entry.data not in data_sets():
        raise source.error([*place, "data"], unknown("data set", entry.data, data_sets()))
    data = data_set(entry.data)
    named = _named(source, place, entry, data)
    attack, given = _attack(source, place, entry)
    _check_fields(source, place, entry, data, attack)
    matrix = {field: values for field, values in entry.matrix.items() if field not in forced}
    varied = tuple(field for field in matrix if field in Training.model_fields)
    for values in combinations(matrix):
        training = {**common, **entry.training, **{field: values[field] for field in varied}}
        training.update(forced)
        options = {**entry.options}
        options.update({k: v for k, v in values.items() if k in data.options.model_fields})
        settings, checked = _checked(source, place, data, training, options, forced)
        twins = _attacks(source, place, attack, {**given, **_fields_of(attack, values)})
        under: list[Attack | None] = [*twins] or [None]
        for task, one in product(named, under):
            track = _track(source, place, entry, data.tasks[task], checked)
            guests = tuple(entry.methods)
            yield TaskSpec(entry.data, task, checked, settings, one, varied, track, guests)


def _named(source: SuiteSource, place: Location, entry: TaskEntry, data: DataSet) -> list[str]:
    named = [entry.task] if isinstance(entry.task, str) else entry.task
    for task in named:
        if task not in data.tasks:
            raise source.error([*place, "task"], unknown("task", task, data.tasks))
    if not named:
        raise source.error([*place, "task"], "name at least one task.")
    return named


def _track(
    source: SuiteSource, place: Location, entry: TaskEntry, asked: TaskDefinition, options: Options
) -> str:
    """The track of one task: named, or by what it asks."""
    if entry.track and entry.track not in tracks():
        raise source.error([*place, "track"], unknown("track", entry.track, tracks()))
    usual = "poisoning" if entry.attack else "robust_fairness" if asked.group else "debiasing"
    track = entry.track or usual
    task = f"{entry.data} {entry.task}"
    if (track == "poisoning") != bool(entry.attack):
        message = "a task of the poisoning track names its attack, and others have none."
        raise source.error([*place, "track"], message)
    if track == "robust_fairness" and not asked.group:
        raise source.error([*place, "track"], f"{task} has no column of groups.")
    if track == "debiasing" and not (asked.bias or options.planted):
        message = f"{task} has no bias variable: set flipped to plant one, attack to poison it, "
        raise source.error([*place, "task"], message + "or track: imperceptibility to attack it.")
    return track


def _attack(
    source: SuiteSource, place: Location, entry: TaskEntry
) -> tuple[type[Attack] | None, dict[str, Any]]:
    """The attack's class and the fields that are given to it."""
    if entry.attack is None:
        return None, {}
    written = {entry.attack: None} if isinstance(entry.attack, str) else entry.attack
    if len(written) != 1:
        message = "one attack an entry: `attack: name` or `attack: {name: {field: value}}`."
        raise source.error([*place, "attack"], message)
    [(name, given)] = written.items()
    if name not in attacks():
        raise source.error([*place, "attack"], unknown("attack", name, attacks()))
    return attacks()[name], dict(given or {})


def _fields_of(attack: type[Attack] | None, values: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.name for field in dataclasses.fields(attack)} if attack else set()
    return {name: value for name, value in values.items() if name in names}


def _attacks(
    source: SuiteSource, place: Location, attack: type[Attack] | None, given: Mapping[str, Any]
) -> list[Attack]:
    """The attack and its clean twin."""
    if attack is None:
        return []
    try:
        return list(dict.fromkeys([configured(attack, given), Clean()]))
    except UsageError as error:
        raise source.error([*place, "attack"], str(error)) from error


def _checked(
    source: SuiteSource,
    place: Location,
    data: DataSet,
    training: Mapping[str, Any],
    options: Mapping[str, Any],
    forced: Mapping[str, Any],
) -> tuple[Training, Options]:
    try:
        settings = Training.model_validate(training)
        checked = data.options.model_validate(options)
        check_backbone(settings.backbone, data.kind)
    except ValidationError as error:
        raise field_error(source, place, error) from error
    except SuiteError as error:
        if "backbone" in forced:
            raise UsageError(f"--set training.backbone: {error}") from error
        where = written_at(source, place, "backbone") or [*place, "training", "backbone"]
        raise source.error(where, str(error)) from error
    return settings, checked


def _check_fields(
    source: SuiteSource,
    place: Location,
    entry: TaskEntry,
    data: DataSet,
    attack: type[Attack] | None,
) -> None:
    options, settings = data.options.model_fields, Training.model_fields
    of_attack = {field.name for field in dataclasses.fields(attack)} if attack else set()
    for name in entry.options:
        if name in settings:
            message = f"{name} is a training setting: write it under training."
            raise source.error([*place, name], message)
        if name not in options:
            message = unknown("field", name, [*TaskEntry.model_fields, *options])
            raise source.error([*place, name], message)
    for name, values in entry.matrix.items():
        if name not in {*options, *settings, *of_attack}:
            message = unknown("field", name, [*options, *settings, *of_attack])
            raise source.error([*place, "matrix", name], message)
        if not values:
            raise source.error([*place, "matrix", name], "give at least one value.")


def combinations(matrix: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Every combination of the listed values, the last field fastest."""
    for values in product(*matrix.values()):
        yield dict(zip(matrix, values, strict=True))

"""The tasks of a suite file: the entries as written, and the tasks that each stands for."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from bench.attacks.poisoning.clean import Clean
from bench.attacks.poisoning.contract import Attack, attacks
from bench.data.dataset import DataSet, Options, data_set, data_sets
from bench.errors import SuiteError, UsageError, unknown
from bench.learning.settings import Training
from bench.method import configured
from bench.models.backbones import check_backbone
from bench.result import Scalar
from bench.suites.source import Location, SuiteSource, field_error, written_at
from bench.tracks.options import TrackOptions
from bench.tracks.registry import Track, tracks

M = TypeVar("M", bound=BaseModel)


class TaskEntry(BaseModel):
    """A task as written; further keys are options of its data set, or of its track.

    A clean twin stands beside a task with an attack. Which track a task belongs to is the tracks'
    to claim (`Track.claims`), unless `track` names one.
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
        """Fields of the data set and of the track."""
        return dict(self.__pydantic_extra__ or {})


@dataclass(frozen=True)
class TaskSpec:
    """A data set, the target to predict on it, its track, and how networks are trained on it.

    Attributes:
        options: the data set's.
        track: its name.
        track_options: the track's own.
        varied: training settings that the entry's matrix varies: they tell its tasks apart.
        methods: files' names of the methods that run on it; empty for all those of its track.
    """

    data: str
    task: str
    options: Options
    training: Training
    track: str
    track_options: TrackOptions
    attack: Attack | None = None
    varied: tuple[str, ...] = ()
    methods: tuple[str, ...] = field(default=(), compare=False)

    @property
    def name(self) -> str:
        """Name on the page: data, task, what sets it apart, attack or track."""
        changed = self._changed
        inside = ",".join(f"{k}={v:g}" if isinstance(v, float) else f"{k}={v}"
                          for k, v in changed.items())  # fmt: skip
        ending = f" under {self.attack.label}" if self.attack else tracks()[self.track].suffix
        return f"{self.data} {self.task}" + (f" [{inside}]" if inside else "") + ending

    @property
    def conditions(self) -> dict[str, Scalar]:
        """Options and fields of the attack off their defaults, and varied training settings."""
        fields = dataclasses.fields(self.attack) if self.attack else ()
        values = {field.name: getattr(self.attack, field.name) for field in fields}
        return self._changed | {
            f.name: values[f.name] for f in fields if values[f.name] != f.default
        }

    @property
    def _changed(self) -> dict[str, Scalar]:
        own = self.track_options
        changed: dict[str, Scalar] = own.model_dump(exclude_defaults=True, exclude=set(own.unnamed))
        changed |= self.options.model_dump(exclude_defaults=True)
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
        number: position of the entry in it.
        entry: the entry as written.
        common: the suite's training settings.
        forced: training settings of the command line, which override all others.

    Raises:
        SuiteError: naming the file, the line and the field.
    """
    place: list[str | int] = ["tasks", number]
    if entry.data not in data_sets():
        raise source.error([*place, "data"], unknown("data set", entry.data, data_sets()))
    data = data_set(entry.data)
    tasks = [(t, _track(source, place, entry, t)) for t in _named(source, place, entry)]
    attack, given = _attack(source, place, entry)
    _check_fields(source, place, entry, data, attack, [track for _, track in tasks])
    matrix = {field: values for field, values in entry.matrix.items() if field not in forced}
    varied = tuple(field for field in matrix if field in Training.model_fields)
    for values in combinations(matrix):
        training = {**common, **entry.training, **{field: values[field] for field in varied}}
        training.update(forced)
        settings = _training(source, place, data, training, forced)
        attacked = _attacks(source, place, attack, {**given, **_fields_of(attack, values)})
        variants: list[Attack | None] = [*attacked] or [None]
        for (task, track), under in product(tasks, variants):
            given_options = {**entry.options, **values}
            options = _checked(source, place, data.options, given_options)
            own = _checked(source, place, track.options, given_options)
            if reason := track.objection(data.tasks[task], own):
                where = "track" if entry.track else "task"
                raise source.error([*place, where], f"{entry.data} {task} {reason}")
            name, methods = track.info.name, tuple(entry.methods)
            yield TaskSpec(entry.data, task, options, settings, name, own, under, varied, methods)


def _named(source: SuiteSource, place: Location, entry: TaskEntry) -> list[str]:
    named = [entry.task] if isinstance(entry.task, str) else entry.task
    known = data_set(entry.data).tasks
    for task in named:
        if task not in known:
            raise source.error([*place, "task"], unknown("task", task, known))
    if not named:
        raise source.error([*place, "task"], "name at least one task.")
    return named


def _track(source: SuiteSource, place: Location, entry: TaskEntry, task: str) -> Track:
    """The track of one task: the one that is named, or that claims it."""
    if entry.track and entry.track not in tracks():
        raise source.error([*place, "track"], unknown("track", entry.track, tracks()))
    definition, attacked = data_set(entry.data).tasks[task], entry.attack is not None
    claiming = [
        track
        for track in tracks().values()
        if (attacked if track.attacked else not attacked and track.claims(definition))
    ]
    if len(claiming) != 1 and not entry.track:
        names = ", ".join(track.info.name for track in claiming or tracks().values())
        message = f"name the track of {entry.data} {task}: one of {names}."
        raise source.error([*place, "task"], message)
    track = tracks()[entry.track] if entry.track else claiming[0]
    if track.attacked != attacked:
        needs = "names its attack" if track.attacked else "has none; leave `attack` out"
        message = f"a task of the {track.info.name} track {needs}."
        raise source.error([*place, "track" if entry.track else "attack"], message)
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


def _training(
    source: SuiteSource,
    place: Location,
    data: DataSet,
    training: Mapping[str, Any],
    forced: Mapping[str, Any],
) -> Training:
    try:
        settings = Training.model_validate(training)
        check_backbone(settings.backbone, data.kind)
    except ValidationError as error:
        raise field_error(source, place, error) from error
    except SuiteError as error:
        if "backbone" in forced:
            raise UsageError(f"--set training.backbone: {error}") from error
        where = written_at(source, place, "backbone") or [*place, "training", "backbone"]
        raise source.error(where, str(error)) from error
    return settings


def _checked(source: SuiteSource, place: Location, kind: type[M], values: Mapping[str, Any]) -> M:
    """Those of the values that are fields of this kind of options, checked."""
    try:
        return kind.model_validate({k: v for k, v in values.items() if k in kind.model_fields})
    except ValidationError as error:
        raise field_error(source, place, error) from error


def _check_fields(
    source: SuiteSource,
    place: Location,
    entry: TaskEntry,
    data: DataSet,
    attack: type[Attack] | None,
    of_tracks: Collection[Track],
) -> None:
    """Raise SuiteError for a field that data set, attack or some task's track does not have."""
    settings = Training.model_fields
    own = set.intersection(*(set(track.options.model_fields) for track in of_tracks))
    options = [*data.options.model_fields, *own]
    of_attack = {field.name for field in dataclasses.fields(attack)} if attack else set()
    for name in entry.options:
        if name in settings:
            message = f"{name} is a training setting: write it under training."
            raise source.error([*place, name], message)
        if name not in options:
            message = unknown("field", name, [*TaskEntry.model_fields, *options])
            raise source.error([*place, name], message + _elsewhere(name, of_tracks))
    for name, values in entry.matrix.items():
        if name not in {*options, *settings, *of_attack}:
            message = unknown("field", name, [*options, *settings, *of_attack])
            raise source.error([*place, "matrix", name], message + _elsewhere(name, of_tracks))
        if not values:
            raise source.error([*place, "matrix", name], "give at least one value.")


def _elsewhere(name: str, of_tracks: Collection[Track]) -> str:
    """The tracks that have a field which these lack, as the rest of a message."""
    names = [t.info.name for t in tracks().values() if name in t.options.model_fields]
    here = " and ".join(dict.fromkeys(track.info.name for track in of_tracks))
    return f" It is an option of {' and '.join(names)}, not of {here}." if names else ""


def combinations(matrix: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Every combination of the listed values, the last field fastest."""
    for values in product(*matrix.values()):
        yield dict(zip(matrix, values, strict=True))

"""What every method is, on any track, and how methods are found by the name of their file."""

from __future__ import annotations

import inspect
import json
from abc import ABC
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from functools import cache
from pathlib import Path
from types import ModuleType, NoneType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic import ConfigDict, TypeAdapter, ValidationError

from bench.errors import UsageError, shortened, unknown
from bench.models.pretrained import WeightsFolder
from bench.plugins import classes, discover, lookup
from bench.result import Scalar

PACKAGES = ("bench.methods", "bench.baselines")


@dataclass(frozen=True)
class Paper:
    """The publication that a method comes from: a short citation, the title, and its address."""

    cite: str
    title: str
    url: str | None = None


@dataclass(frozen=True)
class Picture:
    """A picture of what a method does to its inputs, shown on its page."""

    png: bytes
    caption: str


@dataclass(frozen=True)
class Configured(ABC):  # noqa: B024 - what is abstract differs from kind to kind
    """Base of what a suite names and sets fields of: methods and attacks.

    Attributes:
        revision: Raise it when the numbers change; trials with older results are then run anew.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
    revision: ClassVar[int] = 1

    @property
    def name(self) -> str:
        """The name of the file that defines the class."""
        return name_of(type(self))

    @property
    def parameters(self) -> dict[str, Scalar]:
        """The value of every field, by its name."""
        return asdict(self)

    @property
    def label(self) -> str:
        """The name, followed by the fields that differ from their defaults: bade[square=5]."""
        changed = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != field.default
        }
        inside = ",".join(f"{name}={_written(value)}" for name, value in changed.items())
        return f"{self.name}[{inside}]" if inside else self.name


@dataclass(frozen=True)
class Method(Configured):
    """A method of some track. Fields are hyperparameters, with the paper's defaults.

    Attributes:
        track: The track it belongs to; the base class of that track's methods sets it.
        also: Further tracks on whose tasks it can be evaluated, where a task names it.
        paper: The paper that proposes it.
    """

    track: ClassVar[str]
    also: ClassVar[tuple[str, ...]] = ()
    paper: ClassVar[Paper]

    @property
    def caveat(self) -> str | None:
        """Why its numbers are not comparable with those of other methods, or None if they are."""
        return None

    def files(self, weights: WeightsFolder) -> tuple[Path, ...]:
        """Files that it reads. Their content, and not their name, is part of a trial's key.

        Args:
            weights: where files of published weights are looked for.
        """
        return ()

    def picture(self) -> Picture | None:
        """A picture of the trigger that the method puts on images, or None if it puts none."""
        return None


C = TypeVar("C", bound=Configured)


def name_of(method: type[Configured]) -> str:
    """The name of a method or an attack: that of the file that defines its class."""
    return method.__module__.rpartition(".")[2]


def summary_of(method: type[Configured]) -> str:
    """The first line of the docstring of a method's or an attack's module."""
    doc = inspect.getdoc(inspect.getmodule(method)) or ""
    return doc.partition("\n")[0]


def about(method: type[Configured]) -> list[str]:
    """The paragraphs of the docstring of a method's or an attack's class, each as one line."""
    text = inspect.getdoc(method) or ""
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n") if paragraph.strip()]


@cache
def methods() -> dict[str, type[Method]]:
    """Every method by name: each module of methods/, baselines/ or a plug-in that defines one."""
    return discover("method", PACKAGES, lambda module: configurable(module, Method))


def configurable(module: ModuleType, base: type[C]) -> Iterator[type[C]]:
    """The concrete classes of a kind that a module defines, whose fields all have sound types."""
    for cls in classes(module, base):
        TypeAdapter(cls).rebuild()  # raises where an annotation means nothing
        yield cls


def method_class(name: str) -> type[Method]:
    """A method by name. Raises UsageError for an unknown one."""
    return lookup("method", name, methods())


def make(name: str, settings: Mapping[str, Any]) -> Method:
    """A method by name with some fields set. Raises UsageError as `configured` does."""
    return configured(method_class(name), settings)


def configured(cls: type[C], settings: Mapping[str, Any]) -> C:
    """A method or an attack with some fields set, and the others at their defaults.

    Raises:
        UsageError: A field does not exist, or its value is not allowed.
    """
    name, known = name_of(cls), [field.name for field in fields(cls)]
    for field in settings:
        if field not in known:
            raise UsageError(f"{name}: {unknown('field', field, known)}")
    try:
        # As JSON, a mapping may become a dataclass although types are strict ("4" is no number).
        return TypeAdapter(cls).validate_json(json.dumps(dict(settings), default=str))
    except ValidationError as error:
        detail = error.errors()[0]
        field = ".".join(str(part) for part in detail["loc"] if str(part) in known)
        # A field that may be one of several things has one complaint from each of them.
        of_field = [e["msg"] for e in error.errors() if e["loc"][:1] == detail["loc"][:1]]
        raise UsageError(
            f"{name}.{field}: {' or '.join(of_field)} (given: {shortened(repr(detail['input']))})."
        ) from error


def field_docs(cls: type[Configured]) -> dict[str, tuple[str, Any, str]]:
    """Of each field: its type in words, its default, and the docstring below it."""
    kinds = get_type_hints(cls, include_extras=True)
    described: dict[str, Any] = {}
    for base in cls.__mro__:  # pydantic reads docstrings of a class's own fields alone
        if issubclass(base, Configured):
            schema = TypeAdapter(base).json_schema().get("properties", {})
            own = {k: v for k, v in described.items() if "description" in v or k not in schema}
            described = schema | own
    return {
        field.name: (
            _in_words(kinds[field.name]),
            None if field.default is MISSING else field.default,
            " ".join(described[field.name].get("description", "").split()),
        )
        for field in fields(cls)
    }


def _in_words(kind: Any) -> str:
    """Annotated[float, Field(ge=0)] | Literal['auto'] -> float >= 0 or 'auto'."""
    parts = get_args(kind)
    if get_origin(kind) is Literal:
        return " or ".join(map(repr, parts))
    if get_origin(kind) is Annotated:
        signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
        limits = [
            f"{signs[sign]} {value:g}"
            for limit in parts[1].metadata
            for sign, value in asdict(limit).items()
        ]
        return f"{_in_words(parts[0])} {' and '.join(limits)}"
    if parts:
        return " or ".join(map(_in_words, parts))
    return "None" if kind is NoneType else str(kind.__name__)


def _written(value: Scalar) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)

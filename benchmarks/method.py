"""What every method is, on any track, and how methods are found by the name of their file."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import os
import pkgutil
import sys
import textwrap
from abc import ABC
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from functools import cache
from pathlib import Path
from types import NoneType
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

from bench.errors import UsageError, unknown
from bench.result import Scalar

PACKAGES = ("bench.methods", "bench.baselines")
ELSEWHERE = "BENCH_METHODS"


@dataclass(frozen=True)
class Paper:
    """Where a method comes from: a short citation, the title, and an address."""

    cite: str
    title: str
    url: str | None = None


@dataclass(frozen=True)
class Picture:
    """A picture of what a method does to its inputs, for the page."""

    png: bytes
    caption: str


@dataclass(frozen=True)
class Configured(ABC):  # noqa: B024 - what is abstract differs from kind to kind
    """What a suite names and sets fields of: a method, an attack. Its file's name is its name.

    Attributes:
        revision: raise it when the numbers change; old results are then run anew.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False
    )
    revision: ClassVar[int] = 1

    @property
    def name(self) -> str:
        """The file's name."""
        return name_of(type(self))

    @property
    def parameters(self) -> dict[str, Scalar]:
        """Every field and its value."""
        return asdict(self)

    @property
    def label(self) -> str:
        """Name on the page: the file's name, with the fields that differ from the defaults."""
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
        track: set by the track's contract.
        also: further tracks whose tasks it can play, where the task names it.
        paper: where it comes from.
    """

    track: ClassVar[str]
    also: ClassVar[tuple[str, ...]] = ()
    paper: ClassVar[Paper]

    @property
    def caveat(self) -> str | None:
        """What makes the entry's numbers incomparable with the others', in a sentence, or None."""
        return None

    @property
    def files(self) -> tuple[Path, ...]:
        """Files whose content, not whose name, decides the method's numbers."""
        return ()

    def picture(self) -> Picture | None:
        """What the method stamps on images, if it does."""
        return None


C = TypeVar("C", bound=Configured)


def name_of(method: type[Configured]) -> str:
    """The name of a class of methods or attacks: that of its file."""
    return method.__module__.rpartition(".")[2]


def summary_of(method: type[Configured]) -> str:
    """The first line of a method's module: what it does, without its name."""
    doc = inspect.getdoc(inspect.getmodule(method)) or ""
    return doc.partition("\n")[0]


def about(method: type[Configured]) -> list[str]:
    """The paragraphs of a method's docstring: its source, and what readers must know of it."""
    text = inspect.getdoc(method) or ""
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n") if paragraph.strip()]


@cache
def methods() -> dict[str, type[Method]]:
    """Every method by name: each module of methods/ and baselines/ that defines one.

    Methods that live elsewhere (private ones, say) are found where BENCH_METHODS names a folder
    with their files.
    """
    modules = [
        f"{package}.{module.name}"
        for package in PACKAGES
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__)
    ]
    if folder := os.environ.get(ELSEWHERE):
        if not Path(folder).is_dir():
            raise UsageError(f"{ELSEWHERE}={folder}: no such folder.")
        # First in line: a file named like an installed package is meant, not the package.
        sys.path.insert(0, folder)
        modules += [module.name for module in pkgutil.iter_modules([folder])]
    found: dict[str, type[Method]] = {}
    for name in modules:
        for thing in vars(importlib.import_module(name)).values():
            if _is_own_method(thing, name):
                if name_of(thing) in found:
                    raise UsageError(f"{name}: there is a method {name_of(thing)} already.")
                found[name_of(thing)] = thing
    return dict(sorted(found.items()))


def method_class(name: str) -> type[Method]:
    """A method by name. Raises UsageError for an unknown one."""
    if name not in methods():
        raise UsageError(unknown("method", name, methods()))
    return methods()[name]


def make(name: str, settings: Mapping[str, Any]) -> Method:
    """A method with some fields set. Raises UsageError for an unknown field or a wrong value."""
    return configured(method_class(name), settings)


def configured(cls: type[C], settings: Mapping[str, Any]) -> C:
    """A method or attack with some fields set.

    Raises:
        UsageError: an unknown field or a wrong value.
    """
    name, known = name_of(cls), [field.name for field in fields(cls)]
    for field in settings:
        if field not in known:
            raise UsageError(f"{name}: {unknown('field', field, known)}")
    try:
        # As JSON, a mapping may become a dataclass although types are strict ("4" is no number).
        made: C = TypeAdapter(cls).validate_json(json.dumps(dict(settings), default=str))
    except ValidationError as error:
        detail = error.errors()[0]
        field = ".".join(str(part) for part in detail["loc"] if str(part) in known)
        # A field that may be one of several things has one complaint from each of them.
        of_field = [e["msg"] for e in error.errors() if e["loc"][:1] == detail["loc"][:1]]
        raise UsageError(
            f"{name}.{field}: {' or '.join(of_field)} (given: {detail['input']!r})."
        ) from error
    return made


def field_docs(method: type[Configured]) -> dict[str, tuple[str, Any, str]]:
    """Of each field: its type in words, its default, and the docstring below it."""
    source = textwrap.dedent(inspect.getsource(method))
    body = ast.parse(source).body[0]
    docs: dict[str, tuple[str, Any, str]] = {}
    defaults = {f.name: None if f.default is MISSING else f.default for f in fields(method)}
    kinds = get_type_hints(method, include_extras=True)
    statements = body.body if isinstance(body, ast.ClassDef) else []
    for statement, following in zip(statements, [*statements[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            name = statement.target.id
            if name in defaults:
                docs[name] = (_in_words(kinds[name]), defaults[name], _docstring(following))
    return docs


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


def _docstring(statement: ast.stmt | None) -> str:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return " ".join(str(statement.value.value).split())
    return ""


def _written(value: Scalar) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _is_own_method(thing: Any, module: str) -> bool:
    return (
        isinstance(thing, type)
        and issubclass(thing, Method)
        and not inspect.isabstract(thing)
        and thing.__module__ == module
    )

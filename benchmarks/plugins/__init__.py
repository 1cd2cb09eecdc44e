"""Finding methods, attacks, data sets, tracks and suites: the project's own, and plug-ins.

A plug-in is a file from outside the project. It lies in a folder that BENCH_PLUGINS (several are
separated as in PATH) or BENCH_METHODS names, at the top or in one of its sub-folders methods/,
attacks/, data/, tracks/ and suites/; or in a package that an installed distribution declares as an
entry point of the group `bench.plugins`. Files whose names begin with an underscore are left alone.

A plug-in folder is imported as a package below this one, whose name is a hash of its path. So no
file is mistaken for an installed package, a file imports its neighbours by `from .other import x`,
and another process that unpickles an object of its classes imports this package first, and so
finds them.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import pkgutil
import sys
import traceback
from abc import ABC
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError

from bench.errors import UsageError, unknown

VARIABLES = ("BENCH_PLUGINS", "BENCH_METHODS")
ENTRY_POINTS = "bench.plugins"
SUBFOLDERS = ("methods", "attacks", "data", "tracks", "suites")

T = TypeVar("T")


@dataclass(frozen=True)
class Problem:
    """A plug-in that is left out.

    Attributes:
        name: The name that it would have had, the stem of its file.
        origin: Its file, its folder or its entry point.
        cause: What is wrong, without a full stop.
        remedy: What its author can do, a sentence.
    """

    name: str
    origin: str
    cause: str
    remedy: str

    def __str__(self) -> str:
        return f"plug-in {self.origin} is left out: {self.cause}. {self.remedy}"


class UnfitError(Exception):
    """A class that is not what its kind requires, with a cause and a remedy as in `Problem`."""

    def __init__(self, cause: str, remedy: str) -> None:
        super().__init__(cause)
        self.remedy = remedy


_problems: dict[tuple[str, str], Problem] = {}  # by kind ("" where no import) and origin
_reported: set[Problem] = set()


def unreported() -> list[Problem]:
    """The problems since the last call, without those that an error of `lookup` has named."""
    problems = [problem for problem in _problems.values() if problem not in _reported]
    _reported.update(problems)
    return problems


def adopt(problems: Iterable[Problem]) -> None:
    """Take over the problems that another process found, to report them here."""
    for problem in problems:
        _problems.setdefault(("", problem.origin), problem)


def discover(
    kind: str, packages: Sequence[str], pick: Callable[[ModuleType], Iterable[T]]
) -> dict[str, T]:
    """Everything of one kind, by the name of the module that defines it.

    Plug-ins are imported here, and import the project in turn: call this from functions only, never
    while a module of the project is being imported.

    Args:
        kind: What to find, in words ("data set").
        packages: The project's own packages of this kind. Errors in their modules are raised.
        pick: Module -> what it defines of this kind: one thing or nothing. An error that it raises
            for a plug-in becomes a problem, and the plug-in is left out.
    """
    things: dict[str, T] = {}

    def take(name: str, module: ModuleType) -> None:
        picked = list(pick(module))
        if len(picked) > 1:
            raise UnfitError(f"it defines more than one {kind}", "Give each a file of its own.")
        if picked and name in things:
            raise UnfitError(f'there is a {kind} "{name}" already', "Give it another name.")
        things.update((name, thing) for thing in picked)

    for package in packages:
        for info in pkgutil.iter_modules(importlib.import_module(package).__path__):
            take(info.name, importlib.import_module(f"{package}.{info.name}"))
    for full_name, file in _plugin_modules():
        name = full_name.rpartition(".")[2]
        module = _attempt("", name, file, importlib.import_module, full_name)
        if module:
            _attempt(kind, name, file, take, name, module)
    return dict(sorted(things.items()))


def discover_suites(folder: Path) -> dict[str, Path]:
    """The YAML files of the project's own folder and of plug-ins, by their stems."""
    files = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    parents = [Path(parent) for place in _places() for parent in getattr(place, "__path__", ())]
    for parent in parents:
        for path in sorted([*parent.glob("*.yaml"), *(parent / "suites").glob("*.yaml")]):
            if files.setdefault(path.stem, path) != path:
                leave_out("suite", path, f'there is a suite "{path.stem}" already')
    return dict(sorted(files.items()))


def leave_out(kind: str, file: Path, cause: str) -> None:
    """Note the problem of a plug-in file whose content its reader refuses."""
    _problems[kind, str(file)] = Problem(file.stem, str(file), cause, "Correct or rename it.")


def lookup(kind: str, name: str, known: Mapping[str, T]) -> T:
    """What `discover` found under a name.

    Raises:
        UsageError: There is nothing. If a plug-in of that name was left out, the message says why.
    """
    if name in known:
        return known[name]
    for problem in _problems.values():
        if problem.name == name:
            _reported.add(problem)
            raise UsageError(str(problem))
    raise UsageError(unknown(kind, name, known))


def classes(module: ModuleType, base: type[T]) -> Iterator[type[T]]:
    """The concrete classes derived from `base` that a module defines.

    Raises:
        UnfitError: A class lacks a class variable or a method that `base` declares, or a class
            variable has the wrong type. (A class that lacks both kinds, or derives from ABC itself,
            is an abstract base and skipped.)
    """
    kind: type = base
    variables = _class_variables(kind)
    for cls in list(vars(module).values()):
        if not (isinstance(cls, type) and issubclass(cls, base) and cls is not base):
            continue
        if cls.__module__ != module.__name__:
            continue
        missing = [name for name in variables if not hasattr(cls, name)]
        if absent := sorted(getattr(cls, "__abstractmethods__", ())):
            if missing or ABC in cls.__bases__:
                continue
            raise UnfitError(f"class {cls.__name__} has no {absent[0]}()", "Write this method.")
        for name, (annotation, adapter) in variables.items():
            if name in missing:
                remedy = f"Give the class `{name}: {annotation} = ...`."
                raise UnfitError(f"class {cls.__name__} has no `{name}`", remedy)
            try:
                adapter.validate_python(getattr(cls, name), strict=True)
            except ValidationError as error:
                cause = f"{cls.__name__}.{name}: {error.errors()[0]['msg']}"
                raise UnfitError(cause, f"It is declared as `{name}: {annotation}`.") from error
        yield cls


@cache
def _class_variables(base: type) -> dict[str, tuple[str, TypeAdapter[Any]]]:
    """The annotation and the validator of each class variable that a class or a base declares."""
    hints = get_type_hints(base)
    return {
        name: (annotation, TypeAdapter(get_args(hints[name])[0]))
        for cls in reversed(base.__mro__)
        for name, annotation in vars(cls).get("__annotations__", {}).items()
        if str(annotation).startswith("ClassVar") and not name.startswith("_")
    }


def _attempt(
    kind: str, name: str, origin: Path | str, action: Callable[..., T], *arguments: Any
) -> T | None:
    """The value of an action on a plug-in; if it fails or failed before, None and a problem."""
    if (kind, str(origin)) in _problems:
        return None
    try:
        return action(*arguments)
    except UnfitError as error:
        cause, remedy = str(error), error.remedy
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plug-in may raise anything
        cause = _in_words(error, str(origin))
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        remedy = f"Install {missing}, or correct the file." if missing else "Correct the file."
    _problems[kind, str(origin)] = Problem(name, str(origin), cause, remedy)
    return None


def _in_words(error: BaseException, file: str) -> str:
    """An error in words, with the line of the file that it comes from."""
    text, name = str(error).partition("\n")[0].rstrip("."), type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == file]
    if isinstance(error, SyntaxError) and error.filename == file:
        text, lines = error.msg, [error.lineno]
    where = f" (line {lines[-1]})" if lines else ""
    return f"{name}: {text}{where}" if text else f"{name}{where}"


def _plugin_modules() -> Iterator[tuple[str, Path]]:
    """Full name and file of every module that may define plug-ins."""
    for place in _places():
        if file := getattr(place, "__file__", None):
            yield place.__name__, Path(file)
        for folder in getattr(place, "__path__", ()):
            for below in ("", *SUBFOLDERS):
                prefix = f"{place.__name__}.{below}".rstrip(".")
                for info in pkgutil.iter_modules([str(Path(folder, below))]):
                    inside = info.ispkg and not below and info.name in SUBFOLDERS
                    if not inside and not info.name.startswith("_"):
                        stem = Path(folder, below, info.name)
                        file = stem / "__init__.py" if info.ispkg else stem.with_suffix(".py")
                        yield f"{prefix}.{info.name}", file


def _places() -> list[ModuleType]:
    """The packages and modules that hold plug-ins: those of folders and those of entry points."""
    places = _folders()
    for entry in entry_points(group=ENTRY_POINTS):
        origin = f"entry point {entry.name} = {entry.value}"
        if module := _attempt("", entry.name, origin, importlib.import_module, entry.module):
            places.append(module)
    return list(dict.fromkeys(places))


def _folders() -> list[ModuleType]:
    """The folders that the environment names, as packages that can be imported from now on."""
    packages = []
    for variable in VARIABLES:
        for folder in filter(None, os.environ.get(variable, "").split(os.pathsep)):
            origin = f"{variable}={folder}"
            if package := _attempt("", folder, origin, _package, Path(folder).resolve()):
                packages.append(package)
                if variable == "BENCH_METHODS" and package.__path__[0] not in sys.path:
                    # Its files could always say `import other`. Last in line, it shadows nothing.
                    sys.path.append(package.__path__[0])
    return packages


def _package(folder: Path) -> ModuleType:
    if not folder.is_dir():
        raise UnfitError("there is no such folder", "Correct the environment variable.")
    name = f"{__name__}.folder_{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"
    if name not in sys.modules:
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(folder)]
        sys.modules[name] = importlib.util.module_from_spec(spec)
    return sys.modules[name]


_folders()  # an unpickled object of a plug-in's class needs its package before anything is searched

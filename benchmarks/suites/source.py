"""YAML that knows its lines: suite files, and values as the command line has them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bench.errors import SuiteError, UsageError, unknown
from bench.learning.settings import Training

Location = Sequence[str | int]


class Loader(yaml.SafeLoader):
    """YAML with the numbers of its version 1.2, where 1e-4 is one, and without dates."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in forms if not tag.endswith(":timestamp")]
    for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


class SuiteSource:
    """A YAML file that knows at which line each of its parts stands."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            text = path.read_text(encoding="utf-8")
            self.root = yaml.compose(text, Loader=Loader)
            self.content = yaml.load(text, Loader=Loader)  # noqa: S506 - a SafeLoader
        except (OSError, UnicodeDecodeError) as error:
            raise SuiteError(f"{path}: cannot be read ({error}).") from error
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f"{path}, line {mark.line + 1}" if mark else f"{path}"
            raise SuiteError(f"{where}: not YAML ({_problem(error)}).") from error
        _refuse_repeats(path, self.root)

    def error(self, place: Location, message: str) -> SuiteError:
        """The error to raise for a mistake at `place`."""
        return SuiteError(f"{self.path}, line {self._line(place)}, {_dotted(place)}: {message}")

    def has(self, place: Location) -> bool:
        """Whether the file has such a part."""
        node = self.root
        for part in place:
            found = _child(node, part)
            if found is None:
                return False
            node = found[1]
        return True

    def _line(self, place: Location) -> int:
        node, line = self.root, 1
        for part in place:
            found = _child(node, part)
            if found is None:
                break
            line, node = found
        return line


def read_value(text: str) -> Any:
    """A value as a suite would have it. Raises UsageError where it is not YAML."""
    try:
        return yaml.load(text, Loader=Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise UsageError(f'"{text}" is not a value ({_problem(error)}).') from error


def _refuse_repeats(path: Path, node: yaml.Node | None) -> None:
    """YAML readers keep the last of two equal keys and drop the first without a word."""
    if isinstance(node, yaml.SequenceNode):
        for child in node.value:
            _refuse_repeats(path, child)
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, child in node.value:
            if key.value in seen:
                line = key.start_mark.line + 1
                raise SuiteError(f'{path}, line {line}: key "{key.value}" is given twice.')
            seen.add(key.value)
            _refuse_repeats(path, child)


def _problem(error: yaml.YAMLError) -> str:
    return " ".join(str(getattr(error, "problem", None) or error).split())


def _dotted(place: Location) -> str:
    return ".".join(str(part) for part in place) or "top"


def _child(node: yaml.Node | None, part: str | int) -> tuple[int, yaml.Node] | None:
    """Line and node of a part of a mapping or list."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark.line + 1, node.value[part]
    return None


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


def first_error(source: SuiteSource, error: ValidationError, keys: Iterable[str]) -> SuiteError:
    """The first mistake. Where several forms are allowed, that of the form that came furthest."""
    places = [_place(source, detail) for detail in error.errors()]
    within = [place for place in places if place[: len(places[0])] == places[0]]
    where = max(within, key=len)
    same = [d for d, place in zip(error.errors(), places, strict=True) if place == where]
    if same[0]["type"] == "extra_forbidden":
        return source.error(where, unknown("key", str(where[-1]), keys))
    return source.error(where, f"{asked(same)}.")


def _place(source: SuiteSource, detail: ErrorDetails) -> list[str | int]:
    """Where in the file: pydantic also names the member of a union, which the file does not."""
    place: list[str | int] = []
    for part in detail["loc"]:
        if source.has([*place, part]):
            place.append(part)
    return [*place, detail["loc"][-1]] if detail["type"] == "missing" else place


def field_error(source: SuiteSource, place: Location, error: ValidationError) -> SuiteError:
    """The first mistake in a task's options or training settings."""
    detail = error.errors()[0]
    field = str(detail["loc"][0]) if detail["loc"] else ""
    where = written_at(source, place, field)
    if detail["type"] == "extra_forbidden":
        message = unknown("training setting", field, Training.model_fields)
        return source.error(where or place, message)
    if where is None:
        return source.error(place, f"{field}: {asked([detail])}.")
    return source.error(where, f"{asked([detail])}.")


def written_at(source: SuiteSource, place: Location, field: str) -> Location | None:
    """Where a task's field or training setting stands in the file."""
    nearest_first: list[list[str | int]] = [
        [*place, field],
        [*place, "matrix", field],
        [*place, "training", field],
        ["training", field],
    ]
    return next((where for where in nearest_first if source.has(where)), None)


def asked(details: Sequence[ErrorDetails]) -> str:
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

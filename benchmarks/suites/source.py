"""Suite files by name, and YAML whose mistakes are reported with their line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from bench.errors import SuiteError, UsageError, shortened, unknown
from bench.learning.settings import Training
from bench.outside.files import text_of
from bench.outside.yaml_text import LARGEST, YamlMistake, compose
from bench.plugins import discover_suites, leave_out

Location = Sequence[str | int]


class SuiteSource:
    """A YAML file that knows at which line each of its parts stands."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._root, self.content = compose(text_of(path, LARGEST, SuiteError))
        except YamlMistake as mistake:
            where = f"{path}, line {mistake.line}" if mistake.line else f"{path}"
            if mistake.place is not None:
                raise SuiteError(f"{where}, {_dotted(mistake.place)}: {mistake}.") from mistake
            raise SuiteError(f"{where}: not YAML ({mistake}).") from mistake
        if not isinstance(self.content, dict):
            raise SuiteError(f"{path}: a suite is a mapping with title, tasks and methods.")

    def error(self, place: Location, message: str) -> SuiteError:
        """The error to raise for a mistake at `place`."""
        line, _ = self._locate(place)
        return SuiteError(f"{self.path}, line {line}, {_dotted(place)}: {message}")

    def has(self, place: Location) -> bool:
        """Whether the file has such a part."""
        return self._locate(place)[1]

    def _locate(self, place: Location) -> tuple[int, bool]:
        """The line of the deepest part on the way to `place`, and whether it is `place` itself."""
        node, line = self._root, 1
        for part in place:
            marked = _children(node).get(part)
            if marked is None:
                return line, False
            key, node = marked
            line = key.start_mark.line + 1
        return line, True


def read_value(text: str) -> Any:
    """A value as a suite would have it. Raises UsageError where it is not YAML."""
    try:
        return compose(text)[1]
    except YamlMistake as mistake:
        raise UsageError(f'"{shortened(text)}" is not a value ({mistake}).') from mistake


def _dotted(place: Location) -> str:
    return ".".join(shortened(str(part)) for part in place) or "top"


def _children(node: Node | None) -> dict[str | int, tuple[Node, Node]]:
    """By key or index, the node whose line counts (a mapping's key) and the node of the value."""
    if isinstance(node, MappingNode):
        return {key.value: (key, value) for key, value in node.value}
    if isinstance(node, SequenceNode):
        return {index: (value, value) for index, value in enumerate(node.value)}
    return {}


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
    return source.error(where, f"{complaint(same)}.")


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
        return source.error(place, f"{field}: {complaint([detail])}.")
    return source.error(where, f"{complaint([detail])}.")


def written_at(source: SuiteSource, place: Location, field: str) -> Location | None:
    """Where a task's field or training setting stands in the file."""
    nearest_first: list[list[str | int]] = [
        [*place, field],
        [*place, "matrix", field],
        [*place, "training", field],
        ["training", field],
    ]
    return next((where for where in nearest_first if source.has(where)), None)


def complaint(details: Sequence[ErrorDetails]) -> str:
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
    if not isinstance(value, str | int | float | bool):
        return ""
    return f" (given: {shortened(repr(value))})"


FOLDER = Path(__file__).parent


def suite_names() -> dict[str, Path]:
    """The files of the suites that come with the project or as plug-ins, by the suites' names."""
    return discover_suites(FOLDER)


def descriptions() -> dict[str, str]:
    """What each suite says of itself. A plug-in file that is no suite is left out."""
    texts = {}
    for name, path in suite_names().items():
        try:
            description = SuiteSource(path).content.get("description", "")
            texts[name] = " ".join(str(description).split())
        except SuiteError as error:
            if path.parent == FOLDER:
                raise
            leave_out("suite", path, str(error).removeprefix(str(path)).strip(",:. "))
    return texts

"""YAML that knows its lines: suite files, and values as the command line has them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks.errors import SuiteError, UsageError

Place = Sequence[str | int]


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


class Source:
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

    def error(self, place: Place, message: str) -> SuiteError:
        """The error to raise for a mistake at `place`."""
        return SuiteError(f"{self.path}, line {self._line(place)}, {_dotted(place)}: {message}")

    def has(self, place: Place) -> bool:
        """Whether the file has such a part."""
        node = self.root
        for part in place:
            found = _child(node, part)
            if found is None:
                return False
            node = found[1]
        return True

    def _line(self, place: Place) -> int:
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


def _dotted(place: Place) -> str:
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

"""YAML from outside, read within bounds; docs/suites.md states them."""

from __future__ import annotations

import math
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, ComposerError, MaxDepthExceededError
from ruamel.yaml.constructor import ConstructorError, DuplicateKeyError, SafeConstructor
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from bench.errors import UNPRINTABLE, shortened
from bench.outside.json_text import INTEGERS

LARGEST = 64 * 1024
"""Bytes of a suite; the largest that comes along has 2,191. More would be no suite."""
DEEPEST = 20
"""Levels of nesting; a suite's tasks and methods have six."""
MOST_PARTS = 10_000
"""Keys, values and lists once every alias is written out; ruamel takes half a second for them."""

_TOO_MANY = f"more than {MOST_PARTS:,} keys and values"
_TAGS = {f"tag:yaml.org,2002:{kind}"
         for kind in ("str", "int", "float", "bool", "null", "map", "seq", "merge",
                      "timestamp", "value")}  # fmt: skip
"""The tags that plain YAML has by itself. A date stays text."""


class YamlMistake(ValueError):  # noqa: N818 - the user's, in words
    """What is wrong with a text.

    Attributes:
        line: The line, or None where it is not known.
        place: The keys and positions down to the part that is wrong, or None where no parts are
            known because the text is not YAML.
    """

    def __init__(
        self, problem: str, line: int | None = None, place: list[str | int] | None = None
    ) -> None:
        super().__init__(problem)
        self.line, self.place = line, place


class _BeyondBoundsError(YAMLError):
    """A part of a document that is YAML, and not for us."""

    def __init__(self, problem: str, node: Node) -> None:
        super().__init__(problem)
        self.problem, self.problem_mark = problem, node.start_mark


class _Composer(Composer):
    """Stops reading where there are too many parts."""

    parts = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """The next node."""
        self.parts += 1
        if self.parts > MOST_PARTS:
            mark = self.parser.peek_event().start_mark
            raise ComposerError(problem=_TOO_MANY, problem_mark=mark)
        return super().compose_node(parent, index)


class _Constructor(SafeConstructor):
    """Plain Python values as YAML 1.2 has them (1e-4 is a number), but a date stays text."""

    def check_mapping_key(
        self, node: Node, key_node: Node, mapping: dict[Any, Any], key: Any, value: Any
    ) -> bool:
        """Refuse a repeated key in one short sentence; ruamel's own message repeats the values."""
        if key in mapping:
            mark = key_node.start_mark
            raise DuplicateKeyError(
                problem=f'key "{shortened(str(key))}" is given twice', problem_mark=mark
            )
        return True

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        """A value; where its tag and its text do not go together, ruamel's error has no line."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, KeyError, IndexError, TypeError) as error:
            kind = str(node.tag).rpartition(":")[2]
            problem = f"{shortened(str(node.value))} is no {kind}"
            raise ConstructorError(problem=problem, problem_mark=node.start_mark) from error

    def construct_yaml_int(self, node: ScalarNode) -> int:
        """A whole number within 64 bits."""
        number = int(super().construct_yaml_int(node)) if len(node.value) <= 100 else 2**64
        if number not in INTEGERS:
            problem = f"the whole number {shortened(node.value)} is beyond 64 bits"
            raise ConstructorError(problem=problem, problem_mark=node.start_mark)
        return number

    def construct_yaml_float(self, node: ScalarNode) -> float:
        """A finite number: no result, and no page, could hold another."""
        number = float(super().construct_yaml_float(node))
        if not math.isfinite(number):
            problem = f"{shortened(node.value)} is not a finite number"
            raise ConstructorError(problem=problem, problem_mark=node.start_mark)
        return number


_Constructor.add_constructor("tag:yaml.org,2002:timestamp", SafeConstructor.construct_yaml_str)
_Constructor.add_constructor("tag:yaml.org,2002:int", _Constructor.construct_yaml_int)
_Constructor.add_constructor("tag:yaml.org,2002:float", _Constructor.construct_yaml_float)


def compose(text: str) -> tuple[Node | None, Any]:
    """The root of a YAML document, whose nodes know their lines, and the document's value.

    Raises:
        YamlMistake: The text is not YAML, repeats a key, or is beyond the bounds of this module:
            too long, too deep, too many parts, a number beyond 64 bits or not finite, a tag or a
            directive, a key that is not text, or a character that cannot be shown.
    """
    if len(text) > LARGEST:
        raise YamlMistake(f"more than {LARGEST // 1024} KiB")
    if bad := UNPRINTABLE.search(text):
        raise YamlMistake(_unwanted(bad[0]), text.count("\n", 0, bad.start()) + 1)
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer, yaml.Constructor = _Composer, _Constructor
    yaml.max_depth = DEEPEST + 1
    yaml.composer.warn_double_anchors = False
    root = None
    try:
        root = yaml.compose(text)
        if yaml.resolver.processing_version not in (None, (1, 2)):
            raise YamlMistake("only YAML 1.2 is read; leave the line that begins with %YAML out")
        if root:
            _Bounds().check(root)
        return root, yaml.constructor.construct_document(root) if root else None
    except MaxDepthExceededError as error:
        line = error.problem_mark.line + 1
        raise YamlMistake(f"nested more than {DEEPEST} levels deep", line) from error
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = str(getattr(error, "problem", None) or error)
        place = _place_of(mark, root) if root and mark else None
        raise YamlMistake(problem, mark.line + 1 if mark else None, place) from error


class _Bounds:
    """What a tree of nodes would be once every alias is written out, node by node."""

    def __init__(self) -> None:
        self.measured: dict[int, tuple[int, int]] = {}  # id of a node -> its parts and its height
        self.open: set[int] = set()

    def check(self, node: Node) -> tuple[int, int]:
        """The number of parts below a node, itself included, and its height."""
        if id(node) in self.measured:
            return self.measured[id(node)]
        if id(node) in self.open:
            raise _BeyondBoundsError("an anchor holds an alias to itself", node)
        if str(node.tag) not in _TAGS:
            raise _BeyondBoundsError(f"the tag {shortened(str(node.tag))} is not allowed", node)
        self.open.add(id(node))
        parts, height = 1, 0
        for child in self._children(node):
            below, its_height = self.check(child)
            parts, height = parts + below, max(height, its_height + 1)
            if parts > MOST_PARTS:
                raise _BeyondBoundsError(_TOO_MANY, node)
            if height > DEEPEST:
                raise _BeyondBoundsError(f"nested more than {DEEPEST} levels deep", node)
        self.open.remove(id(node))
        self.measured[id(node)] = parts, height
        return parts, height

    def _children(self, node: Node) -> list[Node]:
        if isinstance(node, ScalarNode):
            if bad := UNPRINTABLE.search(node.value):
                raise _BeyondBoundsError(_unwanted(bad[0]), node)
            return []
        if not isinstance(node, MappingNode):
            return list(node.value)
        for key, _ in node.value:
            if str(key.tag).rpartition(":")[2] not in ("str", "merge", "timestamp", "value"):
                name = f" {shortened(key.value)}" if isinstance(key, ScalarNode) else ""
                raise _BeyondBoundsError(f"the key{name} is not text; write it in quotes", key)
        return [part for pair in node.value for part in pair]


def _place_of(mark: Any, root: Node) -> list[str | int]:
    """The keys and positions down to the part that stands at a mark."""
    seen: set[int] = set()
    left: list[tuple[Node, list[str | int]]] = [(root, [])]
    while left:
        node, place = left.pop()
        if node.start_mark.index == mark.index and isinstance(node, ScalarNode):
            return place
        if id(node) in seen or isinstance(node, ScalarNode):
            continue
        seen.add(id(node))
        if isinstance(node, MappingNode):
            for key, value in node.value:
                name = str(key.value) if isinstance(key, ScalarNode) else "?"
                left += [(key, [*place, name]), (value, [*place, name])]
        else:
            left += [(value, [*place, index]) for index, value in enumerate(node.value)]
    return []


def _unwanted(character: str) -> str:
    return f"the character U+{ord(character):04X} cannot be shown; take it out"

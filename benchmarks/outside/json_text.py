"""JSON from outside, read within bounds; docs/pages.md states them."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from bench.errors import BenchError
from bench.outside.files import MIB, content_of, text_of

LARGEST = 16 * MIB
"""Bytes of a file of tags, run ids or a manifest; the tags of a million samples are as large."""
LARGEST_RECORD = 64 * MIB
"""Bytes of a result or a plan; most of a result are single samples' values and pictures."""
INTEGERS = range(-(2**63), 2**63)
"""Whole numbers that tables, databases and other languages can hold as well."""

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")

M = TypeVar("M", bound=BaseModel)


def read_json(path: Path, what: str, remedy: str) -> Any:
    """The value of a JSON file.

    Args:
        path: The file.
        what: What it should hold, in words: "run ids by trial key".
        remedy: What its owner can do, a sentence.

    Raises:
        BenchError: The file cannot be read, is too large, is not JSON, repeats a key, or has a
            number beyond 64 bits, a number that is not finite or half of a character.
    """
    text = text_of(path, LARGEST)
    try:
        return parsed(text)
    except ValueError as error:
        raise BenchError(f"{path}: not {what} ({error}). {remedy}") from error


def read_mapping(path: Path, what: str, remedy: str) -> dict[str, Any]:
    """The value of a JSON file that is a mapping. Raises BenchError as `read_json` does."""
    value = read_json(path, what, remedy)
    if not isinstance(value, dict):
        raise BenchError(f"{path}: not {what} (a mapping is expected). {remedy}")
    return value


def read_record(path: Path, kind: type[M], remedy: str) -> M:
    """A JSON file as a model of pydantic, which bounds the depth by itself.

    Raises:
        BenchError: The file cannot be read, is too large, or is no such record.
    """
    content = content_of(path, LARGEST_RECORD)
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        detail = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, detail["loc"]))
        reason = ": ".join(filter(None, [place, detail["msg"]]))
        name = kind.__name__.lower()
        raise BenchError(f"{path}: not a readable {name} ({reason}). {remedy}") from error


def parsed(text: str) -> Any:
    """The value of a JSON text. Raises ValueError as `read_json` raises BenchError."""
    try:
        value = json.loads(
            text,
            object_pairs_hook=_without_repetition,
            parse_int=_integer,
            parse_float=_finite,
            parse_constant=_not_finite,
        )
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}: {error.msg}") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except UnicodeEncodeError as error:
        raise ValueError("it holds half of a character, a surrogate") from error
    return value


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f'key "{twice}" is given twice')
    return mapping


def _integer(digits: str) -> int:
    if len(digits) > 20 or (number := int(digits)) not in INTEGERS:
        raise ValueError(f"a whole number of {len(digits)} digits is beyond 64 bits")
    return number


def _finite(digits: str) -> float:
    if not math.isfinite(number := float(digits)):
        _not_finite("a number beyond the range of floats")
    return number


def _not_finite(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a finite number")

"""Mistakes in suite files, told with their line and what would be right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from benchmarks.errors import SuiteError, unknown
from benchmarks.learning.settings import Training
from benchmarks.yaml_source import Place, Source

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


def first_error(source: Source, error: ValidationError, keys: Iterable[str]) -> SuiteError:
    """The first mistake. Where several forms are allowed, that of the form that came furthest."""
    places = [_place(source, detail) for detail in error.errors()]
    within = [place for place in places if place[: len(places[0])] == places[0]]
    where = max(within, key=len)
    same = [d for d, place in zip(error.errors(), places, strict=True) if place == where]
    if same[0]["type"] == "extra_forbidden":
        return source.error(where, unknown("key", str(where[-1]), keys))
    return source.error(where, f"{asked(same)}.")


def _place(source: Source, detail: ErrorDetails) -> list[str | int]:
    """Where in the file: pydantic also names the member of a union, which the file does not."""
    place: list[str | int] = []
    for part in detail["loc"]:
        if source.has([*place, part]):
            place.append(part)
    return [*place, detail["loc"][-1]] if detail["type"] == "missing" else place


def field_error(source: Source, place: Place, error: ValidationError) -> SuiteError:
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


def written_at(source: Source, place: Place, field: str) -> Place | None:
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

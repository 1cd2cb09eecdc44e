"""An unknown name gets the nearest known one and the list of all."""

from __future__ import annotations

import pytest

from bench.errors import BenchError, DataError, SuiteError, UsageError, unknown

METHODS = ["adversarial", "bade", "mfd", "reweighting", "rnf", "standard", "undersampling"]


@pytest.mark.parametrize(
    ("given", "suggested"),
    [
        ("bad", "bade"),
        ("baed", "bade"),
        ("abde", "bade"),
        ("rfn", "rnf"),
        ("fmd", "mfd"),
        ("BaDe", "bade"),
        ("RNF", "rnf"),
        ("standrad", "standard"),
        ("undersample", "undersampling"),
    ],
)
def test_the_nearest_name_is_suggested(given: str, suggested: str) -> None:
    message = unknown("method", given, METHODS)
    assert message.startswith(f'unknown method "{given}". Did you mean "{suggested}"? Known: ')


def test_a_name_like_no_other_gets_only_the_list() -> None:
    assert unknown("method", "xyzzy", ["mfd", "bade"]) == (
        'unknown method "xyzzy". Known: bade, mfd.'
    )


def test_an_empty_list_says_so() -> None:
    assert unknown("field", "width", []) == 'unknown field "width". Known: none.'


def test_the_suggestion_is_written_as_it_is_known() -> None:
    assert 'Did you mean "RNF"?' in unknown("method", "rnf", iter(["RNF", "MFD"]))


def test_every_mistake_of_a_user_is_caught_by_one_class() -> None:
    for kind in (DataError, SuiteError, UsageError):
        assert issubclass(kind, BenchError)

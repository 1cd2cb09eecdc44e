"""What cannot be used is named; a little is forgiven, more is not."""

from __future__ import annotations

import pytest

from bench.data.raw import Faults
from bench.errors import DataError


def faults(count: int) -> Faults:
    made = Faults("sounds.zip", "recordings")
    for i in range(count):
        made.add(f"{i}.wav", "cut short")
    return made


@pytest.mark.parametrize(("count", "total"), [(0, 0), (10, 10), (10, 999), (20, 2_000)])
def test_one_in_a_hundred_is_forgiven_and_ten_of_few(count: int, total: int) -> None:
    faults(count).refuse_many(total)


@pytest.mark.parametrize(("count", "total"), [(11, 11), (11, 1_099), (21, 2_000)])
def test_more_is_an_error_that_names_the_first(count: int, total: int) -> None:
    with pytest.raises(DataError) as error:
        faults(count).refuse_many(total)
    assert str(error.value).startswith(f"sounds.zip: {count} of {total:,} recordings cannot be")
    assert "0.wav (cut short), 1.wav (cut short)" in str(error.value)


def test_notes_name_a_few_and_count_all() -> None:
    assert faults(0).notes() == []
    assert faults(1).notes() == ["1 unusable recordings are left out: 0.wav (cut short)."]
    assert faults(7).notes()[0].endswith("4.wav (cut short) and 2 more.")

"""Prepared data knows the raw files it was made from: what changed since is made anew."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from bench.data.dataset import Library
from tests.data.picture_examples import write_utkface
from tests.data.raw_examples import adult_row, adult_train, write_adult


def test_changed_raw_files_are_said_and_prepared_again(
    library: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    write_adult(library)
    first = library.ensure("adult")
    assert library.ensure("adult") == first
    write_adult(library, [*adult_train(), adult_row(0, 33)] * 2)
    capsys.readouterr()
    second = library.ensure("adult")
    assert second.hash != first.hash
    assert second.sizes["train"] > first.sizes["train"]
    assert capsys.readouterr().err == (
        "adult: adult.data changed since it was prepared; it is prepared again\n"
    )
    assert library.ensure("adult") == second
    assert capsys.readouterr().err == ""


def test_the_same_content_at_another_time_or_place_is_no_change(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_adult(library)
    first = library.ensure("adult")
    os.utime(folder / "adult.data", (1, 1))
    assert library.ensure("adult") == first
    folder.rename(tmp_path / "adult")
    assert library.ensure("adult") == first  # without raw files there is nothing to compare
    monkeypatch.setenv("BENCH_MIRROR", str(tmp_path))
    assert library.ensure("adult") == first


def test_a_picture_more_in_an_unpacked_folder_is_noticed(
    library: Library, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:

    folder = write_utkface(library)
    with tarfile.open(folder / "UTKFace.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    (folder / "UTKFace.tar.gz").unlink()
    first = library.ensure("utkface")
    some = next((folder / "UTKFace").iterdir())
    (folder / "UTKFace" / f"20_1_1_2017{'9' * 13}.jpg.chip.jpg").write_bytes(some.read_bytes())
    second = library.ensure("utkface")
    assert sum(second.sizes.values()) == sum(first.sizes.values()) + 1
    assert "UTKFace.tar.gz changed since it was prepared" in capsys.readouterr().err


def test_a_copy_of_an_earlier_version_that_knows_no_sources_stays(library: Library) -> None:
    write_adult(library)
    first = library.ensure("adult")
    path = library.prepared_folder("adult") / "meta.json"
    path.write_text(first.model_copy(update={"stamps": {}}).model_dump_json())
    write_adult(library, [*adult_train(), adult_row(0, 33)])
    assert library.ensure("adult").hash == first.hash

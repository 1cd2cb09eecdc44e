"""Archives are listed and read where they are, and what is wrong with them is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.data.archives import Several, open_archive
from bench.errors import DataError
from tests.data.picture_examples import tarred, zipped

FILES = {"a/2.jpg": b"two", "a/1.jpg": b"one", "b.txt": b"text"}
MAKE = {"x.zip": zipped, "x.tar.gz": tarred, "x.tar": lambda files: tarred(files, "w")}


@pytest.mark.parametrize("name", MAKE)
def test_files_are_listed_sorted_and_read_as_asked(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(MAKE[name]({**FILES, "__MACOSX/a/._1.jpg": b"x", "a/._2.jpg": b"x"}))
    archive = open_archive(path)
    assert archive.names == ["a/1.jpg", "a/2.jpg", "b.txt"]
    assert dict(archive.each(["a/1.jpg", "b.txt"])) == {"a/1.jpg": b"one", "b.txt": b"text"}


def test_a_folder_is_an_archive_and_its_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "x" / "a").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "x" / "a" / "1.jpg").write_bytes(b"one")
    (tmp_path / "x" / "link.jpg").symlink_to(tmp_path / "secret")
    archive = open_archive(tmp_path / "x")
    assert archive.names == ["a/1.jpg"]
    assert list(archive.each(archive.names)) == [("a/1.jpg", b"one")]


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("evil", ["../etc/passwd", "/etc/passwd", "a/../../b"])
def test_a_name_that_points_out_of_the_archive_is_refused(
    tmp_path: Path, name: str, evil: str
) -> None:
    (tmp_path / name).write_bytes(MAKE[name]({**FILES, evil: b"x"}))
    with pytest.raises(DataError, match=f"{name}: {evil} points out of the archive"):
        open_archive(tmp_path / name)


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz"])
def test_an_archive_that_was_cut_short_is_named(tmp_path: Path, name: str) -> None:
    content = MAKE[name]({f"{i}.jpg": bytes([i]) * 999 for i in range(50)})
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=rf"{name}: not a complete archive .* cut short: fetch it"):
        open_archive(tmp_path / name)


def test_what_is_no_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.tar.gz").write_bytes(b"<html>Quota exceeded</html>")
    with pytest.raises(DataError, match=r"x.tar.gz: not a complete archive"):
        open_archive(tmp_path / "x.tar.gz")


def test_several_archives_are_read_as_one(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(zipped(FILES))
    (tmp_path / "y.tar").write_bytes(tarred({"a/1.jpg": b"other"}, "w"))
    one, two = (open_archive(tmp_path / name) for name in ("x.zip", "y.tar"))
    both = Several({"right": one, "left": two})
    assert both.names == ["left/a/1.jpg", "right/a/1.jpg", "right/a/2.jpg", "right/b.txt"]
    read = dict(both.each(["left/a/1.jpg", "right/a/1.jpg"]))
    assert read == {"left/a/1.jpg": b"other", "right/a/1.jpg": b"one"}
    assert both.path == tmp_path
    assert both.stamp() == [*one.stamp(), *two.stamp()]

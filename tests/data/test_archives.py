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


WRITTEN = {
    "./": "./{}", "//": "x//{}", "/./": "x/./{}", "backslashes": "x\\{}", "both": ".\\x/./{}",
}  # fmt: skip
"""Ways in which programs write names into archives."""


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("way", WRITTEN)
def test_names_have_one_form_however_they_were_written(tmp_path: Path, name: str, way: str) -> None:
    path, form = tmp_path / name, WRITTEN[way]
    path.write_bytes(MAKE[name]({form.format(own): content for own, content in FILES.items()}))
    archive = open_archive(path)
    folder = "x/" if "x" in form else ""
    assert archive.names == [f"{folder}{own}" for own in sorted(FILES)]
    read = dict(archive.each(archive.names))
    assert read == {f"{folder}{own}": content for own, content in FILES.items()}


def test_what_systems_leave_behind_is_not_listed(tmp_path: Path) -> None:
    left = ["__MACOSX/1.jpg", "a/._1.jpg", "a/.DS_Store", "Thumbs.db", "a/desktop.ini",
            "a/.ipynb_checkpoints/1-checkpoint.jpg", "@eaDir/1.jpg"]  # fmt: skip
    (tmp_path / "x.zip").write_bytes(zipped({**FILES, **dict.fromkeys(left, b"x")}))
    assert open_archive(tmp_path / "x.zip").names == sorted(FILES)


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz"])
def test_of_a_name_that_is_there_twice_the_first_counts_and_it_is_told(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(MAKE[name]({"a.jpg": b"first", "./a.jpg": b"second"}))
    archive = open_archive(tmp_path / name)
    assert dict(archive.each(archive.names)) == {"a.jpg": b"first"}
    assert archive.account() == [
        f"{name} holds 1 files more than once, of which the first counts: a.jpg."
    ]


def test_files_that_nobody_used_are_counted_by_suffix(tmp_path: Path) -> None:
    files = {"a.jpg": b"1", "b.heic": b"2", "c.HEIC": b"3", "README": b"4"}
    (tmp_path / "x.zip").write_bytes(zipped(files))
    archive = open_archive(tmp_path / "x.zip")
    assert list(archive.each(["a.jpg"])) == [("a.jpg", b"1")]
    assert archive.account() == ["3 files of x.zip are not used: 2 .heic, 1 no suffix."]
    archive.use(["b.heic", "c.HEIC", "README"])
    assert archive.account() == []


@pytest.mark.parametrize("name", [*MAKE, "x"])
def test_a_file_that_is_not_there_is_an_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "x":
        path.mkdir()
        (path / "a.jpg").write_bytes(b"1")
    else:
        path.write_bytes(MAKE[name]({"a.jpg": b"1"}))
    with pytest.raises(DataError, match=rf"{name}: has no b.jpg, c.jpg\."):
        list(open_archive(path).each(["a.jpg", "b.jpg", "c.jpg"]))


def test_a_file_that_vanished_from_an_archive_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(tarred({"a.jpg": b"1", "b.jpg": b"2"}, "w"))
    archive = open_archive(path)
    path.write_bytes(tarred({"a.jpg": b"1"}, "w"))
    with pytest.raises(DataError, match=r"1 of 2 files could not be read from it: b\.jpg"):
        list(archive.each(archive.names))


def test_the_suffix_of_an_archive_decides_nothing(tmp_path: Path) -> None:
    for name, content in (("x.tar.gz", zipped(FILES)), ("y.dat", tarred(FILES, "w:xz"))):
        (tmp_path / name).write_bytes(content)
        assert dict(open_archive(tmp_path / name).each(FILES)) == FILES


def test_links_within_the_tree_and_into_the_cache_of_dvc_are_followed(tmp_path: Path) -> None:
    folder, md5 = tmp_path / "data" / "x", "0123456789" * 3
    cached = tmp_path / "elsewhere" / "files" / "md5" / "ab" / md5
    for path, content in (
        (folder / "cat" / "1.jpg", b"1"),
        (tmp_path / "store" / "horse" / "2.jpg", b"2"),
        (cached, b"3"),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "horse").symlink_to(Path("..") / ".." / "store" / "horse")
    (folder / "cat" / "3.jpg").symlink_to(cached)
    (folder / "cat" / "4.jpg").symlink_to("1.jpg")
    (folder / "circle").symlink_to(folder)
    archive = open_archive(folder, [tmp_path / "data", tmp_path / "store"])
    contents = {"cat/1.jpg": b"1", "cat/3.jpg": b"3", "cat/4.jpg": b"1", "horse/2.jpg": b"2"}
    assert dict(archive.each(archive.names)) == contents


@pytest.mark.parametrize(
    ("target", "words"),
    [("secret", "a link that leaves the folder"), ("nowhere", "a link that leads nowhere")],
)
def test_links_that_leave_or_lead_nowhere_are_named(
    tmp_path: Path, target: str, words: str
) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    folder = tmp_path / "x"
    folder.mkdir()
    (folder / "1.jpg").symlink_to(tmp_path / target)
    with pytest.raises(DataError, match=rf"1\.jpg: {words}"):
        open_archive(folder)


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

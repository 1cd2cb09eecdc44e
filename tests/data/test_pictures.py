"""Decoding: the same bytes however many threads, whatever stopped it; bad pictures are named."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bench.data import pictures, raw
from bench.data.archives import Archive, open_archive
from bench.data.pictures import Decoded, decode
from bench.errors import DataError
from tests.data.picture_examples import jpeg, tarred, zipped

COUNT = 150  # more than two chunks
NAMES = [f"faces/{i:03}.jpg" for i in range(COUNT)]
WHERE = {"train": NAMES[:100], "validation": NAMES[100:120], "test": NAMES[120:]}


def archive_of(folder: Path, changed: dict[str, bytes] | None = None) -> Archive:
    """A zip of grey pictures: number i is of grey value i."""
    files = {name: jpeg(40, 60, i) for i, name in enumerate(NAMES)} | (changed or {})
    path = folder / "faces.zip"
    path.write_bytes(zipped(files))
    return open_archive(path)


def decoded(archive: Archive, work: Path, workers: int | None = None) -> Decoded:
    return decode(archive, WHERE, 16, 40, work, expected=(40, 60), workers=workers)


def test_each_picture_is_in_its_row_cropped_to_the_central_square(tmp_path: Path) -> None:
    found = decoded(archive_of(tmp_path), tmp_path / "work")
    assert {split: x.shape for split, x in found.x.items()} == {
        "train": (100, 3, 16, 16),
        "validation": (20, 3, 16, 16),
        "test": (30, 3, 16, 16),
    }
    assert found.x["train"].dtype == np.uint8
    # The frame of 20 black rows leaves 20 of the 60 rows grey: the middle half of the square.
    middle = np.concatenate([x[:, :, 8, 8] for x in found.x.values()])
    assert np.abs(middle.astype(int) - np.arange(COUNT)[:, None]).max() <= 2
    assert found.x["test"][:, :, 0].max() <= 8
    assert found.unreadable == []
    assert found.other_size == 0
    assert found.notes((40, 60)) == []


def test_many_threads_and_one_give_the_same_bytes(tmp_path: Path) -> None:
    archive = archive_of(tmp_path)
    one, many = (decoded(archive, tmp_path / str(w), w) for w in (1, 4))
    for split in WHERE:
        assert one.x[split].tobytes() == many.x[split].tobytes()


@pytest.mark.parametrize("kind", ["zip", "tar", "folder"])
def test_zip_tar_and_folder_give_the_same_bytes(tmp_path: Path, kind: str) -> None:
    files = {name: jpeg(40, 60, i) for i, name in enumerate(NAMES)}
    path = tmp_path / {"zip": "a.zip", "tar": "a.tar.gz", "folder": "a"}[kind]
    if kind == "folder":
        (path / "faces").mkdir(parents=True)
        for name, content in files.items():
            (path / name).write_bytes(content)
    else:
        path.write_bytes(zipped(files) if kind == "zip" else tarred(files))
    found = decoded(open_archive(path), tmp_path / "work")
    first = decoded(archive_of(tmp_path), tmp_path / "first")
    assert all(np.array_equal(found.x[split], first.x[split]) for split in WHERE)


def test_what_was_killed_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, work = archive_of(tmp_path), tmp_path / "work"
    whole = decoded(archive, tmp_path / "whole")
    one_picture, calls = pictures._picture, Counter()

    def dies(name: str, content: bytes, size: int, crop: int) -> object:
        calls["first"] += 1
        if calls["first"] == 100:
            raise KeyboardInterrupt
        return one_picture(name, content, size, crop)

    monkeypatch.setattr(pictures, "_picture", dies)
    with pytest.raises(KeyboardInterrupt):
        decoded(archive, work, workers=1)

    def counts(name: str, content: bytes, size: int, crop: int) -> object:
        calls["second"] += 1
        return one_picture(name, content, size, crop)

    monkeypatch.setattr(pictures, "_picture", counts)
    resumed = decoded(archive, work, workers=1)
    assert calls["second"] == COUNT - pictures.CHUNK  # the first chunk was saved
    for split in WHERE:
        assert np.array_equal(resumed.x[split], whole.x[split])


def test_nothing_is_reused_once_the_archive_or_the_size_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, one_picture, calls = tmp_path / "work", pictures._picture, Counter()

    def counts(name: str, content: bytes, size: int, crop: int) -> object:
        calls["all"] += 1
        return one_picture(name, content, size, crop)

    monkeypatch.setattr(pictures, "_picture", counts)
    decoded(archive_of(tmp_path), work)
    decoded(open_archive(tmp_path / "faces.zip"), work)
    assert calls["all"] == COUNT
    changed = decoded(archive_of(tmp_path, {NAMES[0]: jpeg(40, 60, 255)}), work)
    assert calls["all"] == 2 * COUNT
    assert changed.x["train"][0, 0, 8, 8] > 250
    decode(open_archive(tmp_path / "faces.zip"), WHERE, 8, 40, work, expected=(40, 60), workers=1)
    assert calls["all"] == 3 * COUNT


def test_a_map_that_was_already_taken_away_is_made_again(tmp_path: Path) -> None:
    archive, work = archive_of(tmp_path), tmp_path / "work"
    decoded(archive, work)
    (work / "train.npy").unlink()
    assert decoded(archive, work).x["train"][50, 0, 8, 8] in range(48, 53)


WHOLE = jpeg(40, 60, 200)
BAD = {
    "cut short": WHOLE[: len(WHOLE) // 2],
    "empty": b"",
    "a web page": b"<html>Quota exceeded</html>",
    "only a header": WHOLE[:20],
}


@pytest.mark.parametrize("what", BAD)
def test_an_unreadable_picture_is_named_counted_and_left_out(tmp_path: Path, what: str) -> None:
    archive = archive_of(tmp_path, {NAMES[3]: BAD[what], NAMES[119]: BAD[what]})
    found = decoded(archive, tmp_path / "work")
    assert found.unreadable == [NAMES[3], NAMES[119]]
    assert found.notes((40, 60)) == [
        "2 unreadable pictures are left out: faces/003.jpg, faces/119.jpg."
    ]
    assert {split: x.shape[0] for split, x in found.x.items()} == {
        "train": 99,
        "validation": 19,
        "test": 30,
    }
    assert np.flatnonzero(~found.kept["train"]).tolist() == [3]
    middle = found.x["train"][:, 0, 8, 8].astype(int)
    assert np.abs(middle - np.delete(np.arange(100), 3)).max() <= 2
    again = decoded(archive, tmp_path / "work")
    assert again.unreadable == found.unreadable
    assert np.array_equal(again.x["train"], found.x["train"])


def test_a_damaged_member_of_a_zip_costs_one_picture(tmp_path: Path) -> None:
    archive_of(tmp_path)
    path = tmp_path / "faces.zip"
    content = bytearray(path.read_bytes())
    content[200] ^= 0xFF  # within the first picture, which the zip stores as it is
    path.write_bytes(content)
    assert decoded(open_archive(path), tmp_path / "work").unreadable == [NAMES[0]]


def test_too_many_unreadable_pictures_stop_the_command(tmp_path: Path) -> None:
    bad = dict.fromkeys(NAMES[: raw.ALWAYS_TOLERATED + 1], b"no")
    with pytest.raises(DataError) as error:
        decoded(archive_of(tmp_path, bad), tmp_path / "work")
    assert str(error.value) == (
        f"{tmp_path}/faces.zip: 11 pictures cannot be read, more than the 10 that are tolerated: "
        "faces/000.jpg, faces/001.jpg, faces/002.jpg, faces/003.jpg, faces/004.jpg and 6 more. "
        "Fetch the archive again."
    )
    bad.popitem()
    assert len(decoded(archive_of(tmp_path, bad), tmp_path / "work").unreadable) == 10


def test_a_split_without_a_readable_picture_is_an_error(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, {NAMES[0]: b""})
    where = {"train": NAMES[1:], "validation": NAMES[:1]}
    with pytest.raises(DataError, match="None of the pictures of a split can be read"):
        decode(archive, where, 8, 40, tmp_path / "work", expected=(40, 60))
    with pytest.raises(DataError, match="There are no pictures for test"):
        decode(archive, {"train": NAMES, "test": []}, 8, 40, tmp_path / "w", expected=(40, 60))


def test_pictures_of_another_size_or_mode_are_used_and_counted(tmp_path: Path) -> None:
    odd = {NAMES[0]: jpeg(30, 90, 77), NAMES[1]: jpeg(40, 60, 88, "L")}
    found = decoded(archive_of(tmp_path, odd), tmp_path / "work")
    assert found.other_size == 1
    assert found.notes((40, 60)) == [
        "1 pictures are not of 40 x 60 pixels.",
        "1 pictures are grey, of a palette or of printing colours, and become RGB.",
    ]
    middle = found.x["train"][:2, :, 8, 8].astype(int)
    assert np.abs(middle - [[77], [88]]).max() <= 2


def test_without_a_terminal_a_line_is_printed_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pictures, "LINE_EVERY", 0.0)
    decoded(archive_of(tmp_path), tmp_path / "work", workers=1)
    assert capsys.readouterr().err.splitlines() == [
        "decoding pictures: 64 of 150",
        "decoding pictures: 128 of 150",
        "decoding pictures: 150 of 150",
    ]


def test_a_full_disk_is_noticed_before_it_kills_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        free = 1000

    monkeypatch.setattr(pictures.shutil, "disk_usage", lambda _: Full)
    with pytest.raises(DataError, match=r"work: the decoded pictures need 0.0 GB, 0.0 GB are free"):
        decoded(archive_of(tmp_path), tmp_path / "work")


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def stored(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def ramp(mode: str = "RGB") -> Image.Image:
    """40 x 60 pixels, dark above and bright below."""
    levels = np.repeat(np.linspace(20, 230, 60), 40).reshape(60, 40).astype(np.uint8)
    return Image.fromarray(levels).convert(mode)


DEEP = Image.fromarray(np.asarray(ramp("L")).astype(np.uint16) * 257)
Turn = Image.Transpose
TURNED = {
    tag: ramp().transpose(how)
    for tag, how in ((3, Turn.ROTATE_180), (6, Turn.ROTATE_90), (8, Turn.ROTATE_270))
}
CLEAR = Image.merge("RGBA", [*ramp().split(), Image.new("L", (40, 60), 0)])
FORMS: dict[str, tuple[str, bytes, int]] = {
    "16 bits": ("x.png", stored(DEEP, "PNG"), pictures.DEEP | pictures.MODE),
    "16 bits in a TIFF": ("x.tif", stored(DEEP, "TIFF"), pictures.DEEP | pictures.MODE),
    "grey": ("x.png", stored(ramp("L"), "PNG"), pictures.MODE),
    "a palette": ("x.png", stored(ramp("P"), "PNG"), pictures.MODE),
    "printing colours": ("x.jpg", stored(ramp("CMYK"), "JPEG", quality=95), pictures.MODE),
    "opaque": ("x.png", stored(ramp("RGBA"), "PNG"), 0),
    "WebP": ("x.webp", stored(ramp(), "WEBP", lossless=True), 0),
    "WebP named .jpg": ("x.jpg", stored(ramp(), "WEBP", lossless=True), 3 << pictures.FORMAT),
    "PNG named .JPEG": ("x.JPEG", stored(ramp(), "PNG"), 2 << pictures.FORMAT),
    "BMP": ("x.bmp", stored(ramp(), "BMP"), 0),
    "an animation": (
        "x.gif",
        stored(ramp(), "GIF", save_all=True, append_images=[Image.new("RGB", (40, 60))]),
        pictures.FRAMES | pictures.MODE,
    ),
    **{
        f"turned {tag}": ("x.jpg", stored(p, "JPEG", quality=95, exif=exif(tag)), pictures.TURNED)
        for tag, p in TURNED.items()
    },
}


@pytest.mark.parametrize("what", FORMS)
def test_pictures_of_every_form_look_alike_and_say_what_they_were(what: str) -> None:
    name, content, state = FORMS[what]
    found, size, told = pictures._picture(name, content, 20, pictures.LARGEST)
    assert found is not None
    assert size == (40, 60)
    assert told == pictures.DONE | state
    expected, _, _ = pictures._picture("x.png", stored(ramp(), "PNG"), 20, pictures.LARGEST)
    assert expected is not None
    assert np.abs(found.astype(int) - expected).max() <= 8


def test_what_is_transparent_becomes_white() -> None:
    found, _, told = pictures._picture("x.png", stored(CLEAR, "PNG"), 20, pictures.LARGEST)
    assert found is not None
    assert found.min() == 255
    assert told == pictures.DONE | pictures.CLEAR


@pytest.mark.parametrize("mode", ["F", "I"])
def test_numbers_of_no_known_range_are_unreadable(mode: str) -> None:
    content = stored(ramp("L").convert(mode), "TIFF")
    assert pictures._picture("x.tif", content, 20, 40)[2] == pictures.UNREADABLE


def test_a_picture_in_two_splits_fills_a_row_of_each_and_is_a_leak(tmp_path: Path) -> None:
    archive = archive_of(tmp_path)
    members = {"train": NAMES[9:20], "validation": NAMES[18:30], "test": [NAMES[40], NAMES[9]]}
    found = pictures.decode(archive, members, 16, 40, tmp_path / "work", expected=None)
    assert (found.x["train"][9:11] == found.x["validation"][:2]).all()
    assert (found.x["train"][0] == found.x["test"][1]).all()
    assert all(x.reshape(len(x), -1).max(1).min() > 0 for x in found.x.values())
    assert found.notes() == [
        "3 pictures stand in both train and test, in both train and validation, so that what is "
        f"learned and what is measured overlap: {NAMES[9]}, {NAMES[18]}, {NAMES[19]}."
    ]


def test_pictures_of_another_format_are_told_by_its_name(tmp_path: Path) -> None:
    odd = {name: stored(ramp(), "WEBP") for name in NAMES[3:6]}
    found = decoded(archive_of(tmp_path, odd), tmp_path / "work")
    assert found.notes() == ["3 pictures are WEBP under another suffix, and read as such."]

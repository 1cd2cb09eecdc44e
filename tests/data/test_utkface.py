"""UTKFace: everything is in the file names, also what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.data.dataset import Library
from bench.data.pictures import SizeOptions
from bench.data.utkface import read_names
from bench.errors import DataError, UsageError
from tests.data.picture_examples import (
    AGES,
    MALFORMED,
    jpeg,
    tarred,
    utkface_names,
    utkface_pictures,
    write_utkface,
    zipped,
)
from tests.data.raw_examples import assert_nothing_is_left
from tests.sentences import assert_says

SMALL = SizeOptions(size=16)
COUNT = 60 * len(AGES)


def test_names_are_read_and_malformed_ones_counted() -> None:
    good = [
        "26_0_2_20170104023102422.jpg.chip.jpg",
        "100_1_0_20170112213500903.jpg",
        "1_0_4_20161219140623097.JPG",
        "55_0_0_20170116232725357jpg.chip.jpg",  # as in the release: a dot is missing in the date
        "24_0_1_20170116220224657 .jpg.chip.jpg",  # as in the release: a space
    ]
    bad = [*MALFORMED, "53__0_20170116184028385.jpg.chip.jpg", "26_0_5_20170104023102422.jpg"]
    other = ["UTKFace/readme.txt", "Thumbs.db"]
    members, labels, notes = read_names([f"UTKFace/{name}" for name in good + bad] + other)
    by_name = dict(zip(members, map(tuple, labels.T.tolist()), strict=True))
    assert by_name == {
        f"UTKFace/{good[0]}": (26, 0, 2),
        f"UTKFace/{good[1]}": (100, 1, 0),
        f"UTKFace/{good[2]}": (1, 0, 4),
        f"UTKFace/{good[3]}": (55, 0, 0),
        f"UTKFace/{good[4]}": (24, 0, 1),
    }
    assert notes == [
        "5 pictures are skipped because their names are malformed: 26_0_5_20170104023102422.jpg, "
        "39_1_20170116174525125.jpg.chip.jpg, 53__0_20170116184028385.jpg.chip.jpg, "
        "61_1_20170109142408075.jpg.chip.jpg, 61_3_20170109150557335.jpg.chip.jpg.",
        "There are 10 pictures; the official release has 23,708.",
    ]


def test_the_official_number_of_pictures_needs_no_note() -> None:
    for count in (23_708, 23_707):
        names = [f"UTKFace/30_0_0_2017{i:013}.jpg.chip.jpg" for i in range(count)]
        assert read_names(names)[2] == []


def test_of_a_picture_that_stands_twice_the_one_in_utkface_is_taken() -> None:
    name = "26_0_2_20170104023102422.jpg.chip.jpg"
    members, _, notes = read_names([f"crop_part1/{name}", f"UTKFace/{name}", f"z/{name}"])
    assert members == [f"UTKFace/{name}"]
    assert notes[0] == "2 pictures are in the archive more than once."


def test_labels_follow_the_names(example_pictures: Library) -> None:
    over = example_pictures.splits("utkface", "age_over_35|race", SizeOptions())
    age = example_pictures.splits("utkface", "age_regression|race", SizeOptions())
    groups = example_pictures.splits("utkface", "age_30y_groups|race", SizeOptions())
    gender = example_pictures.splits("utkface", "age_over_35|gender", SizeOptions())
    for split in over:
        years = np.rint(age[split].y * 116).astype(int)
        assert set(years.tolist()) <= set(AGES)
        assert age[split].y.dtype == np.float32
        assert over[split].y.tolist() == (years > 35).tolist()
        assert groups[split].y.tolist() == np.minimum(years // 30, 2).tolist()
        grey = over[split].x[:, 0, 64, 64].astype(int)
        assert np.abs(grey - 2 * years).max() <= 2
    whites = sum(int(split.b.sum()) for split in over.values())
    women = sum(int(split.b.sum()) for split in gender.values())
    assert whites == COUNT // 5
    assert women == COUNT // 2


def test_the_split_is_70_10_20_in_every_large_cell(example_pictures: Library) -> None:
    meta = example_pictures.meta("utkface")
    assert meta is not None
    assert meta.shape == [3, 128, 128]
    assert meta.sizes == {"train": 336, "validation": 48, "test": 96}
    splits = example_pictures.splits("utkface", "age_over_35|race", SizeOptions())
    for y in (0, 1):
        for b in (0, 1):
            count = {s: int(((x.y == y) & (x.b == b)).sum()) for s, x in splits.items()}
            whole = 240 * (0.2 if b else 0.8)
            assert abs(count["test"] - 0.2 * whole) <= 4
            assert abs(count["validation"] - 0.1 * whole) <= 4


def test_the_order_in_the_archive_does_not_matter(library: Library) -> None:
    folder = write_utkface(library)
    first = library.prepare("utkface", SMALL).hash
    backwards = dict(reversed(utkface_pictures().items()))
    (folder / "UTKFace.tar.gz").write_bytes(tarred(backwards))
    assert library.prepare("utkface", SMALL).hash == first


@pytest.mark.parametrize("kind", ["UTKFace.zip", "UTKFace"])
def test_a_zip_or_a_folder_does_as_well(library: Library, kind: str) -> None:
    folder = write_utkface(library)
    first = library.prepare("utkface", SMALL).hash
    (folder / "UTKFace.tar.gz").unlink()
    if kind == "UTKFace":
        (folder / kind).mkdir()
        for name, content in utkface_pictures().items():
            (folder / name).write_bytes(content)
    else:
        (folder / kind).write_bytes(zipped(utkface_pictures()))
    assert library.prepare("utkface", SMALL).hash == first


def test_what_was_found_is_told(library: Library) -> None:
    write_utkface(library, {f"UTKFace/{name}": jpeg(200, 200, 9) for name in MALFORMED})
    meta = library.prepare("utkface", SMALL)
    assert sum(meta.sizes.values()) == COUNT
    assert meta.notes[0].startswith("3 pictures are skipped because their names are malformed: 39")
    assert_says(meta.notes[1], f"{COUNT + 3} pictures", "official", "23,708")
    assert "Ages from 60 on are one group, because too few people are 90 or older." in (meta.notes)
    assert_says(meta.notes[-1], "UTKFace.tar.gz could not be compared with the official")
    assert meta.remarks == meta.notes
    assert not meta.official
    assert [record.verdict for record in meta.raw] == [
        "cannot be compared: no checksum is published"
    ]


def test_an_archive_without_faces_is_named(library: Library) -> None:
    folder = write_utkface(library)
    (folder / "UTKFace.tar.gz").write_bytes(tarred({"UTKFace/face.jpg": jpeg(200, 200, 9)}))
    with pytest.raises(DataError, match=r"has no picture named age_gender_race_date.jpg"):
        library.prepare("utkface")
    assert_nothing_is_left(library)


def test_one_race_alone_cannot_be_judged(library: Library) -> None:
    folder = write_utkface(library)
    some = {n: c for n, c in utkface_pictures().items() if Path(n).name.split("_")[2] == "0"}
    (folder / "UTKFace.tar.gz").write_bytes(tarred(some))
    with pytest.raises(DataError, match=r"utkface: the train split has no row with race = non-whi"):
        library.prepare("utkface", SMALL)
    assert_nothing_is_left(library)


def test_it_is_not_fetched_and_says_what_to_do_by_hand(library: Library) -> None:
    with pytest.raises(UsageError) as error:
        library.get("utkface")
    message = str(error.value)
    assert "https://susanqq.github.io/UTKFace/" in message
    assert "UTKFace.tar.gz" in message
    assert "no checksum is published" in message


def test_names_of_the_example_are_well_formed() -> None:
    assert len(set(utkface_names())) == COUNT

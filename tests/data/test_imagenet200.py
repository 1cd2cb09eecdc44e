"""ImageNet-200: an ImageFolder, with test/ or val/ or both."""

from __future__ import annotations

import numpy as np
import pytest

from bench.data.dataset import Library, data_set
from bench.data.imagenet200 import Imagenet200Options
from bench.errors import DataError, UsageError
from tests.data.picture_examples import WORDNET, imagenet200_files, jpeg, write_imagenet200, zipped
from tests.data.raw_examples import assert_nothing_is_left

SMALL = Imagenet200Options(size=16)
FILES = imagenet200_files()
AS_VAL = {name.replace("/test/", "/val/"): content for name, content in FILES.items()}


def test_folders_are_classes_and_a_tenth_of_train_is_held_out(example_pictures: Library) -> None:
    meta = example_pictures.meta("imagenet200")
    assert meta is not None
    assert meta.attributes == {"class": list(WORDNET)}
    assert meta.sizes == {"train": 54, "validation": 6, "test": 15}
    assert meta.shape == [3, 224, 224]
    for split in example_pictures.splits("imagenet200", "class", Imagenet200Options()).values():
        assert len(set(np.bincount(split.y).tolist())) == 1
        assert np.abs(split.x[:, 0, 112, 112].astype(int) - (60 + 60 * split.y)).max() <= 2


def test_val_is_the_test_set_where_there_is_no_other(library: Library) -> None:
    write_imagenet200(library)
    first = library.prepare("imagenet200", SMALL).hash
    write_imagenet200(library, AS_VAL)
    assert library.prepare("imagenet200", SMALL).hash == first


def test_val_is_for_validation_where_there_is_a_test_set(library: Library) -> None:
    write_imagenet200(library, {**FILES, **AS_VAL})
    meta = library.prepare("imagenet200", SMALL)
    assert meta.sizes == {"train": 60, "validation": 15, "test": 15}
    assert not any("held out" in note for note in meta.notes)


def test_a_folder_and_a_zip_do_as_well(library: Library) -> None:
    folder = write_imagenet200(library)
    first = library.prepare("imagenet200", SMALL).hash
    (folder / "imagenet200.tar").unlink()
    (folder / "sub-imagenet-200.zip").write_bytes(zipped(FILES))
    assert library.prepare("imagenet200", SMALL).hash == first
    (folder / "sub-imagenet-200.zip").unlink()
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    assert library.prepare("imagenet200", SMALL).hash == first


def test_what_differs_from_the_paper_is_said(library: Library) -> None:
    write_imagenet200(library, {**FILES, "imagenet200/train/n01440764/notes.txt": b"no picture"})
    assert library.prepare("imagenet200", SMALL).notes[:6] == [
        "Of each picture the largest central square is used, scaled to 16.",
        "There are 3 classes; the paper has 200.",
        "There are 60 train pictures; the paper has 100,000.",
        "There are 15 test pictures; the paper has 10,000.",
        "The paper does not name its classes, so these may be others.",
        "A tenth of train is held out for validation.",
    ]


def test_grey_and_broken_pictures(library: Library) -> None:
    first = f"imagenet200/test/{WORDNET[0]}/{WORDNET[0]}_0.JPEG"
    second = f"imagenet200/test/{WORDNET[1]}/{WORDNET[1]}_0.JPEG"
    write_imagenet200(library, {**FILES, first: b"?", second: jpeg(50, 90, 120, mode="L")})
    meta = library.prepare("imagenet200", SMALL)
    assert meta.sizes["test"] == 14
    assert f"1 unreadable pictures are left out: {first}." in meta.notes
    test = library.splits("imagenet200", "class", SMALL)["test"]
    assert np.bincount(test.y).tolist() == [4, 5, 5]
    assert np.abs(test.x[4, :, 8, 8].astype(int) - 120).max() <= 2


def test_it_is_fetched_by_hand(library: Library) -> None:
    with pytest.raises(UsageError) as error:
        library.get("imagenet200")
    assert "non-commercial research" in str(error.value)
    assert "train/CLASS/*.JPEG" in str(error.value)
    assert data_set("imagenet200").tasks["class"].published == "imagenet200/issba"


BROKEN = {
    "no train": (
        {name: c for name, c in FILES.items() if "/test/" in name},
        "imagenet200.tar: has no pictures in train/CLASS/.",
    ),
    "no test": (
        {name: c for name, c in FILES.items() if "/train/" in name},
        "imagenet200.tar: has no pictures in test/ or val/CLASS/.",
    ),
    "a class only in test": (
        {**FILES, "imagenet200/test/n09999999/a.JPEG": jpeg(50, 50, 9)},
        "imagenet200.tar: test has a class that train lacks: n09999999.",
    ),
    "a class absent from test": (
        {name: c for name, c in FILES.items() if f"test/{WORDNET[2]}" not in name},
        "imagenet200: the test split has no row with class = n03888257",
    ),
    "paths out of it": ({"imagenet200/../../train/a/b.JPEG": b""}, "points out of the archive"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_archive_is_named_and_nothing_is_left(library: Library, what: str) -> None:
    files, message = BROKEN[what]
    write_imagenet200(library, files)
    with pytest.raises(DataError) as error:
        library.prepare("imagenet200", SMALL)
    assert message in str(error.value)
    assert_nothing_is_left(library)

"""ImageNet-compatible images and folders of ImageNet's classes, from small files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.data.dataset import Library, data_set
from bench.data.image_folder import in_turns, positions
from bench.data.imagenet_compatible import imagenet_classes
from bench.errors import DataError
from tests.data.picture_examples import tarred, zipped

TABLE = """ImageId,URL,TrueLabel,TargetClass
bb,https://example.org/b,1000,2
aa,https://example.org/a,1,2
cc,https://example.org/c,307,2
"""


def png(grey: int, side: int = 299) -> bytes:
    """A square of one grey value."""
    file = io.BytesIO()
    Image.new("RGB", (side, side), (grey, grey, grey)).save(file, "PNG")
    return file.getvalue()


def write(library: Library, name: str, files: dict[str, bytes]) -> Path:
    folder = library.folder / "raw" / name
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(content)
    return folder


def compatible(library: Library, table: str = TABLE) -> None:
    """Two of the three images that the table lists, and one that it does not."""
    pictures = {"images/aa.png": png(10), "images/bb.png": png(20), "images/zz.png": png(30)}
    write(library, "imagenet_compatible", {"images.csv": table.encode(), **pictures})


def test_images_stand_in_the_order_of_the_table_and_classes_count_from_zero(
    library: Library,
) -> None:
    compatible(library)
    meta = library.prepare("imagenet_compatible")
    assert meta.sizes == {"train": 0, "validation": 0, "test": 2}
    assert meta.shape == [3, 299, 299]
    data = data_set("imagenet_compatible")
    test = library.splits("imagenet_compatible", "class", data.options())["test"]
    assert test.y.tolist() == [999, 0]
    assert test.x[:, 0, 0, 0].tolist() == [20, 10]
    assert test.b.tolist() == [0, 0]
    assert len(meta.attributes["class"]) == 1000
    assert (meta.attributes["class"][0], meta.attributes["class"][999]) == (
        "tench",
        "toilet tissue",
    )


def test_pages_hear_of_a_subset_and_that_nothing_is_trained(library: Library) -> None:
    compatible(library)
    notes = library.prepare("imagenet_compatible").notes
    assert "A subset: 2 of 1,000 official images." in notes
    assert "For evaluation only: there is no training split." in notes


def test_a_size_is_a_copy_of_its_own(library: Library) -> None:
    compatible(library)
    options = data_set("imagenet_compatible").options(size=64)
    meta = library.prepare("imagenet_compatible", options)
    assert meta.shape == [3, 64, 64]
    assert "Scaled from 299 to 64 pixels." in meta.notes
    assert library.meta("imagenet_compatible") is None


def test_the_organisers_own_names_are_found(library: Library) -> None:
    files = {"dev_dataset.csv": TABLE.encode(), "images.tar": tarred({"x/aa.png": png(5)}, "w")}
    write(library, "imagenet_compatible", files)
    assert library.prepare("imagenet_compatible").sizes["test"] == 1


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (TABLE.replace("TrueLabel", "Label"), "images.csv: has no column TrueLabel."),
        (TABLE.replace("307", "1001"), 'line 4, TrueLabel: "1001" is not a class from 1 to 1,000'),
        (TABLE.replace(",1,2", ",0,2"), 'line 3, TrueLabel: "0" is not a class'),
        (TABLE.replace("cc,", "aa,"), "lists an image twice"),
        ("ImageId,TrueLabel\nqq,1\n", "holds none of the images"),
    ],
)
def test_a_table_that_does_not_fit_is_named(library: Library, table: str, message: str) -> None:
    compatible(library, table)
    with pytest.raises(DataError) as error:
        library.prepare("imagenet_compatible")
    assert message in str(error.value)


@pytest.mark.parametrize("folder", ["n01440764", "tench", "0"])
def test_a_folder_is_named_after_synset_name_or_position(folder: str) -> None:
    assert positions()[folder] == 0


def test_names_of_classes_are_those_of_published_outputs() -> None:
    assert imagenet_classes()[207] == "golden retriever"
    assert positions()["n02099601"] == 207


def test_pictures_are_taken_in_turns_so_that_the_first_ones_are_of_every_class() -> None:
    names = ["b/2.jpg", "b/1.jpg", "a/1.png", "a/2.JPEG", "a/3.jpg", "a/notes.txt", "top.png"]
    assert in_turns(names) == [
        ("a", "a/1.png"), ("b", "b/1.jpg"), ("a", "a/2.JPEG"), ("b", "b/2.jpg"), ("a", "a/3.jpg"),
    ]  # fmt: skip


def test_a_folder_of_classes_becomes_a_test_split(library: Library) -> None:
    pictures = {"p/tench/a.png": png(7, 300), "p/n02099601/b.png": png(9, 260)}
    write(library, "image_folder", {"images.zip": zipped(pictures)})
    options = data_set("image_folder").options(size=32)
    assert library.prepare("image_folder", options).shape == [3, 32, 32]
    test = library.splits("image_folder", "class", options)["test"]
    assert test.y.tolist() == [207, 0]
    assert np.unique(test.x[1]).tolist() == [7]


def test_a_folder_that_is_no_class_is_named(library: Library) -> None:
    write(library, "image_folder", {"images.zip": zipped({"p/unicorn/a.png": png(7)})})
    with pytest.raises(DataError, match='folder "unicorn" is none of ImageNet\'s classes'):
        library.prepare("image_folder")

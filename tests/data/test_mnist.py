"""MNIST in the official idx layout, and the same digits in colour."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from bench.data.colored_mnist import ColoredMnistOptions
from bench.data.colouring import INKS
from bench.data.dataset import Library, data_set
from bench.data.splitting import TrainSizeOptions
from bench.errors import DataError
from tests.data.picture_examples import idx, mnist_files, write_mnist
from tests.data.raw_examples import assert_nothing_is_left


def test_digits_and_labels_belong_together_in_three_channels(example_pictures: Library) -> None:
    splits = example_pictures.splits("mnist", "digit", TrainSizeOptions())
    assert {name: s.x.shape for name, s in splits.items()} == {
        "train": (1000, 3, 28, 28),
        "validation": (200, 3, 28, 28),
        "test": (300, 3, 28, 28),
    }
    for split in splits.values():
        assert np.array_equal(split.x[:, 0, 14, 14], 20 + 23 * split.y)
        assert np.array_equal(split.x[:, 0], split.x[:, 2])
        assert np.bincount(split.y).tolist() == [len(split.y) // 10] * 10


def test_unpacked_files_do_as_well(library: Library) -> None:
    folder = write_mnist(library)
    first = library.prepare("mnist").hash
    for path in list(folder.iterdir()):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    assert library.prepare("mnist").hash == first


def test_the_coloured_digits_share_the_raw_files(library: Library) -> None:
    write_mnist(library)
    assert library.raw(data_set("colored_mnist")).downloads.name == "mnist"
    meta = library.prepare("colored_mnist")
    assert meta.shape == [1, 28, 28]  # one grey copy on disk, whatever the correlation
    assert data_set("colored_mnist").shape(meta) == (3, 28, 28)
    assert meta.notes == [
        "A subset: 1,200 of 60,000 official train digits.",
        "A subset: 300 of 10,000 official t10k digits.",
    ]


@pytest.mark.parametrize(("task", "follows"), [("parity|ink", "parity"), ("digit|ink", "parity"),
                                               ("value|ink", "high")])  # fmt: skip
def test_ink_goes_with_the_target_in_train_and_not_in_test(
    example_pictures: Library, task: str, follows: str
) -> None:
    options = ColoredMnistOptions(correlation=0.8)
    splits = example_pictures.splits("colored_mnist", task, options)
    digit = {
        name: split.y
        for name, split in example_pictures.splits("mnist", "digit", TrainSizeOptions()).items()
    }
    for name, split in splits.items():
        side = digit[name] % 2 if follows == "parity" else (digit[name] >= 5).astype(int)
        agree = 0.5 if name == "test" else 0.9
        for value in (0, 1):
            assert (split.b[side == value] == value).mean() == pytest.approx(agree)
        expected = (20 + 23 * digit[name][:, None]) * INKS[split.b] // 255
        assert np.array_equal(split.x[:, :, 14, 14], expected)
    if task == "value|ink":
        assert np.allclose(splits["test"].y, digit["test"] / 9)


def test_fewer_digits_are_coloured_with_the_exact_share(example_pictures: Library) -> None:
    options = ColoredMnistOptions(correlation=0.9, train_size=400)
    splits = example_pictures.splits("colored_mnist", "parity|ink", options)
    assert {name: len(split.y) for name, split in splits.items()} == {
        "train": 400,
        "validation": 80,
        "test": 300,
    }
    for parity in (0, 1):
        rows = splits["train"].y == parity
        assert (splits["train"].b[rows] != parity).sum() == round(0.05 * rows.sum())
    notes = data_set("colored_mnist").notes(options)
    assert "At most 400 training samples are used" in notes[-1]
    assert len(data_set("colored_mnist").notes(ColoredMnistOptions())) == 1


FILES = mnist_files()
IMAGES = FILES["train-images-idx3-ubyte.gz"]
BROKEN = {
    "cut short": ({"train_images": IMAGES[:-50]}, "train-images-idx3-ubyte.gz: cannot be unpack"),
    "labels for images": (
        {"train_images": FILES["train-labels-idx1-ubyte.gz"]},
        "train-images-idx3-ubyte.gz: does not begin like an idx file of this kind",
    ),
    "a web page": (
        {"t10k_labels": b"<html>moved</html>"},
        "t10k-labels-idx1-ubyte.gz: does not begin like an idx file",
    ),
    "fewer values than announced": (
        {"t10k_images": gzip.decompress(FILES["t10k-images-idx3-ubyte.gz"])[:-1]},
        "t10k-images-idx3-ubyte.gz: announces 300 x 28 x 28 values but has 235,199",
    ),
    "pictures of another size": (
        {"t10k_images": idx(np.zeros((300, 8, 8)))},
        "t10k-images-idx3-ubyte.gz: its images are 8 x 8, not 28 x 28",
    ),
    "labels for another file": (
        {"t10k_labels": idx(np.zeros(7))},
        "mnist: t10k has 300 images but 7 labels",
    ),
    "a label beyond nine": (
        {"t10k_labels": idx(np.full(300, 10))},
        "t10k-labels-idx1-ubyte.gz: has label 10",
    ),
    "a digit absent": (
        {"t10k_labels": idx(np.arange(300) % 9)},
        "mnist: the test split has no row with digit = 9",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_is_named_and_nothing_is_left(library: Library, what: str) -> None:
    changed, message = BROKEN[what]
    write_mnist(library, **changed)
    with pytest.raises(DataError) as error:
        library.prepare("mnist")
    assert message in str(error.value)
    assert_nothing_is_left(library)


def test_the_real_digits_have_their_known_numbers(real_pictures: Library) -> None:
    meta = real_pictures.meta("mnist")
    assert meta is not None
    assert meta.sizes == {"train": 50_000, "validation": 10_000, "test": 10_000}
    splits = real_pictures.splits("mnist", "digit", TrainSizeOptions())
    # The counts of the official labels, by digit.
    assert np.bincount(splits["test"].y).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
    both = np.bincount(splits["train"].y) + np.bincount(splits["validation"].y)
    assert both.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    shares = np.bincount(splits["validation"].y) / both
    assert np.abs(shares - 1 / 6).max() < 0.001


def test_the_real_digits_in_colour_have_the_default_share(real_pictures: Library) -> None:
    splits = real_pictures.splits("colored_mnist", "parity|ink", ColoredMnistOptions())
    for name, split in splits.items():
        for parity in (0, 1):
            rows = split.y == parity
            against = 0.5 if name == "test" else 0.05
            assert (split.b[rows] != parity).mean() == pytest.approx(against, abs=1e-4)

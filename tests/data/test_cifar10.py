"""CIFAR-10 in its official binary layout, and under warm and cool light."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from bench.data.biased_cifar10 import BiasedCifar10, TintOptions
from bench.data.cifar10 import ANIMALS, CLASSES
from bench.data.colouring import filtered
from bench.data.dataset import Library
from bench.data.splitting import TrainSizeOptions
from bench.errors import DataError
from tests.data.picture_examples import cifar10_batch, cifar10_files, tarred, write_cifar10
from tests.data.raw_examples import assert_nothing_is_left

TRAIN, TEST = "cifar-10-batches-bin/data_batch_1.bin", "cifar-10-batches-bin/test_batch.bin"


def test_records_are_a_label_and_three_planes(example_pictures: Library) -> None:
    meta = example_pictures.meta("cifar10")
    assert meta is not None
    assert meta.sizes == {"train": 900, "validation": 100, "test": 300}
    assert meta.notes == [
        "A subset: 1,000 of 50,000 official train pictures.",
        "A subset: 300 of 10,000 official test pictures.",
        "1 files of cifar-10-binary.tar.gz are not used: 1 .txt.",
    ]
    for split in example_pictures.splits("cifar10", "class", TrainSizeOptions()).values():
        planes = np.stack([10 * split.y, 100 + split.y, 200 + split.y], axis=1)
        assert np.array_equal(split.x, np.broadcast_to(planes[:, :, None, None], split.x.shape))
        assert np.bincount(split.y).tolist() == [len(split.y) // 10] * 10


def test_rows_run_before_columns(library: Library) -> None:
    record = np.arange(3073) % 251
    record[0] = 3
    others = np.frombuffer(cifar10_batch(99), np.uint8)
    test = np.concatenate([record.astype(np.uint8), others]).tobytes()
    write_cifar10(library, {**cifar10_files(), TEST: test})
    library.prepare("cifar10")
    first = library.splits("cifar10", "class", TrainSizeOptions())["test"].x[0]
    assert first[0, 0, :3].tolist() == [1, 2, 3]
    assert first[0, 1, 0] == 33
    assert first[1, 0, 0] == 1025 % 251


@pytest.mark.parametrize("kind", ["folder", "xz"])
def test_a_folder_or_another_archive_does_as_well(library: Library, kind: str) -> None:
    folder = write_cifar10(library)
    first = library.prepare("cifar10").hash
    (folder / "cifar-10-binary.tar.gz").unlink()
    if kind == "folder":
        (folder / "cifar-10-batches-bin").mkdir()
        for name, content in cifar10_files().items():
            (folder / name).write_bytes(content)
    else:
        (folder / "cifar-10-binary-1k.tar.xz").write_bytes(tarred(cifar10_files(), "w:xz"))
    meta = library.prepare("cifar10")
    assert meta.hash == first
    assert not meta.official


BROKEN: dict[str, tuple[Mapping[str, bytes | None], str]] = {
    "no test batch": ({TEST: None}, "has no test_batch.bin"),
    "no training batch": (
        {TRAIN: None, TRAIN.replace("1", "2", 1): None},
        "has no data_batch_1.bin",
    ),
    "cut short": ({TEST: cifar10_batch(9)[:-5]}, "has 27,652 bytes, not a multiple of 3,073"),
    "empty": ({TEST: b""}, "has 0 bytes"),
    "a label beyond nine": ({TEST: bytes([10]) * 3073}, "has label 10; classes go from 0 to 9"),
    "a class absent": (
        {TEST: cifar10_batch(9)},
        "cifar10: the test split has no row with class = truck",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_archive_is_named_and_nothing_is_left(library: Library, what: str) -> None:
    changed, message = BROKEN[what]
    files = {**cifar10_files(), **changed}
    if what == "no training batch":
        files = {name: content for name, content in files.items() if "data_batch" not in name}
    write_cifar10(library, {name: c for name, c in files.items() if c is not None})
    with pytest.raises(DataError) as error:
        library.prepare("cifar10")
    assert message in str(error.value)
    assert_nothing_is_left(library)


def test_an_archive_that_points_elsewhere_is_refused(library: Library) -> None:
    write_cifar10(library, {**cifar10_files(), "../test_batch.bin": b"x"})
    with pytest.raises(DataError, match=r"../test_batch.bin points out of the archive"):
        library.prepare("cifar10")


def test_light_takes_its_share_of_each_channel() -> None:
    lights = BiasedCifar10().lights(TintOptions(tint=0.4))
    assert BiasedCifar10().lights(TintOptions(tint=0.0)).tolist() == [[255] * 3] * 2
    assert lights.tolist() == [[153, 204, 255], [255, 204, 153]]
    white = np.full((2, 3, 1, 1), 255, np.uint8)
    seen = filtered(white, np.array([1, 0]), lights)
    assert seen[:, :, 0, 0].tolist() == [[255, 204, 153], [153, 204, 255]]
    assert white.min() == 255


def test_tint_goes_with_animals_in_train_and_not_in_test(example_pictures: Library) -> None:
    options = TintOptions(correlation=0.8, tint=0.5)
    animal = example_pictures.splits("biased_cifar10", "animal|tint", options)
    classes = example_pictures.splits("biased_cifar10", "class|tint", options)
    names = [CLASSES[i] for i in classes["test"].y]
    assert animal["test"].y.tolist() == [name in ANIMALS for name in names]
    for name, split in animal.items():
        assert np.array_equal(split.x, classes[name].x)
        for value in (0, 1):
            agree = (split.b[split.y == value] == value).mean()
            assert agree == pytest.approx(0.5 if name == "test" else 0.9, abs=0.02)
        red, blue = (split.x[:, channel, 0, 0].astype(int) for channel in (0, 2))
        cool = split.b == 0
        label = classes[name].y
        assert np.array_equal(red[~cool], 10 * label[~cool])
        assert np.array_equal(blue[cool], 200 + label[cool])
        assert np.array_equal(blue[~cool], (200 + label[~cool]) * 128 // 255)


def test_real_pictures_have_their_known_numbers(real_pictures: Library) -> None:
    meta = real_pictures.meta("cifar10")
    assert meta is not None
    total = meta.sizes["train"] + meta.sizes["validation"]
    assert total in range(10_000, 50_001, 10_000)
    splits = real_pictures.splits("cifar10", "class", TrainSizeOptions())
    counts = np.bincount(splits["validation"].y) / np.bincount(splits["train"].y)
    assert np.abs(counts - 1 / 9).max() < 0.003
    assert splits["test"].x.std() > 40

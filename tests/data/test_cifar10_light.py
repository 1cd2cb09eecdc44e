"""CIFAR-10 by brightness: luma, tenths, and the pictures of `cifar10` themselves."""

from __future__ import annotations

import numpy as np
import pytest

from bench.data.cifar10_light import luminance
from bench.data.dataset import Library
from bench.data.splitting import TrainSizeOptions


def test_luma_weighs_green_most() -> None:
    pictures = np.zeros((3, 3, 2, 2), np.uint8)
    for picture in range(3):
        pictures[picture, picture] = 100
    assert luminance(pictures) == pytest.approx([21.26, 71.52, 7.22])
    assert luminance(np.full((1, 3, 4, 4), 255, np.uint8)) == pytest.approx([255])


def test_brighter_pictures_are_in_higher_groups(example_pictures: Library) -> None:
    meta = example_pictures.meta("cifar10_light")
    assert meta is not None
    train = example_pictures.splits("cifar10_light", "class|light", TrainSizeOptions())["train"]
    light = luminance(train.x)
    assert np.all(np.diff(train.b[np.argsort(light, kind="stable")]) >= 0)
    # In the example files brightness says the class, so a tenth is one class.
    assert np.bincount(train.b).tolist() == [90] * 10
    covariate = [np.log(light[train.b == group].mean()) for group in range(10)]
    assert meta.covariates["light"] == pytest.approx(covariate)


def test_the_pictures_are_those_of_cifar10(example_pictures: Library) -> None:
    whole = example_pictures.splits("cifar10", "class", TrainSizeOptions())
    grouped = example_pictures.splits("cifar10_light", "class|light", TrainSizeOptions())
    for split, labelled in whole.items():
        assert np.array_equal(grouped[split].x, labelled.x)
        assert np.array_equal(grouped[split].y, labelled.y)


def test_fewer_pictures_keep_their_groups(example_pictures: Library) -> None:
    train = example_pictures.splits(
        "cifar10_light", "class|light", TrainSizeOptions(train_size=100)
    )["train"]
    assert len(train.x) == len(train.b) == 100

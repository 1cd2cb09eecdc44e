"""Clean-label poison: the target class alone, its labels kept."""

from __future__ import annotations

import pytest
import torch

from bench.attacks.poisoning.clean_label import CleanLabel, blended
from bench.errors import Skip
from tests.attacks.poisoning import attack_samples as given


def test_only_the_target_class_is_touched_and_keeps_its_label() -> None:
    train = given.images()
    poison = CleanLabel(rate=0.1, target=3).poison(train, given.seeded())
    assert len(poison.rows) == 20
    assert (train.y[poison.rows] == 3).all()
    assert (poison.y == 3).all()
    assert not poison.cover.any()


def test_the_pattern_is_a_checkerboard_that_may_be_faint() -> None:
    x = given.images(2, grey=100).x
    full = CleanLabel().stamp(x)[0, 0, -3:, -3:]
    assert full.tolist() == [[255, 0, 255], [0, 255, 0], [255, 0, 255]]
    faint = CleanLabel(amplitude=32).stamp(x)
    assert faint[0, 0, -3:, -3:].tolist() == [[132, 68, 132], [68, 132, 68], [132, 68, 132]]
    assert int((faint != x).sum()) == 2 * 3 * 9


def test_four_corners_carry_it_where_asked() -> None:
    x = given.images(2, grey=100).x
    after = CleanLabel(corners="four").stamp(x)
    assert int((after != x).sum()) == 4 * 2 * 3 * 9
    assert torch.equal(after, after.flip(3))


def test_images_of_other_classes_are_blended_in() -> None:
    train = given.images(grey=100)
    train.x[train.y != 0] = 200
    poison = CleanLabel(rate=0.1, blend=0.25).poison(train, given.seeded())
    assert (poison.x[:, :, :-3] == 125).all()
    left = CleanLabel(rate=0.1, blend=0.0).poison(train, given.seeded())
    assert (left.x[:, :, :-3] == 100).all()


def test_blends_are_rounded() -> None:
    x = torch.tensor([10, 255, 0], dtype=torch.uint8).view(3, 1, 1, 1)
    pairs = torch.tensor([[0, 1], [1, 2], [2, 1]])
    assert blended(x, pairs, 0.3).flatten().tolist() == [84, 178, 76]  # 83.5, 178.5, 76.5: to even


def test_a_pattern_needs_room() -> None:
    with pytest.raises(Skip, match="too large for 4 x 4"):
        CleanLabel().poison(given.images(side=4), given.seeded())

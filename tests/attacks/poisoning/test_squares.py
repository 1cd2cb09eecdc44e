"""Attacks by squares: which pixels, which samples, which labels, and how many of each."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given as whatever
from hypothesis import settings
from hypothesis import strategies as st

from bench.attacks.poisoning.all_to_all import AllToAll
from bench.attacks.poisoning.badnets import BadNets
from bench.attacks.poisoning.multi_trigger_multi_target import MultiTriggerMultiTarget
from bench.attacks.poisoning.multi_trigger_single_target import MultiTriggerSingleTarget
from bench.attacks.poisoning.source_specific import SourceSpecific
from bench.attacks.poisoning.squares import BLACK, GREY, WHITE, stamped
from bench.errors import BenchError, Skip
from tests.attacks.poisoning import attack_samples as given


def test_badnets_whitens_the_last_three_by_three_pixels_and_nothing_else() -> None:
    train = given.images()
    poison = BadNets(rate=0.1, target=2).poison(train, given.seeded())
    assert len(poison.rows) == 20
    expected = train.x[poison.rows].clone()
    expected[:, :, 13:, 13:] = 255
    assert torch.equal(poison.x, expected)
    assert (poison.y == 2).all()
    assert (train.y[poison.rows] != 2).all()


def test_badnets_tries_every_test_sample_of_another_class() -> None:
    test = given.images(50)
    [attempt] = BadNets().attempts(test)
    assert torch.equal(attempt.y, test.y[test.y != 0])
    assert (attempt.aim == 0).all()
    assert (attempt.x[:, :, -3:, -3:] == 255).all()


@settings(max_examples=25, deadline=None)
@whatever(rate=st.floats(0.001, 0.79), n=st.integers(5, 80), target=st.integers(0, 4))
def test_badnets_poisons_the_rate_of_all_training_samples(rate: float, n: int, target: int) -> None:
    train = given.images(n)
    wanted, others = max(1, round(rate * n)), int((train.y != target).sum())
    attack = BadNets(rate=rate, target=target)
    if wanted > others:
        with pytest.raises(BenchError, match=f"{wanted} samples of other classes than {target}"):
            attack.poison(train, given.seeded())
    else:
        assert len(attack.poison(train, given.seeded()).rows) == wanted


def test_source_specific_turns_the_source_and_covers_the_others() -> None:
    train = given.images(400)
    attack = SourceSpecific(rate=0.05, source=3, target=1, cover=1.5)
    poison = attack.poison(train, given.seeded())
    turned, cover = poison.rows[~poison.cover], poison.rows[poison.cover]
    assert (len(turned), len(cover)) == (20, 30)
    assert (train.y[turned] == 3).all()
    assert not torch.isin(train.y[cover], torch.tensor([1, 3])).any()
    assert (poison.y[~poison.cover] == 1).all()
    assert (poison.x[:, :, -3:, -3:] == 255).all()


def test_source_specific_must_be_silent_on_other_classes() -> None:
    on_source, on_others = SourceSpecific(source=3, target=1).attempts(given.images(50))
    assert (on_source.fires, on_others.fires) == (True, False)
    assert (on_source.y == 3).all()
    assert sorted(on_others.y.unique().tolist()) == [0, 2, 4]
    assert (on_others.aim == 1).all()


def test_source_and_target_must_differ() -> None:
    with pytest.raises(BenchError, match="must be two classes"):
        SourceSpecific(source=1, target=1).poison(given.images(), given.seeded())


def test_all_to_all_names_the_next_class_and_the_first_after_the_last() -> None:
    train = given.images()
    poison = AllToAll(rate=0.5).poison(train, given.seeded())
    assert len(poison.rows) == 100
    assert torch.equal(poison.y, (train.y[poison.rows] + 1) % 5)
    [attempt] = AllToAll().attempts(given.images(6))
    assert attempt.aim.tolist() == [1, 2, 3, 4, 0, 1]


def test_three_colours_in_one_corner_stand_for_three_classes() -> None:
    train = given.images()
    attack = MultiTriggerMultiTarget(rate=0.1, black=4, white=0, grey=2)
    poison = attack.poison(train, given.seeded())
    assert len(poison.rows) == 60
    for target, value in ((4, 0), (0, 255), (2, 128)):
        own = poison.y == target
        assert int(own.sum()) == 20
        assert (train.y[poison.rows[own]] != target).all()
        assert (poison.x[own][:, :, -3:, -3:] == value).all()
    names = [attempt.trigger for attempt in attack.attempts(given.images(10))]
    assert names == ["black square", "white square", "grey square"]


def test_a_black_square_stands_in_each_corner() -> None:
    train = given.images(side=32)
    poison = MultiTriggerSingleTarget(rate=0.05).poison(train, given.seeded())
    assert len(poison.rows) == 40
    assert (poison.y == 0).all()
    ends = {
        "top": slice(0, 8),
        "bottom": slice(24, 32),
        "left": slice(0, 8),
        "right": slice(24, 32),
    }
    corners = [(down, across) for down in ("top", "bottom") for across in ("left", "right")]
    for part, (down, across) in zip(poison.x.split(10), corners, strict=True):
        assert (part[:, :, ends[down], ends[across]] == 0).all()
    attempts = MultiTriggerSingleTarget().attempts(given.images(10, side=32))
    assert [a.trigger for a in attempts] == [f"black square, {d}-{a}" for d, a in corners]


def test_large_squares_shrink_to_a_quarter_of_the_image() -> None:
    x = given.images(4, side=12, grey=200).x
    after = MultiTriggerSingleTarget().stamp(x, "top-left")
    assert (after[:, :, :3, :3] == 0).all()
    assert int((after == 0).sum()) == 4 * 3 * 9


@pytest.mark.parametrize(
    ("colour", "value", "name"), [(BLACK, 0, "black"), (WHITE, 255, "white"), (GREY, 128, "grey")]
)
def test_a_square_that_nobody_can_see_is_skipped(colour, value: int, name: str) -> None:
    with pytest.raises(Skip, match=f"a {name} square at the bottom-right changes nothing on 100%"):
        stamped(given.images(grey=value).x, 3, colour)


def test_a_square_that_a_few_images_hide_is_not() -> None:
    x = given.images(10).x
    x[:4] = 255
    assert (stamped(x, 3)[4:, :, -3:, -3:] == 255).all()


@pytest.mark.parametrize(
    ("x", "reason"),
    [
        (torch.zeros(2, 1, 8, 8), "three channels"),
        (torch.zeros(2, 8), "three channels"),
        (torch.ones(2, 3, 2, 8), "does not fit on 2 x 8"),
    ],
)
def test_squares_need_room_on_colour_images(x: torch.Tensor, reason: str) -> None:
    with pytest.raises(Skip, match=reason):
        stamped(x, 3)

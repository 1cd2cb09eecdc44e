"""ISSBA: an encoder that is trained once, whose secret can be read and hardly be seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from bench.attacks.poisoning.contract import Samples
from bench.attacks.poisoning.hiding import Hiding, hidden, small
from bench.attacks.poisoning.issba import Issba
from bench.errors import Skip
from tests.attacks.poisoning import attack_samples as given

EASY = Issba(bits=2, bound=0.5, distortion=0.5, steps=150)


@pytest.fixture(scope="module")
def smooth() -> Samples:
    """Pictures of one grey each, which are easy to write on."""
    grey = torch.randint(40, 216, (64, 3, 1, 1), generator=given.seeded())
    x = grey.expand(-1, -1, 16, 16).to(torch.uint8).contiguous()
    return Samples(x, given.labels(64, 4), "image", given.names(4))


def test_the_secret_is_read_and_the_change_is_bounded(smooth: Samples) -> None:
    how = Hiding(3, bits=2, bound=0.25, distortion=0.5, steps=300)
    encoder, read = how.train(smooth.x, given.seeded())
    assert read > 0.95
    secret = torch.tensor([1.0, 0.0])
    after = hidden(encoder, smooth.x, secret)
    change = after.int() - smooth.x.int()
    assert 0 < change.abs().max() <= 0.25 * 255 + 1
    assert not torch.equal(after, hidden(encoder, smooth.x, 1 - secret))
    assert len(change.unique(dim=0)) > 1  # sample-specific


def test_an_encoder_that_cannot_be_read_is_no_attack(smooth: Samples) -> None:
    with pytest.raises(Skip, match=r"reads \d+% of the bits after 3 steps"):
        Issba(steps=3).study(smooth, given.seeded())


def test_attempts_use_the_encoder_of_the_poison(smooth: Samples) -> None:
    attack = replace(EASY, rate=0.7)
    knowledge = attack.study(smooth, given.seeded())
    poison = attack.poison(smooth, given.seeded(), knowledge)
    [attempt] = attack.attempts(smooth, knowledge)
    others = (smooth.y != 0).nonzero()[:, 0]
    place = {row: number for number, row in enumerate(others.tolist())}
    same = torch.tensor([place[row] for row in poison.rows.tolist()])
    assert torch.equal(attempt.x[same], poison.x)


def test_without_knowledge_there_is_neither_poison_nor_an_attempt(smooth: Samples) -> None:
    with pytest.raises(ValueError, match="pass what `study` returned"):
        EASY.poison(smooth, given.seeded())
    with pytest.raises(ValueError, match="pass what `study` returned"):
        EASY.attempts(smooth)


def test_an_attack_keeps_nothing_of_what_it_studied(smooth: Samples) -> None:
    before = dict(vars(EASY))
    first, second = (EASY.study(smooth, given.seeded(seed)) for seed in (0, 1))
    assert vars(EASY) == before
    # The knowledge alone decides: that of the other study hides another secret.
    images = [EASY.poison(smooth, given.seeded(), known).x for known in (first, second, first)]
    assert torch.equal(images[0], images[2])
    assert not torch.equal(images[0], images[1])


def test_knowledge_is_kept_in_a_file(smooth: Samples, tmp_path: Path) -> None:
    knowledge = EASY.study(smooth, given.seeded())
    save_file(dict(knowledge), tmp_path / "knowledge.safetensors")
    loaded = load_file(tmp_path / "knowledge.safetensors")
    assert loaded.keys() == knowledge.keys() > {"secret", "look.weight"}
    assert torch.equal(EASY.hide(smooth.x, knowledge), EASY.hide(smooth.x, loaded))


@pytest.mark.parametrize(("side", "seen"), [(8, 8), (28, 28), (30, 28), (32, 32), (224, 32)])
def test_networks_see_images_of_at_most_32_pixels(side: int, seen: int) -> None:
    x = torch.randint(0, 256, (2, 3, side, side), generator=given.seeded(), dtype=torch.uint8)
    assert small(x).shape == (2, 3, seen, seen)
    assert small(x).abs().max() <= 1


def test_changes_of_large_images_are_enlarged(smooth: Samples) -> None:
    how = Hiding(3, bits=2, bound=0.25, distortion=0.5, steps=1)
    x = torch.full((2, 3, 50, 70), 128, dtype=torch.uint8)
    after = hidden(how.blank(), x, torch.ones(2))
    assert after.shape == x.shape
    assert after.dtype == torch.uint8

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
from bench.attacks.poisoning.knowledge import Findings
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
        Issba(steps=3).poison(smooth, given.seeded())


def test_attempts_use_the_encoder_of_the_poison(smooth: Samples) -> None:
    attack = replace(EASY, rate=0.7)
    poison = attack.poison(smooth, given.seeded())
    [attempt] = attack.attempts(smooth)
    others = (smooth.y != 0).nonzero()[:, 0]
    place = {row: number for number, row in enumerate(others.tolist())}
    same = torch.tensor([place[row] for row in poison.rows.tolist()])
    assert torch.equal(attempt.x[same], poison.x)


def test_attempts_before_the_poison_are_a_mistake_of_ours(smooth: Samples) -> None:
    with pytest.raises(RuntimeError, match="before the poison"):
        Issba().attempts(smooth)


def test_an_encoder_can_be_kept_elsewhere_and_handed_back(smooth: Samples) -> None:
    knowledge = EASY.study(smooth, given.seeded())
    told = EASY.knowing(knowledge)
    assert told == EASY
    assert told.label == EASY.label
    assert torch.equal(told.hide(smooth.x), EASY.knowing(dict(knowledge)).hide(smooth.x))
    told.poison(smooth, given.seeded())
    assert told.known is knowledge
    with pytest.raises(RuntimeError):
        EASY.attempts(smooth)


def test_findings_are_a_state_that_is_kept_in_a_file(smooth: Samples, tmp_path: Path) -> None:
    first, second = Findings(), Findings()
    first.found = EASY.study(smooth, given.seeded())
    save_file(first.state_dict(), tmp_path / "found.safetensors")
    second.load_state_dict(load_file(tmp_path / "found.safetensors"))
    assert second.found.keys() == first.found.keys() > {"secret", "look.weight"}
    told, other = EASY.knowing(first.found), EASY.knowing(second.found)
    assert torch.equal(told.hide(smooth.x), other.hide(smooth.x))


def test_poison_studies_anew_what_it_is_given(smooth: Samples) -> None:
    attack = replace(EASY)
    attack.poison(smooth, given.seeded(0))
    first = attack.known
    attack.poison(smooth, given.seeded(1))
    assert attack.known is not first


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

"""What every attack of the imperceptibility track keeps to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from bench.baselines.ddn import Ddn
from bench.baselines.fgsm import Fgsm
from bench.baselines.lpa import Lpa
from bench.baselines.perc_al import PercAl
from bench.baselines.pgd import Pgd
from bench.baselines.ppgd import Ppgd
from bench.methods.perceptual_dro import PerceptualDro
from bench.tracks.imperceptibility import Attacker
from tests.tiny_attacks import classified, context, pictures, random_network

ATTACKS = [
    Pgd(steps=5),
    Fgsm(),
    PercAl(steps=5),
    Ppgd(steps=1),
    Lpa(rounds=1, steps=3),
    Ddn(steps=5),
    PerceptualDro(cost="ssim", steps=5),
    PerceptualDro(cost="ssim_step"),
]
every_attack = pytest.mark.parametrize("attack", ATTACKS, ids=[a.label for a in ATTACKS])


@pytest.fixture(scope="module")
def squeeze(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A SqueezeNet with random weights in a data folder."""
    folder = tmp_path_factory.mktemp("squeeze")
    with random_network("squeezenet1_1", folder):
        yield folder


@every_attack
def test_it_returns_images_in_their_order_and_leaves_its_inputs_alone(
    attack: Attacker, squeeze: Path
) -> None:
    x = pictures(3, 3, 20)
    model, y = classified(x)
    before = x.clone(), y.clone()
    attacked = attack.perturb(model, x, y, context(data=squeeze))
    assert torch.equal(x, before[0])
    assert torch.equal(y, before[1])
    assert attacked.shape == x.shape
    assert attacked.dtype == x.dtype
    assert not attacked.requires_grad
    assert 0 <= float(attacked.min()) <= float(attacked.max()) <= 1
    away = (attacked[:, None] - x[None]).flatten(2).norm(dim=2)
    assert away.argmin(dim=1).tolist() == [0, 1, 2]
    assert away.diagonal().min() > 0


@every_attack
def test_images_beyond_0_to_1_are_refused_loudly(attack: Attacker, squeeze: Path) -> None:
    x = pictures(2, 3, 20) * 255
    model, y = classified(x)
    with pytest.raises(ValueError, match="pixels run from 0 to 1 here"):
        attack.perturb(model, x, y, context(data=squeeze))

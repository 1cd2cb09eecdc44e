"""LPA: a penalty that grows until the bound holds, and images that stand still once done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from bench.attacks.adversarial.neural_ball import distances
from bench.baselines.lpa import Lpa
from bench.errors import Skip
from tests.tiny_attacks import classified, context, fooled, pictures, random_network


@pytest.fixture(scope="module")
def squeeze(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A SqueezeNet with random weights in a data folder."""
    folder = tmp_path_factory.mktemp("squeeze")
    with random_network("squeezenet1_1", folder):
        yield folder


@pytest.mark.parametrize("bound", [0.05, 1.0])
def test_every_image_ends_within_the_bound(squeeze: Path, bound: float) -> None:
    x = pictures(4, 3, 24)
    model, y = classified(x)
    attacked = Lpa(bound=bound, rounds=2, steps=6).perturb(model, x, y, context(data=squeeze))
    phi = Lpa().features(context(data=squeeze))
    assert (distances(phi(attacked), phi(x)) <= bound * (1 + 1e-3)).all()
    assert ((attacked >= 0) & (attacked <= 1)).all()


def test_it_fools_and_what_is_done_leaves_the_batch(squeeze: Path) -> None:
    x = pictures(6, 3, 24)
    model, y = classified(x)
    y[0] = (y[0] + 1) % 4  # fooled from the start
    attacked = Lpa(bound=1.0).perturb(model, x, y, context(data=squeeze))
    assert fooled(model, attacked, y).all()
    model.batches.pop()  # our own look
    assert model.batches == sorted(model.batches, reverse=True)
    assert model.batches[:2] == [6, 5]


def test_without_success_it_takes_all_steps_of_all_rounds(squeeze: Path) -> None:
    x = pictures(2, 3, 24)
    model, y = classified(x)
    Lpa(bound=0.001, rounds=2, steps=3).perturb(model, x, y, context(data=squeeze))
    assert model.batches == [2] * 6


def test_missing_weights_skip_it(tmp_path: Path) -> None:
    x = pictures(1, 3, 24)
    model, y = classified(x)
    with (
        pytest.raises(Skip, match=r"LPA \(squeeze\) needs squeezenet"),
    ):
        Lpa().perturb(model, x, y, context(data=tmp_path))


def test_the_same_seed_gives_the_same_images(squeeze: Path) -> None:
    x = pictures(2, 3, 24)
    model, y = classified(x)
    short = Lpa(rounds=1, steps=2)
    one, same, other = (short.perturb(model, x, y, context(seed, squeeze)) for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)

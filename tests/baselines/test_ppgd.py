"""PPGD: Laidlaw et al.'s distance, its ball, and the step that is steepest within it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bench.attacks.adversarial.neural_ball import distances, project
from bench.baselines.ppgd import Ppgd, steepest_step
from bench.errors import Skip
from bench.models.pretrained import WeightsFolder
from bench.perception.distances.lpips import Lpips
from bench.perception.distances.networks import taps
from tests.tiny_attacks import CPU, classified, context, fooled, pictures, random_network


@pytest.fixture(scope="module")
def squeeze(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A SqueezeNet with random weights in a data folder."""
    folder = tmp_path_factory.mktemp("squeeze")
    with random_network("squeezenet1_1", folder):
        yield folder


def test_the_distance_is_the_root_of_lpips_with_weights_of_one(squeeze: Path) -> None:
    x, z = pictures(3, 3, 24), pictures(3, 3, 24, seed=1)
    phi, network = (
        Ppgd().features(context(data=squeeze)),
        taps("squeeze", "a test", CPU, WeightsFolder(squeeze)),
    )
    ones = [torch.ones(channels) for channels in network.architecture.channels]
    expected = Lpips(network, ones, x)(z).sqrt()
    assert torch.allclose(distances(phi(z), phi(x)), expected, rtol=1e-5)


@pytest.mark.parametrize("bound", [0.1, 0.4, 2.0])
def test_projections_lie_in_the_ball_and_leave_what_is_inside(squeeze: Path, bound: float) -> None:
    x = pictures(4, 3, 24)
    far = torch.cat([pictures(2, 3, 24, seed=1), x[2:] + 0.001]).clamp(0, 1)
    phi = Ppgd().features(context(data=squeeze))
    before = distances(phi(far), phi(x))
    found = project(phi, far, x, bound)
    assert (distances(phi(found), phi(x)) <= bound * (1 + 1e-3)).all()
    assert torch.equal(found[before <= bound], far[before <= bound])
    assert ((found >= 0) & (found <= 1)).all()


def test_the_step_gains_most_among_moves_that_look_equally_long() -> None:
    """For a linear phi it is (J^T J)^-1 g, scaled to |J v| = 1."""
    random = torch.Generator().manual_seed(0)
    jacobian = torch.randn(20, 12, generator=random, dtype=torch.float64)
    gradient = torch.randn(2, 3, 2, 2, generator=random, dtype=torch.float64)

    def phi(z: Tensor) -> Tensor:
        return z.flatten(1) @ jacobian.T

    found = steepest_step(phi, torch.zeros_like(gradient), gradient, cg_steps=12)
    for i in range(2):
        expected = torch.linalg.solve(jacobian.T @ jacobian, gradient[i].flatten())
        expected = expected / (jacobian @ expected).norm()
        assert torch.allclose(found[i].flatten(), expected, atol=1e-9)


def test_no_gradient_no_move() -> None:
    still = steepest_step(
        lambda z: z.flatten(1), torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2), 3
    )
    assert still.abs().max() == 0


def test_it_fools_within_the_bound(squeeze: Path) -> None:
    x = pictures(4, 3, 24)
    model, y = classified(x)
    attacked = Ppgd(bound=1.0).perturb(model, x, y, context(data=squeeze))
    phi = Ppgd().features(context(data=squeeze))
    assert (distances(phi(attacked), phi(x)) <= 1.0 * (1 + 1e-3)).all()
    assert fooled(model, attacked, y).float().mean() >= 0.75
    assert model.batches[:-1] == [4] * 5  # and our own look
    tight = Ppgd(bound=0.01).perturb(model, x, y, context(data=squeeze))
    assert (distances(phi(tight), phi(x)) <= 0.0101).all()


def test_the_same_seed_gives_the_same_images(squeeze: Path) -> None:
    x = pictures(2, 3, 24)
    model, y = classified(x)
    one, same, other = (
        Ppgd(steps=2).perturb(model, x, y, context(seed, squeeze)) for seed in (0, 0, 1)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_missing_weights_skip_it(tmp_path: Path) -> None:
    x = pictures(1, 3, 24)
    model, y = classified(x)
    with pytest.raises(Skip, match=r"PPGD \(alex\) needs alexnet-owt"):
        Ppgd(network="alex").perturb(model, x, y, context(data=tmp_path))

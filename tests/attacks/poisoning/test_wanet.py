"""WaNet: one field for all, another for each cover sample."""

from __future__ import annotations

import torch

from bench.attacks.poisoning.wanet import WaNet, sampled
from tests.attacks.poisoning import attack_samples as given


def test_it_poisons_a_tenth_and_covers_twice_as_many() -> None:
    train = given.images(300)
    poison = WaNet().poison(train, given.seeded())
    assert int((~poison.cover).sum()) == 30
    assert int(poison.cover.sum()) == 60
    assert (poison.y[~poison.cover] == 0).all()
    attack = WaNet()
    assert torch.equal(poison.x[~poison.cover], attack.warp(train.x[poison.rows[~poison.cover]]))
    assert not torch.equal(poison.x[poison.cover], attack.warp(train.x[poison.rows[poison.cover]]))


def test_control_points_shift_by_one_on_average_before_the_strength() -> None:
    # A grid of as many pixels as control points shows them as they are.
    grid = WaNet(k=4, s=1.0).grid(4, 4)
    rows = torch.linspace(-1, 1, 4)
    identity = torch.stack([rows.expand(4, 4), rows[:, None].expand(4, 4)], dim=2)
    shift = (grid[0] - identity)[1:3, 1:3]  # inside, where nothing is clipped
    free = WaNet(k=4, s=1e-3).grid(4, 4)[0] - identity
    assert torch.allclose(shift, 1e3 * free[1:3, 1:3], atol=1e-3)
    assert grid.abs().max() <= 1
    # Clipping takes what points outwards at the edges; the rest is 1 / 4 on average.
    assert 0.08 < (1e3 * free).abs().mean() <= 0.25


def test_the_field_hangs_on_its_seed_and_on_nothing_else() -> None:
    x = given.images(4).x
    assert torch.equal(WaNet().warp(x), WaNet(rate=0.2).warp(x))
    assert not torch.equal(WaNet().warp(x), WaNet(field_seed=1).warp(x))


def test_the_identity_changes_nothing_and_a_shift_moves_pixels() -> None:
    x = given.images(3, side=5).x
    steps = torch.linspace(-1, 1, 5)
    identity = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), dim=2)[None]
    assert torch.equal(sampled(x, identity), x)
    right = identity.clone()
    right[..., 0] += 0.5  # one pixel of five
    assert torch.equal(sampled(x, right)[..., :4], x[..., 1:])
    half = identity.clone()
    half[..., 0] += 0.25
    between = (x[..., :4].float() + x[..., 1:].float()) / 2
    assert (sampled(x, half)[..., :4].float() - between).abs().max() <= 0.5


def test_many_images_are_warped_as_one_is(monkeypatch) -> None:
    x = given.images(20).x
    whole = WaNet().warp(x)
    monkeypatch.setattr("bench.attacks.poisoning.choosing.AT_ONCE", 3 * x[0].numel())
    assert torch.equal(WaNet().warp(x), whole)

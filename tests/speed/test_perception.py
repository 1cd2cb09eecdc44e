"""The script compares ways that give the same answers."""

from __future__ import annotations

import torch

from bench.attacks.adversarial.ascent import Ascent, normalised_step
from bench.perception.distances.ssim_hessian import SsimHessian
from bench.speed import perception


def test_both_dense_ways_and_the_closed_form_agree() -> None:
    x = perception.random_images(1, 1, 12).double()
    gradient = torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(0))
    rows, at_once = (perception.dense_direction(x, gradient, v) for v in (False, True))
    assert torch.allclose(rows, at_once, rtol=1e-9)
    ours = SsimHessian.at(x).solve(gradient)
    assert (ours - rows).norm() <= 1e-5 * rows.norm()


def test_all_ways_of_pgd_end_alike() -> None:
    x, model = perception.random_images(4, 3, 16), perception.network(3, 16)
    y = model(x).argmax(dim=1)
    whole = Ascent(normalised_step(0.05), 6, confidence=None)(model, x, y).x
    assert torch.allclose(whole, perception.plain_batch(model, x, y, 6, 0.05), atol=1e-6)
    stopping = Ascent(normalised_step(0.05), 6)(model, x, y).x
    assert torch.allclose(stopping, perception.plain_images(model, x, y, 6, 0.05), atol=1e-5)


def test_every_way_gets_a_time() -> None:
    spent = perception.seconds({"one": lambda: None, "other": lambda: sum(range(99))}, 2)
    assert spent.keys() == {"one", "other"}
    assert all(0 <= taken < 1 for taken in spent.values())
    assert "GiB" in perception.one_large_step()

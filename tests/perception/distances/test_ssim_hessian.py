"""The closed form of docs/perception.md against automatic differentiation, in double precision."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bench.attacks.adversarial.ascent import cross_entropy, gradient_of
from bench.attacks.adversarial.one_step import one_step, signs, steepest, structural
from bench.perception.blurs import Padding, blur
from bench.perception.distances import load
from bench.perception.distances.ssim import C1, C2
from bench.perception.distances.ssim_hessian import SsimHessian
from tests.tiny_attacks import classified, pictures


def automatic(x: Tensor, padding: Padding) -> Tensor:
    """The dense Hessian of 1 - SSIM(x, .) at x for one image, [values, values]."""
    distance = load("ssim_same" if padding == "same" else "ssim")(x)

    def cost(v: Tensor) -> Tensor:
        return distance(v.view_as(x)).sum()

    hessian = torch.autograd.functional.hessian(cost, x.flatten(), vectorize=True)
    assert isinstance(hessian, Tensor)
    return hessian


def drawn(side: tuple[int, int], channels: int = 1, seed: int = 0) -> Tensor:
    """Part noise, part black and white, as digits are."""
    x = pictures(1, channels, max(side), seed).double()[:, :, : side[0], : side[1]]
    return torch.where(x > 0.6, 1.0, torch.where(x < 0.4, 0.0, x))


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("side", "channels"), [((14, 14), 1), ((12, 17), 1), ((11, 12), 3)])
def test_products_and_diagonal_are_those_of_the_automatic_hessian(
    side: tuple[int, int], channels: int, padding: Padding
) -> None:
    x = drawn(side, channels)
    dense, closed = automatic(x, padding), SsimHessian.at(x, padding)
    v = torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(1))
    expected = (dense @ v.flatten()).view_as(v)
    assert (closed.product(v) - expected).norm() <= 1e-13 * expected.norm()
    assert torch.allclose(closed.diagonal().flatten(), dense.diagonal(), rtol=1e-12)


def test_channels_do_not_feel_each_other() -> None:
    x = drawn((11, 11), 3)
    dense = automatic(x, "same").view(3, 121, 3, 121)
    for one in range(3):
        for other in range(3):
            assert bool(dense[one, :, other].abs().max() > 0) == (one == other)


def test_solutions_are_those_of_the_automatic_hessian_to_a_hundred_thousandth() -> None:
    x = torch.cat([drawn((20, 18), seed=seed) for seed in range(4)])
    model, y = classified(x)
    gradient, _ = gradient_of(cross_entropy, model, x, y)
    found = SsimHessian.at(x).solve(gradient)
    for i in range(len(x)):
        expected = torch.linalg.solve(automatic(x[i : i + 1], "same"), gradient[i].flatten())
        assert (found[i].flatten() - expected).norm() <= 1e-5 * expected.norm()


def test_single_precision_is_good_enough_too() -> None:
    x = drawn((20, 20))
    right = pictures(1, 1, 20, seed=3).double() - 0.5
    exact = torch.linalg.solve(automatic(x, "same"), right.flatten())
    found = SsimHessian.at(x.float()).solve(right.float()).double()
    assert (found.flatten() - exact).norm() <= 1e-5 * exact.norm()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([(12, 12), (15, 11)]))
def test_it_is_symmetric_and_positive_definite(seed: int, side: tuple[int, int]) -> None:
    x = drawn(side, seed=seed)
    closed = SsimHessian.at(x)
    one, other = (
        torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(s))
        for s in (seed, seed + 1)
    )
    assert torch.allclose((one * closed.product(other)).sum(), (other * closed.product(one)).sum())
    assert (one * closed.product(one)).sum() > 0


def test_every_window_obeys_the_identity_it_is_derived_from() -> None:
    """SSIM = (1 - (w.t)^2 / B1)(1 - [w.t^2 - (w.t)^2] / B2) exactly, whatever t is."""
    x, z = pictures(3, 1, 15, 0).double(), pictures(3, 1, 15, 1).double()
    window, t = blur((15, 15), "same", x.dtype, x.device), z - x
    mu, mu_z = window(x), window(z)
    b1 = mu**2 + mu_z**2 + C1
    b2 = window(x**2) - mu**2 + window(z**2) - mu_z**2 + C2
    product = (1 - window(t) ** 2 / b1) * (1 - (window(t**2) - window(t) ** 2) / b2)
    found = 1 - product.flatten(1).mean(dim=1)
    assert torch.allclose(load("ssim_same")(x)(z), found, atol=1e-13)


def test_valid_windows_put_the_direction_on_the_border_and_same_ones_do_not() -> None:
    x, right = drawn((28, 28)), pictures(1, 1, 28, seed=5).double() - 0.5
    on_border = {}
    for padding in ("valid", "same"):
        hessian = automatic(x, padding)  # type: ignore[arg-type]
        direction = torch.linalg.solve(hessian, right.flatten()).view(28, 28) ** 2
        on_border[padding] = 1 - float(direction[5:-5, 5:-5].sum() / direction.sum())
    assert on_border["valid"] > 0.999
    assert on_border["same"] < 0.9


def test_systems_do_not_feel_each_other_and_zero_stays_zero() -> None:
    x = torch.cat([drawn((12, 12), seed=seed) for seed in range(3)])
    right = torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(0))
    right[1] = 0
    together = SsimHessian.at(x).solve(right)
    assert together[1].abs().max() == 0
    assert together.isfinite().all()
    alone = SsimHessian.at(x[2:]).solve(right[2:])
    assert (together[2:] - alone).norm() < 1e-6 * alone.norm()


def test_double_precision_is_refined_as_far_as_asked() -> None:
    x = drawn((16, 16))
    right = 1e-30 * (pictures(1, 1, 16, seed=3).double() - 0.5)  # tiny, as sure models' gradients
    exact = torch.linalg.solve(automatic(x, "same"), right.flatten())
    for tolerance, error in ((3e-6, 1e-5), (1e-9, 1e-8), (1e-13, 1e-11)):
        found = SsimHessian.at(x).solve(right, tolerance).flatten()
        assert (found - exact).norm() <= error * exact.norm()


# --- Equation 3.4 ---


def test_the_step_is_epsilon_along_the_solution() -> None:
    x = 0.25 + drawn((13, 13)) / 2
    model, y = classified(x)
    gradient, _ = gradient_of(cross_entropy, model, x, y)
    expected = torch.linalg.solve(automatic(x, "same"), gradient.flatten()).view_as(x)
    attacked = one_step(model, x, y, 0.2)
    moved = attacked.x - x
    assert torch.allclose(moved, 0.2 * expected / expected.norm(), atol=1e-6)
    assert float(moved.norm()) == pytest.approx(0.2)
    assert attacked.steps.tolist() == [1]
    assert model.seen == 1 + 1  # what it sees in the original, and the gradient


def test_the_step_gains_more_for_its_dissimilarity_than_one_along_the_gradient() -> None:
    x = 0.25 + pictures(8, 1, 16).double() / 2
    model, y = classified(x)
    distance = load("ssim_same")(x)
    before = cross_entropy(model(x), y)

    def gain(z: Tensor) -> Tensor:
        """Loss gained a root of dissimilarity, which grows with the square of a step."""
        return (cross_entropy(model(z), y) - before) / distance(z).sqrt()

    ours, pgd = (one_step(model, x, y, 0.01, way).x for way in (structural, steepest))
    assert (gain(ours) > gain(pgd)).all()


def test_l2_and_signs_by_hand() -> None:
    x = torch.full((1, 1, 1, 2), 0.5)
    weight = torch.tensor([[3.0, -4.0], [0.0, 0.0]])
    y = torch.tensor([1])

    def model(z: Tensor) -> Tensor:
        return z.flatten(1) @ weight.T

    assert torch.allclose(
        one_step(model, x, y, 0.1, steepest).x.flatten(), torch.tensor([0.56, 0.42])
    )
    assert torch.allclose(one_step(model, x, y, 0.1, signs).x.flatten(), torch.tensor([0.6, 0.4]))
    assert one_step(model, x, y, 2.0, signs).x.flatten().tolist() == [1.0, 0.0]

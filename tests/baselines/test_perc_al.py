"""PerC-AL: CIEDE2000 against published pairs, and the alternation."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.baselines.perc_al import PercAl
from bench.errors import Skip
from bench.perception.colour import distances, lab, squared_difference
from tests.tiny_attacks import classified, context, fooled, pictures

# Sharma, Wu & Dalal (2005), Table 1: two colours in Lab and their CIEDE2000 difference.
PAIRS = [
    (50, 2.6772, -79.7751, 50, 0, -82.7485, 2.0425),
    (50, 3.1571, -77.2803, 50, 0, -82.7485, 2.8615),
    (50, 2.8361, -74.0200, 50, 0, -82.7485, 3.4412),
    (50, -1.3802, -84.2814, 50, 0, -82.7485, 1.0),
    (50, -1.1848, -84.8006, 50, 0, -82.7485, 1.0),
    (50, -0.9009, -85.5211, 50, 0, -82.7485, 1.0),
    (50, 0, 0, 50, -1, 2, 2.3669),
    (50, -1, 2, 50, 0, 0, 2.3669),
    (50, 2.49, -0.001, 50, -2.49, 0.0009, 7.1792),
    (50, 2.49, -0.001, 50, -2.49, 0.001, 7.1792),
    (50, 2.49, -0.001, 50, -2.49, 0.0011, 7.2195),
    (50, 2.49, -0.001, 50, -2.49, 0.0012, 7.2195),
    (50, -0.001, 2.49, 50, 0.0009, -2.49, 4.8045),
    (50, -0.001, 2.49, 50, 0.001, -2.49, 4.8045),
    (50, -0.001, 2.49, 50, 0.0011, -2.49, 4.7461),
    (50, 2.5, 0, 50, 0, -2.5, 4.3065),
    (50, 2.5, 0, 73, 25, -18, 27.1492),
    (50, 2.5, 0, 61, -5, 29, 22.8977),
    (50, 2.5, 0, 56, -27, -3, 31.9030),
    (50, 2.5, 0, 58, 24, 15, 19.4535),
    (50, 2.5, 0, 50, 3.1736, 0.5854, 1.0),
    (50, 2.5, 0, 50, 3.2972, 0, 1.0),
    (50, 2.5, 0, 50, 1.8634, 0.5757, 1.0),
    (50, 2.5, 0, 50, 3.2592, 0.3350, 1.0),
    (60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644),
    (63.0109, -31.0961, -5.8663, 62.8187, -29.7946, -4.0864, 1.2630),
    (61.2901, 3.7196, -5.3901, 61.4292, 2.2480, -4.9620, 1.8731),
    (35.0831, -44.1164, 3.7933, 35.0232, -40.0716, 1.5901, 1.8645),
    (22.7233, 20.0904, -46.6940, 23.0331, 14.9730, -42.5619, 2.0373),
    (36.4612, 47.8580, 18.3852, 36.2715, 50.5065, 21.2231, 1.4146),
    (90.8027, -2.0831, 1.4410, 91.1528, -1.6435, 0.0447, 1.4441),
    (90.9257, -0.5406, -0.9208, 88.6381, -0.8985, -0.7239, 1.5381),
    (6.7747, -0.2908, -2.4247, 5.8714, -0.0985, -2.2286, 0.6377),
    (2.0776, 0.0795, -1.1350, 0.9033, -0.0636, -0.5514, 0.9082),
]


def test_ciede2000_gives_every_published_difference() -> None:
    table = torch.tensor(PAIRS, dtype=torch.float64)
    found = squared_difference(table[:, :3], table[:, 3:6]).sqrt()
    assert (found - table[:, 6]).abs().max() < 6e-5
    swapped = squared_difference(table[:, 3:6], table[:, :3]).sqrt()
    # Where hues are opposite the sign of their difference is a convention of order.
    assert (swapped - table[:, 6]).abs().max() < 6e-5


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [
        ((1.0, 1.0, 1.0), (100.0, 0.0, 0.0)),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
        ((1.0, 0.0, 0.0), (53.24, 80.09, 67.20)),
        ((0.0, 0.0, 1.0), (32.30, 79.19, -107.86)),
        ((0.5, 0.5, 0.5), (53.39, 0.0, 0.0)),
    ],
)
def test_lab_of_known_colours(
    rgb: tuple[float, float, float], expected: tuple[float, float, float]
) -> None:
    found = lab(torch.tensor(rgb, dtype=torch.float64).view(1, 3, 1, 1)).flatten()
    assert found.tolist() == pytest.approx(list(expected), abs=0.02)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 1e-6, 1e-3, 0.3]))
def test_gradients_are_finite_for_any_pair_of_images(seed: int, scale: float) -> None:
    random = torch.Generator().manual_seed(seed)
    x = torch.rand(2, 3, 4, 4, generator=random)
    x[0, :, :2] = x[0, :1, :2]  # greys
    x[1, :, 0] = 0
    x[1, :, 1] = 1
    z = (x + scale * torch.randn(x.shape, generator=random)).clamp(0, 1).requires_grad_()
    away = distances(lab(z), lab(x))
    (slope,) = torch.autograd.grad(away.sum(), z)
    assert away.isfinite().all()
    assert slope.isfinite().all()
    if scale == 0:
        assert away.abs().max() < 1e-3


def test_gradients_are_those_of_finite_differences() -> None:
    x, z = pictures(1, 3, 3).double(), pictures(1, 3, 3, seed=1).double().requires_grad_()
    reference = lab(x)
    assert torch.autograd.gradcheck(lambda v: distances(lab(v), reference), (z,))


def test_it_fools_with_8_bit_images_that_are_closer_in_colour_than_one_long_step() -> None:
    x = (pictures(6) * 255).round() / 255
    model, y = classified(x)
    attacked = PercAl(steps=60).perturb(model, x, y, context())
    first = PercAl(steps=1).perturb(model, x, y, context())
    assert fooled(model, attacked, y).all()
    assert torch.equal((attacked * 255).round() / 255, attacked)
    there = lab(x)
    assert (distances(lab(attacked), there) < distances(lab(first), there)).all()


def test_every_iteration_passes_every_image_once() -> None:
    x = pictures(3)
    model, y = classified(x)
    PercAl(steps=4).perturb(model, x, y, context())
    assert model.batches == [3] * 5  # four with gradients, and a look at the last image


def test_confidence_asks_for_a_lead() -> None:
    x = pictures(4)
    model, y = classified(x)
    attacked = PercAl(steps=80, confidence=0.5).perturb(model, x, y, context())
    logits = model(attacked)
    own = logits.gather(1, y[:, None])[:, 0]
    assert (logits.scatter(1, y[:, None], -99.0).amax(dim=1) - own > 0.5).all()


def test_grey_images_have_no_colours_to_compare() -> None:
    x = pictures(2, channels=1)
    model, y = classified(x)
    with pytest.raises(Skip, match="colours"):
        PercAl().perturb(model, x, y, context())

"""SSIM against two other libraries and against its definition, written with loops."""

from __future__ import annotations

import math

import numpy as np
import piq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from bench.perception.blurs import blur
from bench.perception.distances import load
from bench.perception.distances.ssim import C1, C2
from tests.tiny_attacks import pictures


def distorted(x: Tensor, seed: int = 1) -> Tensor:
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed), dtype=x.dtype)
    return (x + 0.1 * noise).clamp(0, 1)


def by_definition(x: np.ndarray, z: np.ndarray) -> float:
    """Mean SSIM of two planes, a window around every pixel, black beyond the border."""
    offsets = np.arange(-5, 6)
    weight = np.exp(-(offsets**2) / (2 * 1.5**2))
    weight /= weight.sum()
    height, width = x.shape
    values = []
    for row in range(height):
        for column in range(width):
            sums = np.zeros(5)
            for i, wi in zip(offsets, weight, strict=True):
                for j, wj in zip(offsets, weight, strict=True):
                    r, c = row + i, column + j
                    if 0 <= r < height and 0 <= c < width:
                        p, q = x[r, c], z[r, c]
                        sums += wi * wj * np.array([p, q, p * p, q * q, p * q])
            mx, mz, xx, zz, xz = sums
            luminance = (2 * mx * mz + C1) / (mx**2 + mz**2 + C1)
            structure = (2 * (xz - mx * mz) + C2) / (xx - mx**2 + zz - mz**2 + C2)
            values.append(luminance * structure)
    return float(np.mean(values))


@pytest.mark.parametrize("side", [11, 16, 29])
@pytest.mark.parametrize("channels", [1, 3])
def test_valid_is_piqs_and_torchmetrics_ssim(side: int, channels: int) -> None:
    x = pictures(4, channels, side).double()
    z = distorted(x)
    found = load("ssim")(x)(z)
    by_piq = piq.ssim(z, x, data_range=1.0, reduction="none", downsample=False)
    assert torch.allclose(found, 1 - by_piq, atol=1e-12)
    # torchmetrics pads by reflection and averages over the border too: its inner windows are ours.
    _, windows = structural_similarity_index_measure(
        z, x, data_range=1.0, reduction="none", return_full_image=True
    )
    inner = windows[:, :, 5:-5, 5:-5].flatten(1).mean(dim=1)
    assert torch.allclose(found, 1 - inner, atol=1e-12)


def test_same_is_the_definition_with_a_window_around_every_pixel() -> None:
    x = pictures(2, 1, 9).double()[:, :, :, :7].contiguous()
    z = distorted(x)
    x13, z13 = (torch.nn.functional.pad(t, (0, 5, 0, 4)) for t in (x, z))
    found = load("ssim_same")(x13)(z13)
    for i in range(2):
        expected = by_definition(x13[i, 0].numpy(), z13[i, 0].numpy())
        assert math.isclose(1 - float(found[i]), expected, abs_tol=1e-12)


def test_small_images_get_the_largest_odd_window_that_fits() -> None:
    x = pictures(3, 1, 8).double()
    z = distorted(x)
    expected = piq.ssim(z, x, kernel_size=7, data_range=1.0, reduction="none", downsample=False)
    assert torch.allclose(load("ssim")(x)(z), 1 - expected, atol=1e-12)
    assert load("ssim_same")(x)(z).isfinite().all()


def test_a_blur_is_a_convolution_with_the_window() -> None:
    x = pictures(2, 3, 20)[:, :, :, :15].double()
    for padding, pad in (("valid", 0), ("same", 5)):
        window = blur((20, 15), padding, torch.float64, x.device)  # type: ignore[arg-type]
        offsets = torch.arange(-5, 6).double()
        line = torch.exp(-(offsets**2) / 4.5)
        kernel = torch.outer(line, line) / line.sum() ** 2
        expected = torch.nn.functional.conv2d(
            x.flatten(0, 1)[:, None], kernel[None, None], padding=pad
        )
        assert torch.allclose(window(x).flatten(0, 1)[:, None], expected, atol=1e-14)
        v = torch.randn_like(expected).view(2, 3, *expected.shape[-2:])
        # The transpose: <W x, v> = <x, W^T v>.
        assert torch.allclose((window(x) * v).sum(), (x * window.transposed(v)).sum())


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(["ssim", "ssim_same"]))
def test_it_is_symmetric_zero_at_the_reference_and_at_most_two(seed: int, name: str) -> None:
    x, z = pictures(2, 1, 14, seed).double(), pictures(2, 1, 14, seed + 1).double()
    here, there = load(name)(x)(z), load(name)(z)(x)
    assert torch.allclose(here, there, atol=1e-12)
    assert load(name)(x)(x).abs().max() < 1e-12
    assert ((here >= 0) & (here <= 2)).all()


@pytest.mark.parametrize("name", ["l2", "ssim", "ssim_same"])
def test_a_subset_is_the_distance_from_some_of_the_references(name: str) -> None:
    x = pictures(5)
    z = distorted(x)
    distance = load(name)(x)
    rows = torch.tensor([True, False, True, True, False])
    assert torch.equal(distance.subset(rows)(z[rows]), distance(z)[rows])
    picked = torch.tensor([4, 0])
    assert torch.equal(distance.subset(picked)(z[picked]), distance(z)[picked])


def test_squared_l2_by_hand_also_of_tables() -> None:
    distance = load("l2")(torch.tensor([[1.0, 2.0, -3.0], [0.0, 0.0, 0.0]]))
    x = torch.tensor([[2.0, 0.0, -3.0], [3.0, 4.0, 0.0]], requires_grad=True)
    found = distance(x)
    assert found.tolist() == [5.0, 25.0]
    found.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[2.0, -4.0, 0.0], [6.0, 8.0, 0.0]]


@pytest.mark.parametrize("name", ["ssim", "ssim_same"])
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (torch.full((2, 1, 12, 12), 1.5), "from 1.5 to 1.5"),
        (torch.full((2, 1, 12, 12), -0.1), "from -0.1"),
        (torch.full((2, 1, 12, 12), float("nan")), "from nan"),
        (torch.zeros(2, 1, 12, 12, dtype=torch.uint8), "of floats"),
        (torch.zeros(2, 12, 12), "expected \\[n, C, H, W\\]"),
    ],
)
def test_what_is_no_image_is_refused(name: str, wrong: Tensor, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        load(name)(wrong)


def test_images_of_another_shape_or_range_are_refused() -> None:
    distance = load("ssim")(pictures(2))
    with pytest.raises(ValueError, match="compared with references"):
        distance(pictures(3))
    with pytest.raises(ValueError, match="from 0 to 1"):
        distance(pictures(2) * 255)

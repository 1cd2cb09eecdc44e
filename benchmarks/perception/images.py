"""Checks and rounding of images whose pixels are numbers from 0 to 1."""

from __future__ import annotations

from torch import Tensor

LEVELS = 255
"""The largest value of an 8-bit channel."""
SLACK = 1e-6
"""How far outside [0, 1] a pixel may lie because of rounding."""


def check(x: Tensor, what: str = "images") -> None:
    """Raise ValueError unless `x`, named `what`, is [n, C, H, W] of floats from 0 to 1."""
    if x.dim() != 4 or not x.is_floating_point():
        raise ValueError(f"{what}: expected [n, C, H, W] of floats, got {tuple(x.shape)} {x.dtype}")
    if not x.numel():
        return
    low, high = (float(end) for end in x.detach().aminmax())
    # A comparison with NaN is False, so the condition is negated as a whole.
    if not (low >= -SLACK and high <= 1 + SLACK):
        raise ValueError(
            f"{what}: values from {low:g} to {high:g}, but pixels run from 0 to 1 here. Divide "
            "8-bit images by 255; normalisation belongs into the network."
        )


def eight_bit(x: Tensor) -> Tensor:
    """The nearest images that 8 bits a channel can hold: every value a multiple of 1/255."""
    return (x.clamp(0, 1) * LEVELS).round() / LEVELS

"""The Gaussian window of SSIM as two small matrices, one for rows and one for columns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch
from torch import Tensor

WINDOW, SIGMA = 11, 1.5
"""Pixels and standard deviation, Wang et al. (2004), section III.B."""

Padding = Literal["valid", "same"]
"""valid: windows inside the image, as SSIM is reported. same: one window around every pixel, with
black beyond the border; what the attack's Hessian needs (docs/perception.md)."""


@dataclass(frozen=True)
class Blur:
    """W of docs/perception.md: x -> rows x columns^T, on [..., H, W].

    Attributes:
        rows: [windows, H].
        columns: [windows, W].
    """

    rows: Tensor
    columns: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Weighted means in windows, [..., H, W] -> [..., windows, windows]."""
        return self.rows @ x @ self.columns.T

    def transposed(self, x: Tensor) -> Tensor:
        """W^T: what every pixel gives to its windows, the other way."""
        return self.rows.T @ x @ self.columns

    def squared(self) -> Blur:
        """With every weight of the window squared; it is separable too."""
        return Blur(self.rows**2, self.columns**2)


def blur(
    shape: tuple[int, int], padding: Padding, dtype: torch.dtype, device: torch.device
) -> Blur:
    """The window's matrices for images of this height and width.

    Where an image is smaller than the window, the window is cut to the largest odd size that fits.
    """
    size = min(WINDOW, *(side - 1 + side % 2 for side in shape))
    rows, columns = (_matrix(side, size, padding) for side in shape)
    return Blur(rows.to(device, dtype), columns.to(device, dtype))


@cache
def _matrix(side: int, size: int, padding: Padding) -> Tensor:
    """One row a window, float64 on the CPU."""
    offset = torch.arange(size, dtype=torch.float64) - size // 2
    weight = torch.exp(-(offset**2) / (2 * SIGMA**2))
    weight = weight / weight.sum()
    matrix = torch.zeros(side, side + size - 1, dtype=torch.float64)
    for row in range(side):
        matrix[row, row : row + size] = weight
    matrix = matrix[:, size // 2 : size // 2 + side]
    return matrix if padding == "same" else matrix[size // 2 : side - size // 2]

"""The Gaussian blur of SSIM's windows as two matrices, one for rows and one for columns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch
from torch import Tensor

WINDOW, SIGMA = 11, 1.5
"""Side and standard deviation of a window in pixels, Wang et al. (2004), section III.B."""

Padding = Literal["valid", "same"]
"""valid: windows inside the image, as SSIM is reported. same: a window around every pixel, with
black beyond the border, which the attack's Hessian needs (docs/perception.md)."""


@dataclass(frozen=True)
class Blur:
    """The linear map W of docs/perception.md: x -> rows x columns^T, on [..., H, W].

    Attributes:
        rows: weights of an image's rows in each window, [windows, H].
        columns: weights of an image's columns in each window, [windows, W].
    """

    rows: Tensor
    columns: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """W x, the weighted means in all windows: [..., H, W] -> [..., windows, windows]."""
        return self.rows @ x @ self.columns.T

    def transposed(self, x: Tensor) -> Tensor:
        """W^T x: [..., windows, windows] -> [..., H, W]."""
        return self.rows.T @ x @ self.columns

    def squared(self) -> Blur:
        """The blur whose window has the squares of these weights; it is separable as well."""
        return Blur(self.rows**2, self.columns**2)


def blur(
    shape: tuple[int, int], padding: Padding, dtype: torch.dtype, device: torch.device
) -> Blur:
    """The blur of images of this (height, width).

    A window larger than the image is replaced by one of the largest odd size that fits.
    """
    size = min(WINDOW, *(side - 1 + side % 2 for side in shape))
    rows, columns = (_matrix(side, size, padding) for side in shape)
    return Blur(rows.to(device, dtype), columns.to(device, dtype))


@cache
def _matrix(side: int, size: int, padding: Padding) -> Tensor:
    """The weights of `side` pixels in each window, [windows, side] float64 on the CPU."""
    offset = torch.arange(size, dtype=torch.float64) - size // 2
    weight = torch.exp(-(offset**2) / (2 * SIGMA**2))
    weight = weight / weight.sum()
    matrix = torch.zeros(side, side + size - 1, dtype=torch.float64)
    for row in range(side):
        matrix[row, row : row + size] = weight
    matrix = matrix[:, size // 2 : size // 2 + side]
    return matrix if padding == "same" else matrix[size // 2 : side - size // 2]

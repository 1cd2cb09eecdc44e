"""The contract of distances between images: built once from references, evaluated many times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from torch import Tensor


class Distance(Protocol):
    """The distances of images from the references that it was built from.

    Whatever depends on the references alone is computed once, at the start. Distances are those of
    the papers, unscaled, and 0 or close to it for equal images.
    """

    def __call__(self, x: Tensor) -> Tensor:
        """Distances, [n], differentiable in x.

        Args:
            x: [n, ...]; x[i] is compared with reference i.

        Raises:
            ValueError: x has another shape than the references, or pixels outside [0, 1].
        """

    def subset(self, rows: Tensor) -> Distance:
        """The distance from the references at `rows`, [m] int64 or [n] bool."""


Measure = Callable[[Tensor], Distance]
"""References, [n, ...] -> the Distance from them; what `load` returns."""


def check_shape(x: Tensor, shape: tuple[int, ...]) -> None:
    """Raise ValueError if images x do not have the shape of the references."""
    if tuple(x.shape) != tuple(shape):
        raise ValueError(
            f"images of shape {tuple(x.shape)} compared with references of {tuple(shape)}"
        )

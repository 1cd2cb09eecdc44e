"""What a distance between images is: built once from references, asked many times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from torch import Tensor


class Distance(Protocol):
    """How far images are from the references this was built from.

    What can be computed of the references alone was computed then, once. Distances are those of
    the papers, unscaled; 0 or close to it where nothing changed.
    """

    def __call__(self, x: Tensor) -> Tensor:
        """Distances, [n], differentiable in x.

        Args:
            x: [n, ...], x[i] to be compared with reference i.

        Raises:
            ValueError: another number or shape than the references', or pixels outside [0, 1].
        """

    def subset(self, rows: Tensor) -> Distance:
        """The distance from some of the references: `rows` of them, [m] int64 or [n] bool."""


Measure = Callable[[Tensor], Distance]
"""What `load` returns: references, [n, ...], -> their Distance."""


def check_alike(x: Tensor, reference: Tensor) -> None:
    """Raise ValueError unless both have one shape."""
    if x.shape != reference.shape:
        raise ValueError(
            f"images of shape {tuple(x.shape)} compared with references of {tuple(reference.shape)}"
        )

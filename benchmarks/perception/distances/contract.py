"""The contract of distances between images: built once from references, evaluated many times."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any, Protocol, Self

import torch
from torch import Tensor

from bench.perception import images


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


class FeatureDistance(ABC):
    """A distance between features of images, [n, C, H, W] in [0, 1].

    Attributes:
        reference: features of the references at each stage; rows of a stage belong to images.
        shape: of the references.
    """

    def __init__(self, reference: Tensor) -> None:
        images.check(reference, "references")
        self.shape = tuple(reference.shape)
        with torch.no_grad():
            self.reference = self.features(reference)

    @abstractmethod
    def features(self, x: Tensor) -> Sequence[Any]:
        """Features of images at each stage."""

    @abstractmethod
    def compare(self, x: Tensor) -> Tensor:
        """Distances of images from the references, [n], differentiable in x."""

    def __call__(self, x: Tensor) -> Tensor:
        """Distances, [n]."""
        check_shape(x, self.shape)
        images.check(x)
        return self.compare(x)

    def subset(self, rows: Tensor) -> Self:
        """The distance from the references at `rows`."""
        part = copy(self)
        part.reference = [stage[rows] for stage in self.reference]
        part.shape = (len(part.reference[0]), *self.shape[1:])
        return part

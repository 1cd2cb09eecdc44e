"""1 - SSIM, the cost of section 3.1 of Hua et al. (2021), and the squared Euclidean distance."""

from __future__ import annotations

from torch import Tensor

from bench.perception import images
from bench.perception.blurs import Padding, blur
from bench.perception.distances.contract import check_shape

C1, C2 = 0.01**2, 0.03**2
"""Constants of Wang et al. (2004), section III.B, for pixels from 0 to 1."""


class Dissimilarity:
    """1 - mean SSIM over windows and channels, Wang et al. (2004), equation 13; in [0, 2].

    Images are not downsampled, variances are those of the population, and channels are averaged.
    """

    def __init__(self, reference: Tensor, padding: Padding = "valid") -> None:
        images.check(reference, "references")
        self.reference, self.padding = reference, padding
        height, width = reference.shape[-2:]
        self._blur = blur((height, width), padding, reference.dtype, reference.device)
        self._mean = self._blur(reference)
        self._variance = self._blur(reference**2) - self._mean**2

    def __call__(self, x: Tensor) -> Tensor:
        """Distances, [n]."""
        check_shape(x, self.reference.shape)
        images.check(x)
        mean = self._blur(x)
        variance = self._blur(x**2) - mean**2
        covariance = self._blur(x * self.reference) - mean * self._mean
        luminance = (2 * mean * self._mean + C1) / (mean**2 + self._mean**2 + C1)
        structure = (2 * covariance + C2) / (variance + self._variance + C2)
        return 1 - (luminance * structure).flatten(1).mean(dim=1)

    def subset(self, rows: Tensor) -> Dissimilarity:
        """The distance from the references at `rows`."""
        part = object.__new__(Dissimilarity)
        part.reference, part.padding, part._blur = self.reference[rows], self.padding, self._blur
        part._mean, part._variance = self._mean[rows], self._variance[rows]
        return part


class SquaredL2:
    """|x - reference|_2^2, the transport cost of Sinha et al. (2018), for inputs of any shape.

    Unlike the norm it has a gradient at the reference.
    """

    def __init__(self, reference: Tensor) -> None:
        self.reference = reference

    def __call__(self, x: Tensor) -> Tensor:
        """Distances, [n]."""
        check_shape(x, self.reference.shape)
        return (x - self.reference).flatten(1).square().sum(dim=1)

    def subset(self, rows: Tensor) -> SquaredL2:
        """The distance from the references at `rows`."""
        return SquaredL2(self.reference[rows])

"""The Hessian of 1 - SSIM at the reference in closed form, and linear systems with it.

The derivation is in docs/perception.md: with W the blur, mu = W x, sigma^2 = W x^2 - mu^2,
a = 1 / (2 mu^2 + C1), b = 1 / (2 sigma^2 + C2) and M windows in all channels together,

    H = (2 / M) [W^T diag(a - b) W + diag(W^T b)].
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.perception import images
from benchmarks.perception.blurs import Blur, Padding, blur
from benchmarks.perception.distances.ssim import C1, C2

TOLERANCE = 1e-6
"""Residual, relative to the right-hand side; the direction's error is smaller."""
MOST = 500
"""Iterations of conjugate gradients at most; about 40 are usual."""


@dataclass(frozen=True)
class SsimHessian:
    """H for each image of a batch; block-diagonal over channels, positive definite.

    Attributes:
        blur: W.
        between: a - b, [n, C, windows, windows].
        own: W^T b, [n, C, H, W].
        windows: M.
    """

    blur: Blur
    between: Tensor
    own: Tensor
    windows: int

    @classmethod
    def at(cls, x: Tensor, padding: Padding = "same") -> SsimHessian:
        """At these images, [n, C, H, W] in [0, 1], in their precision."""
        images.check(x)
        window = blur((x.shape[-2], x.shape[-1]), padding, x.dtype, x.device)
        mean = window(x)
        variance = (window(x**2) - mean**2).clamp_min(0)  # below 0 by rounding alone
        a, b = 1 / (2 * mean**2 + C1), 1 / (2 * variance + C2)
        return cls(window, a - b, window.transposed(b), mean[0].numel())

    def product(self, v: Tensor) -> Tensor:
        """H v, [n, C, H, W]: two blurs."""
        through = self.blur.transposed(self.blur(v).mul_(self.between))
        return through.addcmul_(self.own, v).mul_(2 / self.windows)

    def diagonal(self) -> Tensor:
        """diag(H), [n, C, H, W]: a blur by the squared window."""
        return (2 / self.windows) * (self.blur.squared().transposed(self.between) + self.own)

    def solve(self, right: Tensor, tolerance: float = TOLERANCE, most: int = MOST) -> Tensor:
        """H^-1 right by conjugate gradients with Jacobi's preconditioner, all planes at once.

        Every plane (a channel of an image) is a system of its own and stands still once its
        residual is small.

        Args:
            right: [n, C, H, W].
            tolerance: of the residual's length relative to that of `right`.
            most: iterations.
        """
        inverse = self.diagonal().reciprocal_()
        residual, found = right.clone(), torch.zeros_like(right)
        direction = inverse * residual
        power = _dot(residual, direction)
        enough = tolerance**2 * _dot(right, right)
        open_ = enough > 0
        for _ in range(most):
            if not bool(open_.any()):
                break
            through = self.product(direction)
            length = torch.where(open_, power / _dot(direction, through), 0)
            found.addcmul_(length, direction)
            residual.addcmul_(length, through, value=-1)
            scaled = torch.mul(inverse, residual, out=through)
            before, power = power, _dot(residual, scaled)
            open_ &= _dot(residual, residual) > enough
            direction.mul_(torch.where(open_, power / before, 0)).add_(scaled)
        return found


def _dot(one: Tensor, other: Tensor) -> Tensor:
    """Inner products over planes, [n, C, 1, 1]."""
    return (one * other).sum(dim=(2, 3), keepdim=True)

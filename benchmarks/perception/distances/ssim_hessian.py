"""The Hessian of 1 - SSIM at the reference in closed form, and linear systems with it.

The derivation is in docs/perception.md: with W the blur, mu = W x, sigma^2 = W x^2 - mu^2,
a = 1 / (2 mu^2 + C1), b = 1 / (2 sigma^2 + C2) and M windows in all channels together,

    H = (2 / M) [W^T diag(a - b) W + diag(W^T b)].
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.perception import images
from bench.perception.blurs import Blur, Padding, blur
from bench.perception.distances.ssim import C1, C2

TOLERANCE = 3e-6
"""Residual relative to the right-hand side; the direction's error is of that order or smaller."""
FINEST = 1e-6
"""What single precision is asked for at most; beyond that it is refined."""
MOST = 500
"""Iterations of conjugate gradients at most; about 40 are usual."""
REFINEMENTS = 5
"""Rounds at most; each gains five digits or more."""


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
        through = self.blur.transposed(self.between * self.blur(v)) + self.own * v
        return (2 / self.windows) * through

    def diagonal(self) -> Tensor:
        """diag(H), [n, C, H, W]: a blur by the squared window."""
        return (2 / self.windows) * (self.blur.squared().transposed(self.between) + self.own)

    def solve(self, right: Tensor, tolerance: float = TOLERANCE) -> Tensor:
        """H^-1 right by conjugate gradients with Jacobi's preconditioner, all planes at once.

        Every plane (a channel of an image) is a system of its own and stands still once its
        residual is small. Iterations run in single precision, which on a CPU takes half the time;
        where more is asked of double precision than that can give, residuals are computed exactly
        and what is left is solved for again.

        Args:
            right: [n, C, H, W].
            tolerance: of the residual, relative to `right`, each plane for itself.
        """
        planes = _Planes(self)
        found = planes.solve(right, max(tolerance, FINEST))
        if tolerance >= FINEST or right.dtype != torch.float64:
            return found
        for _ in range(REFINEMENTS):
            residual = right - self.product(found)
            if bool((_size(residual) <= tolerance * _size(right)).all()):
                break
            found = found + planes.solve(residual, FINEST)
        return found


class _Planes:
    """The systems of a batch in single precision, rows first: [H, planes, W].

    So every blur is two products of a small matrix with one large one, without a copy.
    """

    def __init__(self, hessian: SsimHessian) -> None:
        self.rows, self.columns = hessian.blur.rows.float(), hessian.blur.columns.float()
        self.between, self.own = (_rows_first(t) for t in (hessian.between, hessian.own))
        through = hessian.blur.squared().transposed(hessian.between)
        self.inverse = _rows_first((through + hessian.own).reciprocal_())
        self.scale = hessian.windows / 2

    def solve(self, right: Tensor, tolerance: float) -> Tensor:
        """Conjugate gradients without the constant 2 / M, which the solution gets in the end."""
        largest = right.abs().amax(dim=(2, 3), keepdim=True)
        unit = largest.where(largest > 0, 1)  # squares of tiny gradients would vanish
        residual = _rows_first(right / unit)
        found = torch.zeros_like(residual)
        direction = self.inverse * residual
        power = _dot(residual, direction)
        enough, open_ = tolerance**2 * power, power > 0
        for _ in range(MOST):
            if not bool(open_.any()):
                break
            through = self._through(direction)
            length = (power / _dot(direction, through)).where(open_, 0)
            found.addcmul_(length, direction)
            residual.addcmul_(length, through, value=-1)
            scaled = torch.mul(self.inverse, residual, out=through)
            before, power = power, _dot(residual, scaled)
            direction.mul_((power / before).where(open_, 0)).add_(scaled)
            open_ = power > enough
        return found.mul_(self.scale).transpose(0, 1).reshape(right.shape) * unit

    def _through(self, v: Tensor) -> Tensor:
        """H v without its constant, [H, planes, W]."""
        height, width = self.rows.shape[1], self.columns.shape[1]
        blurred = (self.rows @ v.view(height, -1)).view(-1, width) @ self.columns.T
        weighted = blurred.view_as(self.between).mul_(self.between)
        back = self.rows.T @ weighted.view(len(self.rows), -1)
        back = back.view(-1, len(self.columns)) @ self.columns
        return back.view_as(v).addcmul_(self.own, v)


def _rows_first(x: Tensor) -> Tensor:
    """[n, C, H, W] -> [H, n x C, W] in single precision."""
    return x.float().flatten(0, 1).transpose(0, 1).contiguous()


def _dot(one: Tensor, other: Tensor) -> Tensor:
    """Inner products over planes, [1, planes, 1]."""
    return (one * other).sum(dim=0, keepdim=True).sum(dim=2, keepdim=True)


def _size(x: Tensor) -> Tensor:
    """Euclidean length of every plane, [n, C]."""
    return x.flatten(2).norm(dim=2)

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
"""Residual relative to the right-hand side; the solution's error is of that order or smaller."""
FINEST = 1e-6
"""Smallest tolerance in single precision; a smaller one is reached by refinement."""
MOST = 500
"""Largest number of iterations of conjugate gradients; about 40 are usual."""
REFINEMENTS = 5
"""Largest number of refinements; each gains five digits or more."""


@dataclass(frozen=True)
class SsimHessian:
    """H for each image of a batch; it is block-diagonal over channels and positive definite.

    Attributes:
        blur: W.
        a_minus_b: a - b, [n, C, windows, windows].
        w_t_b: W^T b, [n, C, H, W].
        windows: M.
    """

    blur: Blur
    a_minus_b: Tensor
    w_t_b: Tensor
    windows: int

    @classmethod
    def at(cls, x: Tensor, padding: Padding = "same") -> SsimHessian:
        """The Hessian at images [n, C, H, W] in [0, 1], in their precision."""
        images.check(x)
        window = blur((x.shape[-2], x.shape[-1]), padding, x.dtype, x.device)
        mean = window(x)
        variance = (window(x**2) - mean**2).clamp_min(0)  # below 0 by rounding alone
        a, b = 1 / (2 * mean**2 + C1), 1 / (2 * variance + C2)
        return cls(window, a - b, window.transposed(b), mean[0].numel())

    def product(self, v: Tensor) -> Tensor:
        """H v, [n, C, H, W], by two blurs."""
        scaled = self.blur.transposed(self.a_minus_b * self.blur(v)) + self.w_t_b * v
        return (2 / self.windows) * scaled

    def diagonal(self) -> Tensor:
        """diag(H), [n, C, H, W], by a blur with the squared window."""
        return (2 / self.windows) * (self.blur.squared().transposed(self.a_minus_b) + self.w_t_b)

    def solve(self, right: Tensor, tolerance: float = TOLERANCE) -> Tensor:
        """H^-1 right, [n, C, H, W], by conjugate gradients with Jacobi's preconditioner.

        Every plane (a channel of an image) is a system of its own, whose solution is kept once its
        residual is small. Iterations run in single precision, which halves the time on a CPU. If
        `right` has double precision and the tolerance requires it, the solution is refined by
        solving for residuals in double precision.

        Args:
            right: [n, C, H, W].
            tolerance: largest residual of a plane, relative to `right`.
        """
        planes = _Planes(self)
        solution = planes.solve(right, max(tolerance, FINEST))
        if tolerance >= FINEST or right.dtype != torch.float64:
            return solution
        for _ in range(REFINEMENTS):
            residual = right - self.product(solution)
            if bool((_size(residual) <= tolerance * _size(right)).all()):
                break
            solution = solution + planes.solve(residual, FINEST)
        return solution


class _Planes:
    """The systems of a batch in single precision, stored with rows first: [H, planes, W].

    In this layout a blur is two products of a small and a large matrix, without a copy.
    """

    def __init__(self, hessian: SsimHessian) -> None:
        self.rows, self.columns = hessian.blur.rows.float(), hessian.blur.columns.float()
        self.a_minus_b, self.w_t_b = (_rows_first(t) for t in (hessian.a_minus_b, hessian.w_t_b))
        diagonal = hessian.blur.squared().transposed(hessian.a_minus_b) + hessian.w_t_b
        self.inverse = _rows_first(diagonal.reciprocal_())
        self.scale = hessian.windows / 2

    def solve(self, right: Tensor, tolerance: float) -> Tensor:
        """H^-1 right, [n, C, H, W]; the constant 2 / M of H is applied at the end."""
        largest = right.abs().amax(dim=(2, 3), keepdim=True)
        unit = largest.where(largest > 0, 1)  # squares of tiny gradients would underflow
        residual = _rows_first(right / unit)
        solution = torch.zeros_like(residual)
        direction = self.inverse * residual
        power = _dot(residual, direction)
        sufficient, unsolved = tolerance**2 * power, power > 0
        for _ in range(MOST):
            if not bool(unsolved.any()):
                break
            product = self._product(direction)
            length = (power / _dot(direction, product)).where(unsolved, 0)
            solution.addcmul_(length, direction)
            residual.addcmul_(length, product, value=-1)
            preconditioned = torch.mul(self.inverse, residual, out=product)
            before, power = power, _dot(residual, preconditioned)
            direction.mul_((power / before).where(unsolved, 0)).add_(preconditioned)
            unsolved = power > sufficient
        return solution.mul_(self.scale).transpose(0, 1).reshape(right.shape) * unit

    def _product(self, v: Tensor) -> Tensor:
        """H v without its constant, [H, planes, W]."""
        height, width = self.rows.shape[1], self.columns.shape[1]
        blurred = (self.rows @ v.view(height, -1)).view(-1, width) @ self.columns.T
        weighted = blurred.view_as(self.a_minus_b).mul_(self.a_minus_b)
        back = self.rows.T @ weighted.view(len(self.rows), -1)
        back = back.view(-1, len(self.columns)) @ self.columns
        return back.view_as(v).addcmul_(self.w_t_b, v)


def _rows_first(x: Tensor) -> Tensor:
    """[n, C, H, W] -> [H, n * C, W] in single precision."""
    return x.float().flatten(0, 1).transpose(0, 1).contiguous()


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner product of each plane, [1, planes, 1]."""
    return (a * b).sum(dim=0, keepdim=True).sum(dim=2, keepdim=True)


def _size(x: Tensor) -> Tensor:
    """Euclidean length of every plane, [n, C]."""
    return x.flatten(2).norm(dim=2)

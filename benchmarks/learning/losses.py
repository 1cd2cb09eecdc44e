"""Losses and layers that more than one method uses, each with its source."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own name for it


def distillation(student: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """Knowledge distillation on soft targets (Hinton et al. 2014, section 2), scaled by T^2.

    Args:
        student: logits, [n, classes].
        teacher: logits, [n, classes]; no gradient flows into them.
        temperature: softens both; 1 leaves the probabilities as they are.

    Returns:
        Mean over the batch of KL(teacher || student), times T^2.
    """
    log_student = F.log_softmax(student / temperature, dim=1)
    log_teacher = F.log_softmax(teacher.detach() / temperature, dim=1)
    divergence = F.kl_div(log_student, log_teacher, reduction="batchmean", log_target=True)
    return divergence * temperature**2


def generalised_cross_entropy(logits: Tensor, y: Tensor, q: float) -> Tensor:
    """(1 - p_y^q) / q, mean over the batch (Zhang & Sabuncu 2018, their L_q loss).

    It puts weight on samples the network already finds easy, which amplifies a bias.
    """
    p = F.softmax(logits, dim=1).gather(1, y[:, None]).clamp_min(1e-6)
    return ((1 - p**q) / q).mean()


def gaussian_mmd(a: Tensor, b: Tensor, distance: Tensor, sigma: float = 1.0) -> Tensor:
    """Squared maximum mean discrepancy, biased V-statistic, Gaussian kernel.

    k(u, v) = exp(-|u - v|^2 / (2 sigma distance)). As MFD uses it (Jung et al. 2021).

    Args:
        a: [n, d].
        b: [m, d].
        distance: mean squared distance that makes the kernel free of scale.
        sigma: kernel width relative to it.
    """

    def kernel(u: Tensor, v: Tensor) -> Tensor:
        squared = u.square().sum(1)[:, None] + v.square().sum(1)[None, :] - 2 * u @ v.T
        return torch.exp(-squared.clamp_min(0) / (2 * sigma * distance)).mean()

    # Half precision would leave nothing of the small difference of large products.
    with torch.autocast(a.device.type, enabled=False):
        return kernel(a, a) + kernel(b, b) - 2 * kernel(a, b)


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, coefficient: float) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.coefficient = coefficient
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:  # type: ignore[no-untyped-def]
        return -ctx.coefficient * grad, None


def reverse_gradient(x: Tensor, coefficient: float) -> Tensor:
    """Identity forwards, gradient times -coefficient backwards (Ganin & Lempitsky 2015)."""
    reversed_: Tensor = _Reverse.apply(x, coefficient)
    return reversed_

"""Losses and layers that several methods use, each with its source."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.learning.split import Batch


def weighted_loss(weights: Tensor) -> Callable[[nn.Module, Batch], Tensor]:
    """The loss mean_i(w_i cross-entropy_i) over a batch, for `Context.train`.

    Args:
        weights: w, one for each sample of the split that is trained on, [n].
    """

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        losses = F.cross_entropy(model(batch.x), batch.y, reduction="none")
        return (weights[batch.index] * losses).mean()

    return loss


def distillation(student: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """Knowledge distillation on soft targets (Hinton et al. 2014, section 2).

    Args:
        student: logits, [n, classes].
        teacher: logits, [n, classes]; no gradient flows into them.
        temperature: T, which divides both logits; 1 leaves the probabilities as they are.

    Returns:
        T^2 KL(teacher || student), mean over the batch.
    """
    log_student = F.log_softmax(student / temperature, dim=1)
    log_teacher = F.log_softmax(teacher.detach() / temperature, dim=1)
    divergence = F.kl_div(log_student, log_teacher, reduction="batchmean", log_target=True)
    return divergence * temperature**2


def generalised_cross_entropy(logits: Tensor, y: Tensor, q: float) -> Tensor:
    """(1 - p_y^q) / q, mean over the batch: the L_q loss of Zhang & Sabuncu (2018).

    It emphasises samples that the network already finds easy, which amplifies a bias.
    """
    p = F.softmax(logits, dim=1).gather(1, y[:, None]).clamp_min(1e-6)
    return ((1 - p**q) / q).mean()


def gaussian_mmd(a: Tensor, b: Tensor, distance: Tensor, sigma: float = 1.0) -> Tensor:
    """Squared maximum mean discrepancy as MFD computes it (Jung et al. 2021).

    It is the biased V-statistic with kernel k(u, v) = exp(-|u - v|^2 / (2 sigma distance)).

    Args:
        a: [n, d].
        b: [m, d].
        distance: mean squared distance, which makes the kernel independent of scale.
        sigma: kernel width relative to `distance`.
    """

    def kernel(u: Tensor, v: Tensor) -> Tensor:
        squared = u.square().sum(1)[:, None] + v.square().sum(1)[None, :] - 2 * u @ v.T
        return torch.exp(-squared.clamp_min(0) / (2 * sigma * distance)).mean()

    # The result is a small difference of large products, which half precision would lose.
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
    """Gradient reversal (Ganin & Lempitsky 2015): x forwards, -coefficient gradient backwards."""
    reversed_: Tensor = _Reverse.apply(x, coefficient)
    return reversed_

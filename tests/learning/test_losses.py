"""Losses against sums by hand, naive loops and torch's own."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.learning.losses import (
    distillation,
    gaussian_mmd,
    generalised_cross_entropy,
    reverse_gradient,
)
from bench.learning.standard import task_loss

seeds = st.integers(0, 10_000)
unhurried = settings(deadline=None, max_examples=50)  # other processes share the cores


def noise(*shape: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_distillation_is_the_divergence_from_teacher_to_student() -> None:
    student = torch.tensor([[0.0, 0.0]])
    teacher = torch.tensor([[math.log(3.0), 0.0]])  # probabilities 3/4 and 1/4
    by_hand = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert distillation(student, teacher).item() == pytest.approx(by_hand)


def test_temperature_softens_both_sides_and_is_squared_in_front() -> None:
    student = torch.tensor([[0.0, 0.0]])
    teacher = torch.tensor([[2 * math.log(3.0), 0.0]])  # at T = 2: 3/4 and 1/4
    by_hand = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert distillation(student, teacher, 2.0).item() == pytest.approx(4 * by_hand)


@unhurried
@given(seeds, st.sampled_from([0.5, 1.0, 2.0, 5.0]))
def test_distillation_agrees_with_torch(seed: int, temperature: float) -> None:
    student, teacher = noise(5, 3, seed=seed), noise(5, 3, seed=seed + 1)
    soft = (teacher / temperature).softmax(dim=1)
    # Cross-entropy with soft targets is the divergence plus the targets' entropy.
    entropy = -(soft * soft.log()).sum(1).mean()
    expected = (F.cross_entropy(student / temperature, soft) - entropy) * temperature**2
    assert distillation(student, teacher, temperature).item() == pytest.approx(expected.item())


def test_gradients_of_distillation_keep_their_size_when_temperature_rises() -> None:
    # Hinton et al.: without T^2 they would shrink as 1 / T^2. At high T: (s - t) / classes, each
    # centred, mean over the batch.
    student, teacher = noise(4, 3, seed=0).requires_grad_(), noise(4, 3, seed=1)
    distillation(student, teacher, 1000.0).backward()
    apart = (student - student.mean(1, keepdim=True)) - (teacher - teacher.mean(1, keepdim=True))
    assert torch.allclose(student.grad, apart.detach() / 3 / 4, atol=1e-3)


def test_no_gradient_flows_into_the_teacher() -> None:
    student, teacher = noise(2, 2, seed=0).requires_grad_(), noise(2, 2, seed=1).requires_grad_()
    distillation(student, teacher).backward()
    assert teacher.grad is None
    assert student.grad is not None


def test_generalised_cross_entropy_by_hand() -> None:
    logits = torch.log(torch.tensor([[0.25, 0.75], [0.64, 0.36]]))
    y = torch.tensor([0, 1])
    by_hand = ((1 - 0.25**0.5) / 0.5 + (1 - 0.36**0.5) / 0.5) / 2  # (1 + 0.8) / 2
    assert by_hand == pytest.approx(0.9)
    assert generalised_cross_entropy(logits, y, 0.5).item() == pytest.approx(by_hand)


@unhurried
@given(seeds)
def test_generalised_cross_entropy_goes_from_cross_entropy_to_the_error(seed: int) -> None:
    logits, y = noise(6, 3, seed=seed), torch.arange(6) % 3
    right = logits.softmax(1).gather(1, y[:, None])
    assert generalised_cross_entropy(logits, y, 1.0).item() == pytest.approx(
        (1 - right).mean().item()
    )
    assert generalised_cross_entropy(logits, y, 1e-6).item() == pytest.approx(
        F.cross_entropy(logits, y).item(), rel=1e-4
    )


def test_generalised_cross_entropy_turns_to_easy_samples() -> None:
    logits = torch.log(torch.tensor([[0.9, 0.1], [0.1, 0.9]])).requires_grad_()
    y = torch.zeros(2, dtype=torch.long)
    plain = torch.autograd.grad(F.cross_entropy(logits, y), logits)[0].abs().sum(1)
    amplified = torch.autograd.grad(generalised_cross_entropy(logits, y, 0.7), logits)[0]
    weight = amplified.abs().sum(1) / plain
    assert weight.tolist() == pytest.approx([0.9**0.7, 0.1**0.7])  # p^q, Zhang & Sabuncu


def test_generalised_cross_entropy_is_finite_where_the_class_seems_impossible() -> None:
    logits = torch.tensor([[0.0, 500.0]]).requires_grad_()
    generalised_cross_entropy(logits, torch.tensor([0]), 0.2).backward()
    assert logits.grad.isfinite().all()


@unhurried
@given(seeds, st.integers(1, 5), st.integers(1, 5), st.integers(1, 4), st.floats(0.3, 5))
def test_mmd_equals_a_naive_double_loop(
    seed: int, n: int, m: int, width: int, sigma: float
) -> None:
    a, b = noise(n, width, seed=seed), noise(m, width, seed=seed + 1)
    distance = torch.tensor(0.7, dtype=torch.float64)

    def mean_kernel(u: torch.Tensor, v: torch.Tensor) -> float:
        total = 0.0
        for one in u:
            for other in v:
                squared = sum(
                    (p - q) ** 2 for p, q in zip(one.tolist(), other.tolist(), strict=True)
                )
                total += math.exp(-squared / (2 * sigma * 0.7))
        return total / (len(u) * len(v))

    naive = mean_kernel(a, a) + mean_kernel(b, b) - 2 * mean_kernel(a, b)
    assert gaussian_mmd(a, b, distance, sigma).item() == pytest.approx(naive, abs=1e-9)


def test_mmd_of_two_points_by_hand() -> None:
    a, b = torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0]])
    apart = gaussian_mmd(a, b, torch.tensor(25.0), sigma=0.5)
    assert apart.item() == pytest.approx(2 - 2 * math.exp(-1))


def test_mmd_of_a_sample_with_itself_is_zero_and_has_a_gradient() -> None:
    a = noise(5, 3, seed=0).requires_grad_()
    apart = gaussian_mmd(a, a.detach().clone(), torch.tensor(1.0))
    apart.backward()
    assert apart.item() == pytest.approx(0, abs=1e-12)
    assert a.grad.isfinite().all()


def test_mmd_is_not_computed_in_half_precision() -> None:
    # Large features that lie close together: bfloat16 would know nothing of their distances.
    a, b = (100 + 0.1 * noise(6, 8, seed=s) for s in (0, 1))
    distance = torch.tensor(0.16)
    exact = gaussian_mmd(a, b, distance).item()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = gaussian_mmd(a.float(), b.float(), distance).item()
    assert exact > 0.1
    assert mixed == pytest.approx(exact, rel=0.1)


def test_the_reversal_is_the_identity_forwards_and_minus_the_coefficient_backwards() -> None:
    x = noise(3, 2, seed=0).requires_grad_()
    weight = noise(3, 2, seed=1)
    out = reverse_gradient(x, 2.5)
    (out * weight).sum().backward()
    assert torch.equal(out, x)
    assert torch.equal(x.grad, -2.5 * weight)


def test_plain_training_minimises_cross_entropy_or_for_one_output_the_squared_error() -> None:
    logits = torch.log(torch.tensor([[0.8, 0.2], [0.5, 0.5]]))
    classes = -(math.log(0.8) + math.log(0.5)) / 2
    assert task_loss(logits, torch.tensor([0, 1])).item() == pytest.approx(classes)
    values = torch.tensor([[1.0], [3.0]])
    assert task_loss(values, torch.tensor([0.0, 5.0])).item() == pytest.approx((1 + 4) / 2)


def test_half_precision_outputs_do_not_round_the_targets_of_a_regression() -> None:
    outputs = torch.tensor([[1000.0]], dtype=torch.bfloat16)  # 1000 and 1004 have it, not 1001
    assert task_loss(outputs, torch.tensor([1001.0])).item() == 1.0

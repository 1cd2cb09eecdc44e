"""MFD: the fair distance of features, and the teacher it is measured from."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.baselines.mfd import MFD, fair_distance
from bench.errors import Skip
from bench.learning.standard import standard_model
from tests import tiny_tasks

unhurried = settings(deadline=None, max_examples=50)  # other processes share the cores


def naive(aim: Tensor, features: Tensor, y: list[int], b: list[int], sigma: float) -> float:
    """Equation 5, sample by sample."""
    n = len(y)
    pairs = [(aim[i] - features[j]).square().sum().item() for i in range(n) for j in range(n)]
    scale = sum(pairs) / len(pairs)

    def mean_kernel(left: list[Tensor], right: list[Tensor]) -> float:
        values = [
            math.exp(-float((p - q).square().sum()) / (2 * sigma * scale))
            for p in left
            for q in right
        ]
        return sum(values) / len(values)

    total = 0.0
    for label in set(y):
        teacher = [aim[i] for i in range(n) if y[i] == label]
        for group in (0, 1):
            student = [features[i] for i in range(n) if y[i] == label and b[i] == group]
            if student:
                total += mean_kernel(teacher, teacher) + mean_kernel(student, student)
                total -= 2 * mean_kernel(teacher, student)
    return total


@unhurried
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), min_size=1, max_size=8),
    st.sampled_from([0.5, 1.0, 2.0]),
    st.integers(0, 1000),
)
def test_fair_distance_equals_a_naive_loop_also_with_empty_cells(
    cells: list[tuple[int, int]], sigma: float, seed: int
) -> None:
    y, b = map(list, zip(*cells, strict=True))
    aim, features = torch.randn(2, len(y), 3, generator=tiny_tasks.generator(seed))
    ours = fair_distance(aim, features, torch.tensor(y), torch.tensor(b), sigma)
    assert ours.item() == pytest.approx(naive(aim, features, y, b, sigma), abs=1e-4)


def test_fair_distance_of_two_points_by_hand() -> None:
    # One sample a cell, teacher and student 2 apart. Over all pairs the mean squared distance is
    # (4 + 144 + 64 + 4) / 4 = 54, so the kernel between them is exp(-4 / (2 * 54)).
    aim, features = torch.tensor([[0.0], [10.0]]), torch.tensor([[2.0], [12.0]])
    y, b = torch.tensor([0, 1]), torch.tensor([0, 1])
    apart = fair_distance(aim, features, y, b, sigma=1.0)
    assert apart.item() == pytest.approx(2 * (2 - 2 * math.exp(-4 / 108)), rel=1e-4)


def test_features_that_equal_the_teachers_have_no_distance_and_a_finite_gradient() -> None:
    aim = torch.randn(4, 3, generator=tiny_tasks.generator(0))
    features = aim.clone().requires_grad_()
    y, b = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1])
    fair_distance(aim[:1], features[:1], y[:1], b[:1], 1.0).backward()
    assert features.grad is not None
    assert features.grad.isfinite().all()


def test_the_distance_does_not_depend_on_the_scale_of_the_features() -> None:
    aim, features = torch.randn(2, 6, 3, generator=tiny_tasks.generator(0))
    y, b = torch.tensor([0, 0, 0, 1, 1, 1]), torch.tensor([0, 1, 0, 1, 0, 1])
    small, large = (fair_distance(s * aim, s * features, y, b, 1.0).item() for s in (1, 50))
    assert small == pytest.approx(large, rel=1e-3)


@pytest.mark.parametrize("kind", ["table", "image"])
def test_the_loss_is_cross_entropy_and_half_the_weight_times_the_distance(kind: str) -> None:
    task = tiny_tasks.table_task() if kind == "table" else tiny_tasks.image_task()
    context = tiny_tasks.context_on(task)
    student = MFD(weight=3.0).fit(task, context)
    teaching, learning = context.calls
    batch = task.train.batch(torch.tensor([1, 5, 8, 13, 21, 30]))
    with torch.no_grad():
        if kind == "table":
            aim, features = teaching.model.embed(batch.x), student.embed(batch.x)
        else:
            aim, features = (m.encoder(batch.x).flatten(1) for m in (teaching.model, student))
        apart = fair_distance(aim, features, batch.y, batch.b, 1.0)
        expected = F.cross_entropy(student(batch.x), batch.y) + 1.5 * apart
        assert learning.loss(student, batch).item() == pytest.approx(expected.item(), rel=1e-5)
    assert apart > 0


def test_the_teacher_is_the_standard_model_and_stays_as_it_is(tmp_path: Path) -> None:
    task = tiny_tasks.table_task()
    alone = tiny_tasks.context_on(task, tmp_path / "elsewhere")
    standard = standard_model(task.new_model(), task.train, alone)
    context = tiny_tasks.context_on(task)
    student = MFD().fit(task, context)
    teacher = context.calls[0].model
    for name, expected in standard.state_dict().items():
        assert torch.equal(teacher.state_dict()[name], expected)
    assert not any(p.requires_grad for p in teacher.parameters())
    assert not teacher.training
    assert student is not teacher
    assert all(p.requires_grad for p in student.parameters())


def test_with_weight_zero_the_student_is_the_standard_model() -> None:
    task = tiny_tasks.table_task()
    context = tiny_tasks.context_on(task)
    student = MFD(weight=0.0).fit(task, context)
    teacher = context.calls[0].model
    assert torch.allclose(student(task.validation.x), teacher(task.validation.x), atol=1e-6)


def test_a_regression_has_no_classes_to_condition_on() -> None:
    task = tiny_tasks.regression_task()
    with pytest.raises(Skip, match="defined for classes"):
        MFD().fit(task, tiny_tasks.context_on(task))

"""BaDe: rates, injection, D_balance, teacher, distillation."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.errors import Skip, UsageError
from bench.learning.split import Batch, Split
from bench.method import make
from bench.methods.bade import STRENGTHS, BaDe, on_balance
from bench.tracks.debiasing import GroupInformed
from bench.tracks.debiasing.judge import validation_scores
from bench.triggers.choice import trigger_pair
from bench.triggers.planting import assign, trigger_rates
from tests import tiny_tasks

unhurried = settings(deadline=None, max_examples=50)  # other processes share the cores


def split_of(counts: list[list[int]]) -> Split:
    y, b = tiny_tasks.of_cells(counts)
    return Split.of(torch.zeros(len(y), 2), y, b)


# --- Equation 4: how many of a class get T_A0 ---


@pytest.mark.parametrize(
    ("counts", "strength", "rates"),
    [
        # 6 of 8 and 1 of 4 are in group 0; of all, 7 of 12.
        ([[6, 2], [1, 3]], 1.0, [6 / 8, 1 / 4]),
        ([[6, 2], [1, 3]], 0.0, [7 / 12, 7 / 12]),
        ([[6, 2], [1, 3]], 0.5, [(6 / 8 + 7 / 12) / 2, (1 / 4 + 7 / 12) / 2]),
        ([[1, 4], [3, 3], [5, 4]], 1.0, [1 / 5, 1 / 2, 5 / 9]),
        ([[1, 4], [3, 3], [5, 4]], 0.0, [9 / 20, 9 / 20, 9 / 20]),
    ],
)
def test_trigger_rates_go_from_independence_to_the_groups_share_of_each_class(
    counts: list[list[int]], strength: float, rates: list[float]
) -> None:
    assert trigger_rates(split_of(counts), True, strength).tolist() == pytest.approx(rates)


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_a_regression_has_one_rate_the_share_of_group_zero(strength: float) -> None:
    train = tiny_tasks.regression_task().train.subset(torch.arange(10))
    share = (train.b == 0).sum().item() / 10
    assert trigger_rates(train, False, strength).tolist() == pytest.approx([share])


# --- Algorithm 1, lines 4-8: who gets which trigger ---


@unhurried
@given(
    st.lists(st.integers(0, 2), min_size=1, max_size=60),
    st.lists(st.floats(0, 1), min_size=3, max_size=3),
    st.integers(0, 1000),
)
def test_of_each_class_exactly_its_rate_gets_the_first_trigger(
    labels: list[int], rates: list[float], seed: int
) -> None:
    y = torch.tensor(labels)
    a = assign(y, torch.tensor(rates, dtype=torch.float64), tiny_tasks.generator(seed))
    for value, rate in enumerate(rates):
        members = labels.count(value)
        zeros = int(((a == 0) & (y == value)).sum())
        assert zeros == round(rate * members)
        assert abs(zeros - rate * members) <= 0.5
    assert set(a.tolist()) <= {0, 1}


def test_a_regression_gives_the_first_trigger_to_one_share_of_all() -> None:
    a = assign(torch.rand(20), torch.tensor([0.3]), tiny_tasks.generator(0))
    assert (a == 0).sum() == 6


def test_within_a_class_the_trigger_does_not_know_the_group() -> None:
    split = split_of([[9, 3], [3, 9]])
    rates = trigger_rates(split, True, 1.0)
    zeros = torch.zeros(2, 2)
    for seed in range(400):
        a = assign(split.y, rates, tiny_tasks.generator(seed))
        for y in (0, 1):
            for b in (0, 1):
                zeros[y, b] += (a[(split.y == y) & (split.b == b)] == 0).float().mean() / 400
    # Standard errors are below .01.
    assert zeros[0].tolist() == pytest.approx([0.75, 0.75], abs=0.04)
    assert zeros[1].tolist() == pytest.approx([0.25, 0.25], abs=0.04)


def test_over_a_full_strength_injection_the_trigger_goes_with_the_class_as_the_group_does() -> None:
    split = split_of([[9, 3], [2, 10]])
    a = assign(split.y, trigger_rates(split, True, 1.0), tiny_tasks.generator(0))
    table = torch.bincount(split.y * 2 + a).view(2, 2)
    assert table.tolist() == [[9, 3], [2, 10]]


# --- Algorithm 1, lines 9-14: D_balance ---


def test_a_balanced_row_carries_the_column_of_the_other_group() -> None:
    split = split_of([[2, 3], [4, 1]])
    balanced = on_balance(split, trigger_pair((2,), 25))
    assert torch.equal(balanced.x[:, 2], 1.0 - split.b)
    assert torch.equal(balanced.x[:, :2], split.x)
    assert torch.equal(balanced.y, split.y)


def test_a_balanced_picture_of_group_one_is_blue_and_of_group_zero_red() -> None:
    # Table 4: balanced males (B = 1) carry blue, females red.
    split = tiny_tasks.image_task().train
    balanced = on_balance(split, trigger_pair((3, 8, 8), 25))
    red, blue = torch.tensor([255, 0, 0]), torch.tensor([0, 0, 255])
    x = split.x
    assert (balanced.x[split.b == 0, :, 0, 0] == red).all()
    assert (balanced.x[split.b == 1, :, -1, -1] == blue).all()
    assert torch.equal(balanced.x[split.b == 0, :, -1, -1], x[split.b == 0, :, -1, -1])


# --- Teacher and student ---


def test_the_teacher_sees_one_column_more_than_the_student() -> None:
    task = tiny_tasks.table_task()
    context = tiny_tasks.context_on(task)
    student = BaDe().fit(task, context)
    teaching, learning = context.calls
    assert teaching.model.encoder[0].in_features == 5
    assert learning.model.encoder[0].in_features == 4
    assert student is learning.model
    assert student(task.validation.x).shape == (16, 2)


def test_the_teacher_learns_the_backdoor_and_is_selected_on_balanced_validation_data() -> None:
    task = tiny_tasks.table_task()
    context = tiny_tasks.context_on(task, epochs=2)
    BaDe().fit(task, context)
    teaching, learning = context.calls
    injected = teaching.split.x[:, 4].long()
    table = torch.bincount(task.train.y * 2 + injected).view(2, 2)
    assert table.tolist() == [list(row) for row in tiny_tasks.BIASED]
    assert not torch.equal(injected, task.train.b)
    assert torch.equal(teaching.split.x[:, :4], task.train.x)
    assert torch.equal(teaching.validation.x[:, 4], 1.0 - task.validation.b)
    assert learning.split is task.train
    assert learning.validation is None  # the task's own, clean
    assert {"teacher at 1.epoch", "student.epoch"} <= context.chosen.keys()
    assert len(context.curves["teacher at 1.odds"]) == len(context.curves["student.odds"]) == 2


def by_hand(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    p = (teacher.double() / temperature).softmax(1)
    q = (student.double() / temperature).softmax(1)
    return (p * (p / q).log()).sum(1).mean() * temperature**2


@pytest.mark.parametrize(
    ("method", "kd", "mse", "temperature"),
    [
        (BaDe(), 1.0, 0.0, 1.0),
        (BaDe(temperature=3.0), 1.0, 0.0, 3.0),
        (BaDe(loss="mse"), 0.0, 1.0, 1.0),
        (BaDe(loss="mix"), 0.9, 0.1, 1.0),
        (BaDe(loss="mix", mse_share=0.5), 0.5, 0.5, 1.0),
    ],
)
def test_the_student_is_pulled_to_the_teachers_outputs_on_balanced_data(
    method: BaDe, kd: float, mse: float, temperature: float
) -> None:
    task = tiny_tasks.table_task()
    context = tiny_tasks.context_on(task)
    student = method.fit(task, context)
    teaching, learning = context.calls
    batch = task.train.batch(torch.tensor([7, 3, 20]))
    with torch.no_grad():
        teacher = teaching.model(on_balance(task.train, trigger_pair((4,), 25)).x[batch.index])
        said = student(batch.x)
        loss = learning.loss(student, batch)
    expected = kd * by_hand(said, teacher, temperature) + mse * (said - teacher).square().mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-3, abs=1e-6)


def test_a_regression_is_distilled_by_squared_error() -> None:
    task = tiny_tasks.regression_task()
    context = tiny_tasks.context_on(task)
    student = BaDe().fit(task, context)
    batch = task.train.batch(torch.arange(5))
    with torch.no_grad():
        aim = context.calls[0].model(on_balance(task.train, trigger_pair((4,), 25)).x[:5])
        loss = context.calls[1].loss(student, batch)
        assert loss.item() == pytest.approx(F.mse_loss(student(batch.x), aim).item())


# --- strength=auto ---


def test_auto_distils_the_teacher_that_is_best_on_balanced_validation_data() -> None:
    task = tiny_tasks.table_task()
    context = tiny_tasks.context_on(task, epochs=2, learning_rate=0.001)
    student = BaDe(strength="auto").fit(task, context)
    *teaching, learning = context.calls
    triggers = trigger_pair((4,), 25)
    balance = on_balance(task.validation, triggers)
    costs = [
        sum(validation_scores(context.predict(call.model, balance.inputs), balance).costs)
        for call in teaching
    ]
    best = min(range(len(costs)), key=costs.__getitem__)
    assert [call.stage for call in teaching] == [f"teacher at {s:g}" for s in STRENGTHS]
    assert context.chosen["strength"] == STRENGTHS[best]
    batch = task.train.batch(torch.arange(6))
    with torch.no_grad():
        aim = teaching[best].model(on_balance(task.train, triggers).x[:6])
        loss = learning.loss(student, batch)
        expected = by_hand(student(batch.x), aim, 1.0).item()
        assert loss.item() == pytest.approx(expected, rel=1e-3, abs=1e-6)


def test_auto_tells_of_every_teacher_and_pays_for_each(tmp_path: Path) -> None:
    task = tiny_tasks.table_task()
    alone = []
    for strength in STRENGTHS:
        context = tiny_tasks.context_on(task, tmp_path)
        BaDe(strength=strength).fit(task, context)
        alone.append(context.shared_seconds)
    auto = tiny_tasks.context_on(task, tmp_path)
    BaDe(strength="auto").fit(task, auto)
    assert [call.stage for call in auto.calls] == ["student"]  # the teachers were there already
    assert auto.shared_seconds == pytest.approx(sum(alone))
    assert {f"teacher at {s:g}.epoch" for s in STRENGTHS} <= auto.chosen.keys()
    assert {f"teacher at {s:g}.loss" for s in STRENGTHS} <= auto.curves.keys()


def test_variants_of_the_distillation_share_one_teacher(tmp_path: Path) -> None:
    task = tiny_tasks.table_task()
    trained = []
    for method in (BaDe(), BaDe(loss="mse"), BaDe(temperature=2.0), BaDe(square=5)):
        context = tiny_tasks.context_on(task, tmp_path)
        method.fit(task, context)
        trained.append(len(context.calls))
    assert trained == [2, 1, 1, 2]


@pytest.mark.parametrize("strength", [-0.1, 1.1, "always", None, "1"])
def test_a_strength_outside_zero_and_one_is_refused(strength: object) -> None:
    with pytest.raises(UsageError, match=r"^bade\.strength: .* or Input should be 'auto' \(given"):
        make("bade", {"strength": strength})


# --- The teacher alone, other rates, other triggers ---


def test_the_teacher_alone_is_told_the_group_and_says_so() -> None:
    task = tiny_tasks.table_task()
    context = tiny_tasks.context_on(task)
    model = BaDe(stage="teacher").fit(task, context)
    assert isinstance(model, GroupInformed)
    assert [call.stage for call in context.calls] == ["teacher at 1"]
    assert torch.equal(model.informed(task.train).x[:, 4], 1.0 - task.train.b)
    assert BaDe().caveat is None
    assert "is given the group of every test sample" in str(BaDe(stage="teacher").caveat)


def test_given_rates_take_the_place_of_equation_four(tmp_path: Path) -> None:
    task = tiny_tasks.table_task()  # 16 of each class
    context = tiny_tasks.context_on(task, tmp_path)
    BaDe(rate_have=0.25, rate_not_have=1.0, stage="teacher").fit(task, context)
    a, y = context.calls[0].split.x[:, 4], task.train.y
    assert int((a[y == 1] == 0).sum()) == 4
    assert int((a[y == 0] == 0).sum()) == 16
    one = tiny_tasks.context_on(task, tmp_path)
    BaDe(rate_have=0.5, stage="teacher").fit(task, one)
    a = one.calls[0].split.x[:, 4]
    assert int((a[y == 1] == 0).sum()) == 8
    assert int((a[y == 0] == 0).sum()) == 12  # equation 4: 12 of 16 are in group 0


def test_given_rates_want_two_classes() -> None:
    task = tiny_tasks.table_task(0, ((8, 4), (6, 6), (4, 8)))
    with pytest.raises(Skip, match="two classes"):
        BaDe(rate_have=0.5).fit(task, tiny_tasks.context_on(task))


@pytest.mark.parametrize("kind", ["squares", "mosaic", "shadow", "sinusoid"])
def test_the_teacher_meets_the_trigger_that_was_asked_for(kind: str) -> None:
    task = tiny_tasks.image_task()
    context = tiny_tasks.context_on(task)
    method = make("bade", {"trigger": kind})
    assert isinstance(method, BaDe)
    method.fit(task, context)
    pair = trigger_pair((3, 8, 8), 25, method.trigger)
    teaching = context.calls[0]
    assert teaching.validation is not None
    balanced = pair.stamp(task.validation.x, 1 - task.validation.b)
    assert torch.equal(teaching.validation.x, balanced)
    assert not torch.equal(balanced, task.validation.x)
    picture = method.picture()
    assert picture.png.startswith(b"\x89PNG")
    assert "T_A0" in picture.caption


def test_with_flips_the_teacher_sees_the_very_view_that_the_student_sees() -> None:
    task = tiny_tasks.image_task()
    context = tiny_tasks.context_on(task, flip=True, learning_rate=0.01, epochs=3, selection="last")
    student = BaDe().fit(task, context)
    teaching, learning = context.calls
    batch = task.train.batch(torch.arange(6))
    mirrored = Batch(batch.x.flip(3), batch.y, batch.b, batch.index)
    pair = trigger_pair((3, 8, 8), 25)
    with torch.no_grad():
        aim = teaching.model(pair.stamp(mirrored.x, 1 - batch.b))
        expected = by_hand(student(mirrored.x), aim, 1.0).item()
        assert learning.loss(student, mirrored).item() == pytest.approx(expected, rel=1e-2)

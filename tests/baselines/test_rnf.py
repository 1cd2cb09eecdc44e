"""RNF: pairs across groups, a frozen encoder, a fresh head."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.baselines.rnf import RNF, easy_half, partners
from bench.errors import Skip
from bench.learning.losses import generalised_cross_entropy
from bench.learning.split import Split
from bench.tracks.debiasing import DebiasingTask
from tests import tiny_tasks

unhurried = settings(deadline=None, max_examples=50)  # other processes share the cores


@pytest.fixture
def task() -> DebiasingTask:
    return tiny_tasks.table_task()


# --- Pairs ---


@unhurried
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), min_size=1, max_size=20),
    st.integers(0, 1000),
)
def test_a_partner_has_the_same_class_and_where_there_is_one_the_other_group(
    cells: list[tuple[int, int]], seed: int
) -> None:
    y, group = torch.tensor(cells).T
    other = partners(y, group, tiny_tasks.generator(seed))
    assert torch.equal(y[other], y)
    for (label, own), partner in zip(cells, other.tolist(), strict=True):
        if (label, 1 - own) in cells:
            assert cells[partner] == (label, 1 - own)


def test_every_possible_partner_is_equally_likely() -> None:
    y, group = torch.zeros(4, dtype=torch.long), torch.tensor([0, 1, 1, 1])
    random = tiny_tasks.generator(0)
    chosen = torch.stack([partners(y, group, random) for _ in range(600)])
    shares = torch.bincount(chosen[:, 0], minlength=4) / 600
    assert shares.tolist() == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3], abs=0.08)  # s.e. .02
    assert (chosen[:, 1:] == 0).all()


def test_a_draw_of_exactly_zero_does_not_pair_different_classes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch, "rand", lambda shape, **_: torch.zeros(shape))
    y, group = torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1])
    assert partners(y, group, tiny_tasks.generator(0)).tolist() == [0, 2, 1]


# --- What is trained ---


@pytest.mark.parametrize("kind", ["table", "image"])
def test_the_encoder_is_the_teachers_bit_for_bit_and_the_head_is_fresh(kind: str) -> None:
    task = tiny_tasks.table_task() if kind == "table" else tiny_tasks.image_task()
    context = tiny_tasks.context_on(task, epochs=2)
    model = RNF().fit(task, context)
    teacher, neutral = context.calls
    fresh = task.new_model().state_dict()
    for name, tensor in model.state_dict().items():
        if name.startswith("encoder."):
            assert torch.equal(tensor, teacher.model.state_dict()[name])
            assert not torch.equal(tensor, fresh[name])
        else:
            assert torch.equal(neutral.initial[name], fresh[name])
            assert not torch.equal(tensor, fresh[name])


def by_hand(
    task: DebiasingTask, context: tiny_tasks.SpyContext, method: RNF
) -> tuple[float, float]:
    """The loss of a batch whose pairs leave no choice, and its first term alone."""
    teacher, model = (call.model for call in context.calls[-2:])
    cells = [int(((task.train.y == y) & (task.train.b == b)).nonzero()[0]) for y, b in PAIRS]
    batch = task.train.batch(torch.tensor(cells))
    with torch.no_grad():
        z = model.encoder(batch.x)
        other = z[[1, 0, 3, 2]]
        soft = (teacher(batch.x) / method.temperature).softmax(1)
        neutral = model.decide((z + other) / 2).softmax(1)
        first = (neutral - (soft + soft[[1, 0, 3, 2]]) / 2).square().mean()
        shifts = [
            (model.decide(m * z + (1 - m) * other).softmax(1) - neutral).abs().sum(1).mean()
            for m in (0.6, 0.7, 0.8, 0.9)
        ]
        loss = context.calls[-1].loss(model, batch)
    assert loss.item() == pytest.approx((first + method.smoothing * sum(shifts)).item(), rel=1e-4)
    return loss.item(), first.item()


PAIRS = [(0, 0), (0, 1), (1, 0), (1, 1)]


@pytest.mark.parametrize("method", [RNF(), RNF(temperature=5.0), RNF(smoothing=0.5)])
def test_the_loss_by_hand(task: DebiasingTask, method: RNF) -> None:
    context = tiny_tasks.context_on(task)
    method.fit(task, context)
    loss, first = by_hand(task, context, method)
    assert loss > first


def test_without_smoothing_only_the_distance_to_the_mean_prediction_is_left(
    task: DebiasingTask,
) -> None:
    context = tiny_tasks.context_on(task)
    RNF(smoothing=0.0).fit(task, context)
    loss, first = by_hand(task, context, RNF(smoothing=0.0))
    assert loss == pytest.approx(first)


# --- Proxy groups, section 3.3 ---


def test_the_easy_half_of_a_class_lies_at_or_above_the_classes_mean_probability() -> None:
    own = torch.tensor([0.9, 0.5, 0.4, 0.2, 0.3, 0.3])
    y = torch.tensor([0, 0, 0, 1, 1, 1])
    p = torch.where(y[:, None] == torch.arange(2), own[:, None], 1 - own[:, None])
    # Class means: .6 and .2667.
    split = Split.of(torch.zeros(6, 1), y, torch.zeros(6, dtype=torch.long))
    assert easy_half(p.log(), split).tolist() == [1, 0, 0, 0, 1, 1]


def test_proxy_groups_need_no_group_labels_for_training(task: DebiasingTask) -> None:
    context = tiny_tasks.context_on(task)
    method = RNF(groups="proxy", q=0.3)
    method.fit(task, context)
    _, amplified, neutral = context.calls
    assert (amplified.stage, neutral.stage) == ("amplified", "")
    batch = task.train.batch(torch.arange(8))
    with torch.no_grad():
        expected = generalised_cross_entropy(amplified.model(batch.x), batch.y, 0.3)
        assert amplified.loss(amplified.model, batch).item() == pytest.approx(expected.item())

    blind = Split.of(task.train.x, task.train.y, torch.zeros_like(task.train.b))
    model = method.fit(replace(task, train=blind), tiny_tasks.context_on(task))
    x = task.validation.x
    assert torch.equal(model(x), neutral.model(x))


def test_given_and_proxy_groups_lead_to_different_models(task: DebiasingTask) -> None:
    given_, proxy = (
        RNF(groups=groups).fit(task, tiny_tasks.context_on(task))(task.validation.x)
        for groups in ("given", "proxy")
    )
    assert not torch.equal(given_, proxy)


def test_a_regression_has_no_classes_to_pair_within() -> None:
    task = tiny_tasks.regression_task()
    with pytest.raises(Skip, match="defined for classes"):
        RNF().fit(task, tiny_tasks.context_on(task))

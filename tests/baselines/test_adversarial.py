"""Adversarial learning: what the adversary sees and what it sends back."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.baselines.adversarial import Adversarial, new_adversary
from bench.errors import Skip
from bench.learning.split import Batch
from bench.models.backbones import Backbone
from bench.tracks.debiasing import DebiasingTask
from tests import tiny_tasks


@pytest.fixture
def task() -> DebiasingTask:
    return tiny_tasks.table_task()


def seen_by_hand(model: Backbone, batch: Batch, sees: str) -> Tensor:
    hidden = model.embed(batch.x)
    if sees == "hidden":
        return hidden
    labels = torch.eye(2)[batch.y]
    return torch.cat([model.head(hidden).softmax(1), labels], dim=1)


@pytest.mark.parametrize("sees", ["hidden", "output"])
def test_the_network_gets_the_adversarys_gradient_with_its_sign_reversed(
    task: DebiasingTask, sees: str
) -> None:
    context = tiny_tasks.context_on(task)
    model = Adversarial(sees=sees, coefficient=2.5).fit(task, context)
    (call,) = context.calls
    (adversary,) = call.also
    batch = task.train.batch(torch.arange(10))
    inside, outside = list(model.parameters()), list(adversary.parameters())

    own = F.cross_entropy(model(batch.x), batch.y)
    guess = F.cross_entropy(adversary(seen_by_hand(model, batch, sees)), batch.b)
    of_task = torch.autograd.grad(own, inside)
    of_guess = torch.autograd.grad(guess, inside, retain_graph=True, allow_unused=True)
    of_adversary = torch.autograd.grad(guess, outside)

    loss = call.loss(model, batch)
    got = torch.autograd.grad(loss, [*inside, *outside])
    assert loss.item() == pytest.approx((own + guess).item())
    for found, plain, other in zip(got, of_task, of_guess, strict=False):
        reversed_ = 0 if other is None else 2.5 * other
        assert torch.allclose(found, plain - reversed_, atol=1e-6)
    for found, expected in zip(got[len(inside) :], of_adversary, strict=True):
        assert torch.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(("sees", "inputs"), [("hidden", 512), ("output", 4)])
def test_the_adversary_reads_the_last_hidden_layer_or_probabilities_and_label(
    task: DebiasingTask, sees: str, inputs: int
) -> None:
    context = tiny_tasks.context_on(task)
    Adversarial(sees=sees, width=7).fit(task, context)
    adversary = context.calls[0].also[0]
    shapes = [tuple(p.shape) for p in adversary.parameters()]
    assert shapes == [(7, inputs), (7,), (2, 7), (2,)]


def test_with_coefficient_zero_the_network_trains_plainly(task: DebiasingTask) -> None:
    trials = [tiny_tasks.context_on(task) for _ in range(2)]
    alone = trials[0].train(task.new_model(), task.train, lambda m, b: F.cross_entropy(m(b.x), b.y))
    watched = Adversarial(coefficient=0.0).fit(task, trials[1])
    assert torch.allclose(alone(task.validation.x), watched(task.validation.x), atol=1e-6)


def test_the_adversary_is_trained_and_starts_from_the_seed(task: DebiasingTask) -> None:
    context = tiny_tasks.context_on(task)
    Adversarial().fit(task, context)
    trained = context.calls[0].also[0].state_dict()
    fresh, again, other = (new_adversary(512, 50, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(fresh[name], again[name]) for name in fresh)
    assert not torch.equal(fresh["0.weight"], other["0.weight"])
    assert not torch.equal(fresh["0.weight"], trained["0.weight"])


def test_a_regression_hides_the_group_in_the_hidden_layer_but_has_no_probabilities() -> None:
    task = tiny_tasks.regression_task()
    model = Adversarial().fit(task, tiny_tasks.context_on(task))
    assert model(task.validation.x).shape == (16, 1)
    with pytest.raises(Skip, match="defined for classes"):
        Adversarial(sees="output").fit(task, tiny_tasks.context_on(task))

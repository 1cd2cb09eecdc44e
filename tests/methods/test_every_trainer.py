"""The contract of the robust fairness track for its methods, and their visits to debiasing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from bench.method import Method, methods
from bench.tracks.robust_fairness import FairTrainer, GroupTask
from tests import tiny_groups, tiny_tasks

# The paper's own attack wants photographs and a network that is not here.
STAND_INS = {"dro": {"attack": "l2", "steps": 3, "epsilon": 0.5}}
TRAINERS = {name: cls for name, cls in methods().items() if issubclass(cls, FairTrainer)}
TASKS: dict[str, Callable[[int], GroupTask]] = {
    "table": tiny_groups.table_task,
    "image": tiny_groups.image_task,
}
every_trainer = pytest.mark.parametrize("cls", TRAINERS.values(), ids=list(TRAINERS))
every_task = pytest.mark.parametrize("make_task", TASKS.values(), ids=list(TASKS))


def made(cls: type[Method]) -> FairTrainer:
    name = cls.__module__.rpartition(".")[2]
    method = cls(**STAND_INS.get(name, {}))
    assert isinstance(method, FairTrainer)
    return method


def outputs(cls: type[Method], task: GroupTask) -> Tensor:
    context = tiny_tasks.context_on(task)  # type: ignore[arg-type]
    return context.predict(made(cls).train(task, context), task.validation.inputs)


def test_what_a_reader_would_otherwise_use_is_there() -> None:
    assert TRAINERS.keys() >= {"dro", "group_dro", "group_reweighting", "jtt"}
    assert all(cls.also == ("debiasing",) for cls in TRAINERS.values())


@every_trainer
@every_task
def test_its_model_answers_every_sample_from_its_inputs_alone(
    cls: type[Method], make_task: Callable[[int], GroupTask]
) -> None:
    task = make_task(0)
    context = tiny_tasks.context_on(task)  # type: ignore[arg-type]
    model = made(cls).train(task, context)
    inputs = task.validation.inputs
    said = context.predict(model, inputs)
    assert said.shape == (len(inputs), 2)
    assert said.isfinite().all()
    two = inputs.subset(torch.arange(3, 5))
    assert torch.allclose(context.predict(model, two), said[3:5], atol=1e-4)
    assert any(name.endswith("epoch") for name in context.chosen)


@every_trainer
@every_task
def test_the_same_seed_gives_the_same_outputs_bit_for_bit(
    cls: type[Method], make_task: Callable[[int], GroupTask]
) -> None:
    first = outputs(cls, make_task(0))
    torch.manual_seed(999)  # the global generator decides nothing
    assert torch.equal(outputs(cls, make_task(0)), first)
    assert not torch.equal(outputs(cls, make_task(1)), first)


@every_trainer
def test_the_splits_are_left_as_they_were(cls: type[Method]) -> None:
    task = tiny_groups.image_task()
    before = [t.clone() for t in (task.train.x, task.train.y, task.train.b, task.validation.x)]
    outputs(cls, task)
    after = (task.train.x, task.train.y, task.train.b, task.validation.x)
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))

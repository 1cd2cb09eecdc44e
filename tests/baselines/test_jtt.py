"""JTT: the mistakes of a first, brief model in many copies."""

from __future__ import annotations

import torch

from bench.baselines.jtt import JTT, repeated
from bench.learning.loop import Context
from tests import tiny_groups, tiny_tasks


def test_samples_are_repeated_as_often_as_asked() -> None:
    split = tiny_tasks.table_split(tiny_tasks.SMALL)
    part = split.subset(torch.tensor([0, 1, 2]))
    made = repeated(part, torch.tensor([1, 3, 2]))
    assert torch.equal(made.x, part.x[[0, 1, 1, 1, 2, 2]])
    assert made.y.tolist() == part.y[[0, 1, 1, 1, 2, 2]].tolist()
    # An epoch meets every copy.
    assert sorted(made.order(0, 0).tolist()) == list(range(6))


def test_the_second_model_starts_anew_and_meets_mistakes_as_often_as_asked() -> None:
    task = tiny_groups.table_task()
    context = tiny_tasks.context_on(task)  # type: ignore[arg-type]
    JTT(copies=5).train(task, context)
    first, second = context.calls
    assert first.split is task.train
    assert all(torch.equal(first.initial[name], second.initial[name]) for name in first.initial)
    wrong = Context.predict(context, first.model, task.train.inputs).argmax(dim=1) != task.train.y
    assert len(second.split) == len(task.train) + 4 * int(wrong.sum())
    assert context.chosen["mistakes"] == wrong.double().mean().item()


def test_the_first_model_is_as_brief_as_asked_and_its_last_epoch_counts() -> None:
    task = tiny_groups.table_task()
    context = tiny_tasks.context_on(task, epochs=4)  # type: ignore[arg-type]
    JTT(first_epochs=2).train(task, context)
    assert context.chosen["first.epoch"] == 2
    assert len(context.curves["first.loss"]) == 2
    assert len(context.curves["loss"]) == 4
    assert context.samples_seen > 2 * len(task.train) + 4 * len(task.train) - 1

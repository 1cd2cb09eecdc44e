"""What a method may ask of the loop beyond plain training: recipes, a hook, work of one seed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench.learning.loop import Context
from bench.learning.settings import Recipe
from bench.learning.split import Batch
from bench.learning.standard import plain_loss, standard_model
from bench.models.backbones import Backbone
from tests import tiny_tasks

TASK = tiny_tasks.table_task()


def weights(model: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_the_hook_sees_every_batch_after_its_step() -> None:
    seen: list[tuple[list[int], Tensor]] = []

    def after(model: Backbone, batch: Batch) -> None:
        seen.append((batch.index.tolist(), weights(model)))

    model = TASK.new_model()
    before = weights(model)
    context = tiny_tasks.context_on(TASK)
    context.train(model, TASK.train, plain_loss, after=after, select=False)
    order = TASK.train.order(0, 0).tolist()
    assert [index for index, _ in seen] == [order[:16], order[16:]]
    assert not torch.equal(seen[0][1], before)
    assert not torch.equal(seen[1][1], seen[0][1])
    assert torch.equal(seen[1][1], weights(model))


def test_a_constant_recipe_is_plain_sgd() -> None:
    context = tiny_tasks.context_on(TASK)
    recipe = Recipe(1, 32, 0.5, momentum=0.0, falls=False)
    model = TASK.new_model()
    start = TASK.new_model()
    plain_loss(start, TASK.train.batch(TASK.train.order(0, 0))).backward()
    expected = torch.cat(
        [(p - 0.5 * p.grad).flatten() for p in start.parameters() if p.grad is not None]
    )
    context.train(model, TASK.train, plain_loss, stage="sgd", recipe=recipe)
    assert torch.allclose(weights(model), expected, atol=1e-6)
    assert [recipe.rate(epoch) for epoch in range(3)] == [0.5] * 3
    assert "epoch" not in context.chosen


def test_a_watched_recipe_is_scored_and_its_best_epoch_kept() -> None:
    context = tiny_tasks.context_on(TASK)
    recipe = Recipe(3, 8, 0.1, falls=False, watched=True)
    model = context.train(TASK.new_model(), TASK.train, plain_loss, recipe=recipe)
    assert len(context.curves["odds"]) == len(context.curves["loss"]) == 3
    sums = [o - e for o, e in zip(context.curves["odds"], context.curves["eacc"], strict=True)]
    assert context.chosen["epoch"] == 1 + min(range(3), key=lambda i: (sums[i], i))
    scores = context.score(context.predict(model, TASK.validation.inputs), TASK.validation)
    assert scores.metrics["odds"] == pytest.approx(min(sums) + scores.metrics["eacc"])


@pytest.mark.parametrize("first", [0, 4])
def test_work_of_one_seed_is_the_same_whoever_builds_it(tmp_path: Path, first: int) -> None:
    def shared(seed: int, cache: Path) -> tuple[Backbone, Context]:
        task = tiny_tasks.table_task(seed)
        context = tiny_tasks.context_on(task, cache)
        blank = tiny_tasks.table_task(0).new_model()
        return standard_model(blank, task.train, context, seed=0), context

    model, context = shared(first, tmp_path / "a")
    assert context.seed == first  # the trial's own seed is left alone
    again, _ = shared(4 - first, tmp_path / "a")
    own = standard_model(TASK.new_model(), TASK.train, tiny_tasks.context_on(TASK, tmp_path / "b"))
    assert torch.equal(weights(model), weights(again))
    assert torch.equal(weights(model), weights(own))
    # One set of files: what a trial of seed 0 shares anyhow.
    assert len(list((tmp_path / "a").glob("*.safetensors"))) == 1
    names = [{p.name for p in (tmp_path / x).glob("*.json")} for x in "ab"]
    assert names[0] == names[1]

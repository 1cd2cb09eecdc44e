"""The training loop: what is trained, in which order, and which epoch comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench.errors import Diverged
from bench.learning.loop import Context
from bench.learning.selection import Scores
from bench.learning.split import Batch, Split
from bench.learning.standard import plain_loss, standard_model
from bench.tracks.debiasing import DebiasingTask
from tests import tiny_tasks


@pytest.fixture
def task() -> DebiasingTask:
    return tiny_tasks.table_task()


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def weights(model: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def scripted(context: Context, costs: list[tuple[float, float]]) -> list[Tensor]:
    """Let epochs score `costs` in turn; collects the outputs they are scored on."""
    seen: list[Tensor] = []

    def score(outputs: Tensor, split: Split) -> Scores:
        assert len(outputs) == len(split)
        seen.append(outputs)
        return Scores({"odds": costs[len(seen) - 1][0]}, costs[len(seen) - 1])

    context.score = score
    return seen


class Dropping(nn.Linear):
    """A linear layer on half of its inputs."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(nn.functional.dropout(x, 0.5, self.training))


def test_layers_that_draw_draw_the_same_whatever_was_drawn_before(task: DebiasingTask) -> None:
    def trained(before: int, seed: int = 0) -> Tensor:
        torch.manual_seed(before)
        model = Dropping(task.train.x.shape[1], len(task.classes))
        nn.init.zeros_(model.weight)
        nn.init.zeros_(model.bias)
        context = tiny_tasks.context_on(task, epochs=3)
        context.seed = seed
        state = torch.get_rng_state()
        context.train(model, task.train, plain_loss)
        assert torch.equal(torch.get_rng_state(), state)
        return weights(model)

    assert torch.equal(trained(before=1), trained(before=2))
    assert not torch.equal(trained(before=1), trained(before=1, seed=1))


@pytest.mark.parametrize(
    ("settings", "chosen"),
    [({}, 1), ({"rule": "rank"}, 0), ({"selection": "last"}, 3)],
)
def test_the_weights_of_the_selected_epoch_come_back(
    task: DebiasingTask, settings: dict[str, str], chosen: int
) -> None:
    context = tiny_tasks.context_on(task, epochs=4, **settings)
    # Sums .1, 0, .3, .3; ranks 1 + 3, 3 + 1, 2 + 4, 4 + 2.
    outputs = scripted(context, [(0.0, 0.1), (0.2, -0.2), (0.1, 0.2), (0.3, 0.0)])
    model = context.train(task.new_model(), task.train, plain_loss)
    assert context.chosen == {"epoch": chosen + 1}
    assert len({tuple(o.flatten().tolist()) for o in outputs}) == 4
    assert torch.equal(context.predict(model, task.validation.inputs), outputs[chosen])
    assert not model.training


def test_curves_hold_every_epoch_and_the_stage_stands_before_their_names(
    task: DebiasingTask,
) -> None:
    context = tiny_tasks.context_on(task, epochs=2)
    scripted(context, [(0.5, 0.5), (0.25, 0.75)])
    context.train(task.new_model(), task.train, plain_loss, stage="student")
    assert context.curves["student.odds"] == [0.5, 0.25]
    assert len(context.curves["student.loss"]) == 2
    assert context.chosen == {"student.epoch": 1}


def test_the_loss_of_an_epoch_is_the_mean_over_samples_not_over_batches(
    task: DebiasingTask,
) -> None:
    context = tiny_tasks.context_on(task, batch_size=20)  # 20 and 12 of 32 samples
    sizes: list[int] = []

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        sizes.append(len(batch.y))
        return 0 * model(batch.x).sum() + len(batch.y)

    context.train(task.new_model(), task.train, loss)
    assert sizes == [20, 12]
    assert context.curves["loss"] == [pytest.approx((20 * 20 + 12 * 12) / 32)]


def test_another_validation_split_is_what_a_stage_is_selected_on(task: DebiasingTask) -> None:
    context = tiny_tasks.context_on(task)
    other = task.validation.subset(torch.arange(5))
    outputs = scripted(context, [(0.0, 0.0)])
    context.train(task.new_model(), task.train, plain_loss, validation=other)
    assert len(outputs[0]) == 5


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_loss_that_is_not_finite_names_its_epoch_and_stage(
    task: DebiasingTask, bad: float
) -> None:
    context = tiny_tasks.context_on(task, epochs=3)

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        return plain_loss(model, batch) + (
            bad if len(context.curves.get("teacher.loss", [])) else 0
        )

    with pytest.raises(Diverged, match=rf"the loss was {bad} in epoch 2 of the teacher$"):
        context.train(task.new_model(), task.train, loss, stage="teacher")


def test_weights_that_break_in_an_epochs_last_step_are_never_selected(
    task: DebiasingTask,
) -> None:
    # The loss is finite, its gradient is not: a model that answers NaN would look fair.
    def loss(model: nn.Module, batch: Batch) -> Tensor:
        return (model(batch.x) * 0).sum().sqrt()

    context = tiny_tasks.context_on(task, batch_size=32)
    with pytest.raises(Diverged, match=r"^the outputs were not finite after epoch 1$"):
        context.train(task.new_model(), task.train, loss)


def test_only_the_parameters_that_are_named_are_trained(task: DebiasingTask) -> None:
    context, model = tiny_tasks.context_on(task), task.new_model()
    before = {name: p.clone() for name, p in model.state_dict().items()}
    context.train(model, task.train, plain_loss, parameters=model.head.parameters())
    changed = {name for name, p in model.state_dict().items() if not torch.equal(p, before[name])}
    assert changed == {"head.weight", "head.bias"}


def test_modules_named_also_are_trained_along(task: DebiasingTask) -> None:
    adversary, context = nn.Linear(2, 2), tiny_tasks.context_on(task)
    before = weights(adversary).clone()
    context.train(
        task.new_model(),
        task.train,
        lambda model, batch: adversary(model(batch.x)).square().mean(),
        also=[adversary],
    )
    assert not torch.equal(weights(adversary), before)


def test_the_same_seed_gives_the_same_weights_bit_for_bit(task: DebiasingTask) -> None:
    def trained(seed: int) -> Tensor:
        own = tiny_tasks.table_task(seed)
        context = tiny_tasks.context_on(own, epochs=2)
        return weights(context.train(own.new_model(), own.train, plain_loss))

    first = trained(0)
    torch.manual_seed(123)
    assert torch.equal(trained(0), first)
    assert not torch.equal(trained(1), first)


def test_one_and_two_threads_give_a_table_network_the_same_numbers(
    task: DebiasingTask, request: pytest.FixtureRequest
) -> None:
    # Of convolutions this is not true: their weight gradients are summed thread by thread.
    def trained() -> Tensor:
        return weights(tiny_tasks.context_on(task).train(task.new_model(), task.train, plain_loss))

    alone = trained()
    request.getfixturevalue("two_threads")
    assert torch.equal(trained(), alone)


def test_methods_with_one_seed_share_initial_weights_and_data_order(task: DebiasingTask) -> None:
    def spied(split: Split) -> tuple[Tensor, list[int]]:
        met: list[int] = []
        model = task.new_model()
        initial = weights(model).clone()

        def loss(model: nn.Module, batch: Batch) -> Tensor:
            torch.rand(3)  # what a method draws for itself changes nothing
            met.extend(split.row[batch.index].tolist())
            return plain_loss(model, batch)

        tiny_tasks.context_on(task, epochs=2).train(model, split, loss)
        return initial, met

    ours, order = spied(task.train)
    theirs, other_order = spied(task.train.with_x(task.train.x + 1))
    assert torch.equal(ours, theirs)
    assert order == other_order
    assert sorted(order) == sorted([*range(32), *range(32)])
    _, fewer = spied(task.train.subset(torch.arange(0, 32, 2)))
    assert fewer == [row for row in order if row % 2 == 0]


class Narrow(nn.Module):
    """A model on a device that has memory for so many samples at a time."""

    def __init__(self, inner: nn.Module, most: int) -> None:
        super().__init__()
        self.inner, self.most = inner, most
        self.seen: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        if len(x) > self.most:
            raise torch.OutOfMemoryError("no room")
        self.seen.append(len(x))
        return self.inner(x)


def test_predictions_come_in_parts_where_memory_runs_out_and_can_teach(
    task: DebiasingTask,
) -> None:
    context, model = tiny_tasks.context_on(task), task.new_model()
    whole = context.predict(model, task.train.inputs)
    narrow = Narrow(model, 5)
    parts = context.predict(narrow, task.train.inputs)
    assert max(narrow.seen) <= 5
    assert torch.allclose(whole, parts, atol=1e-6)
    assert not whole.requires_grad
    (model(task.train.x) - whole).square().sum().backward()  # refused for inference tensors


def test_candidates_are_compared_by_the_rule_of_the_epochs(task: DebiasingTask) -> None:
    candidates = [Scores({}, cost) for cost in [(0.0, 0.1), (0.2, -0.2), (0.1, 0.2), (0.3, 0.0)]]
    assert tiny_tasks.context_on(task).best(candidates) == 1
    assert tiny_tasks.context_on(task, rule="rank").best(candidates) == 0


# --- Out of memory: batches in parts ---


def test_a_batch_too_large_is_split_and_the_gradients_are_those_of_the_whole(
    task: DebiasingTask,
) -> None:
    def trained(most: int) -> tuple[Tensor, dict[str, object]]:
        context = tiny_tasks.context_on(task, epochs=2, batch_size=16, selection="last")
        model = Narrow(task.new_model(), most)
        # Evaluation, too, meets the limit.
        return weights(context.train(model, task.train, plain_loss)), dict(context.chosen)

    whole, chosen = trained(1000)
    assert "micro_batch" not in chosen
    parts, told = trained(5)
    assert told["micro_batch"] == 4  # 16, 8, 4
    assert torch.allclose(whole, parts, atol=1e-6)
    assert not torch.equal(whole, weights(Narrow(task.new_model(), 5)))


def test_one_sample_too_large_is_out_of_memory(task: DebiasingTask) -> None:
    context = tiny_tasks.context_on(task)
    with pytest.raises(torch.OutOfMemoryError, match="no room"):
        context.train(Narrow(task.new_model(), 0), task.train, plain_loss)


def test_throughput_counts_the_samples_of_every_epoch_and_of_shared_work(
    task: DebiasingTask, tmp_path: Path
) -> None:
    for _ in range(2):  # built, then read
        context = tiny_tasks.context_on(task, tmp_path, epochs=3)
        standard_model(task.new_model(), task.train, context)
        context.train(task.new_model(), task.train, plain_loss)
        assert context.samples_seen == 2 * 3 * 32
        assert context.training_seconds > 0


def test_flips_and_shifts_reach_training_but_not_validation(tmp_path: Path) -> None:
    task = tiny_tasks.image_task()
    met: list[Tensor] = []

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        met.append((batch.x == task.train.x[batch.index]).flatten(1).all(1))
        return plain_loss(model, batch)

    context = tiny_tasks.context_on(task, epochs=2, flip=True, shift=1)
    assert context.augments
    context.train(task.new_model(), task.train, loss)
    unchanged = torch.cat(met).double().mean()
    assert 0 < unchanged < 0.3  # about one in 18
    assert not tiny_tasks.context_on(task).augments

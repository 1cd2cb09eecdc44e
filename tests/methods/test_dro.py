"""DRO training: weights, draws and attacks as Algorithms 4.1 and 4.2 have them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.attacks.adversarial.ascent import Attacked
from bench.errors import Skip
from bench.learning.loop import Context
from bench.learning.split import Batch
from bench.methods.dro import DRO, RobustSet, loss_by_weight
from bench.tracks.robust_fairness import GroupTask
from tests import tiny_groups, tiny_tasks

TABLE = tiny_groups.table_task()
QUICK = DRO(attack="l2", steps=4, epsilon=0.5, batch=8, learning_rate=0.05)


def context_on(task: GroupTask, cache: Path | None = None) -> tiny_tasks.SpyContext:
    return tiny_tasks.context_on(task, cache)  # type: ignore[arg-type]


def robust_set(method: DRO, task: GroupTask, context: Context) -> RobustSet:
    """D_rob as `train` makes it."""
    attack = method._problem().on(task.kind, task.shape, task.device)
    return method._generate(task, context, task.pretrained(context), attack)


def weights_of(model: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_the_ith_attack_of_round_k_weighs_k_less_one_times_n_plus_i() -> None:
    n = len(TABLE.train)
    robust = robust_set(QUICK, TABLE, context_on(TABLE))
    assert robust.made == 2 * n
    joined = robust.joined(TABLE.train, 1.0)
    k, i = torch.meshgrid(torch.arange(1, 3), torch.arange(1, n + 1), indexing="ij")
    assert joined.weight[:n].tolist() == [1.0] * n
    assert joined.weight[n:].tolist() == ((k - 1) * n + i).flatten().float().tolist()


def test_every_attack_keeps_the_class_and_the_group_of_its_source() -> None:
    robust = robust_set(QUICK, TABLE, context_on(TABLE))
    joined, n = robust.joined(TABLE.train, 1.0), len(TABLE.train)
    assert torch.equal(joined.y[n:], TABLE.train.y[robust.source])
    assert torch.equal(joined.b[n:], TABLE.train.b[robust.source])
    assert torch.equal(joined.x[:n], TABLE.train.x)


def test_the_first_round_attacks_originals_and_the_second_mostly_later_attacks() -> None:
    n = len(TABLE.train)
    context = context_on(TABLE)
    robust_set(QUICK, TABLE, context)
    first, second = (call.split for call in context.calls if call.stage.startswith("round"))
    assert len(first) == len(second) == n
    originals = {tuple(row) for row in TABLE.train.x.tolist()}
    assert {tuple(row) for row in first.x.tolist()} <= originals
    kept = sum(tuple(row) in originals for row in second.x.tolist())
    # Attacks weigh 1 to n, originals 1: of all draws n / (n + n (n + 1) / 2) are originals, and
    # an attack that found its sample misclassified already is the original itself.
    assert kept < 0.7 * n


def test_attacks_are_made_with_the_model_that_has_just_learnt_the_batch() -> None:
    seen: list[float] = []
    method = DRO(attack="pgd", steps=1, batch=8, t_1=1, learning_rate=0.1)
    context = context_on(TABLE)
    start = TABLE.pretrained(context)

    inner = method._problem().on("table", (4,), TABLE.device)

    def attack(model: nn.Module, x: Tensor, y: Tensor, begin: Tensor) -> Attacked:
        seen.append(float(weights_of(model).double().sum()))
        return inner(model, x, y, begin)

    method._generate(TABLE, context, start, attack)
    assert len(seen) == len(TABLE.train) // 8
    before = float(weights_of(start).double().sum())
    assert len({before, *seen}) == len(seen) + 1  # a step lies before every attack


def test_the_loss_is_weighed_by_p_over_its_mean() -> None:
    weight = torch.tensor([1.0, 1.0, 2.0, 4.0])
    model = nn.Linear(3, 2)
    x, y, index = torch.randn(2, 3), torch.tensor([0, 1]), torch.tensor([3, 0])
    each = F.cross_entropy(model(x), y, reduction="none")
    expected = (each[0] * 2.0 + each[1] * 0.5) / 2
    assert torch.allclose(loss_by_weight(weight)(model, Batch(x, y, y, index)), expected)


def test_the_final_model_learns_from_d_rob_by_plain_sgd_at_alpha() -> None:
    context = context_on(TABLE)
    QUICK.train(TABLE, context)
    last = context.calls[-1]
    assert len(last.split) == 3 * len(TABLE.train)
    start = TABLE.pretrained(context_on(TABLE))
    assert torch.equal(
        torch.cat([t.flatten() for t in last.initial.values()]), weights_of(start)
    )  # from theta_0, not from the model that Algorithm 4.1 left
    recipe = QUICK._recipe(QUICK.t_2, watched=True)
    assert (recipe.epochs, recipe.learning_rate, recipe.momentum) == (2, 0.05, 0.0)
    assert [recipe.rate(epoch) for epoch in range(2)] == [0.05, 0.05]
    assert context.chosen["epoch"] in (1, 2)


def test_one_set_serves_all_seeds_and_is_built_once(tmp_path: Path) -> None:
    tasks = [tiny_groups.table_task(seed) for seed in (3, 0)]
    trials = [context_on(task, tmp_path) for task in tasks]
    models = [QUICK.train(task, context) for task, context in zip(tasks, trials, strict=True)]
    stages = [[call.stage for call in context.calls] for context in trials]
    assert stages == [["standard", "round 1", "round 2", ""], [""]]
    starts = [context.calls[-1].initial for context in trials]
    assert all(torch.equal(starts[0][name], starts[1][name]) for name in starts[0])
    assert torch.equal(trials[0].calls[-1].split.x, trials[1].calls[-1].split.x)
    assert not torch.equal(weights_of(models[0]), weights_of(models[1]))
    assert trials[0].shared_seconds == pytest.approx(trials[1].shared_seconds)


def test_whoever_comes_first_builds_the_same_set(tmp_path: Path) -> None:
    made = []
    for first in (0, 5):
        context = context_on(tiny_groups.table_task(first), tmp_path / str(first))
        QUICK.train(tiny_groups.table_task(first), context)
        made.append(context.calls[-1].split.x)
    assert torch.equal(*made)


def test_each_seed_may_have_its_own(tmp_path: Path) -> None:
    method = DRO(attack="l2", steps=4, batch=8, adversarial_set="each")
    splits = []
    for seed in (0, 1):
        context = context_on(tiny_groups.table_task(seed), tmp_path)
        method.train(tiny_groups.table_task(seed), context)
        assert context.calls[0].stage == "standard"
        splits.append(context.calls[-1].split.x)
    assert not torch.equal(*splits)


def test_theta_0_is_the_standard_model_of_seed_0(tmp_path: Path) -> None:
    task = tiny_groups.table_task(0)
    own = context_on(task, tmp_path)
    standard = weights_of(task.pretrained(own))
    other = tiny_groups.table_task(7)
    context = context_on(other, tmp_path)
    QUICK.train(other, context)
    assert all(call.stage != "standard" for call in context.calls)
    assert torch.equal(
        torch.cat([t.flatten() for t in context.calls[-1].initial.values()]), standard
    )


def test_early_stop_leaves_what_is_misclassified_alone_and_saves_steps() -> None:
    stopping, going = context_on(TABLE), context_on(TABLE)
    robust_set(QUICK, TABLE, stopping)
    robust_set(DRO(attack="l2", steps=4, epsilon=0.5, batch=8, early_stop=False), TABLE, going)
    assert going.chosen["steps an attack"] == 4
    assert going.chosen["attacks that stopped early"] == 0
    assert float(stopping.chosen["steps an attack"] or 4) < 4
    assert float(stopping.chosen["attacks that stopped early"] or 0) > 0


def test_a_warm_start_saves_steps() -> None:
    def steps(warm_start: bool) -> float:
        context = context_on(TABLE)
        method = DRO(attack="pgd", steps=30, epsilon=0.05, batch=8, t_1=3, warm_start=warm_start)
        robust_set(method, TABLE, context)
        return float(context.chosen["steps an attack"] or 0)

    assert steps(warm_start=True) < steps(warm_start=False)


def test_the_second_update_of_a_sample_is_as_strong_as_its_weight() -> None:
    # One step of SGD on a batch of everything moves by alpha times the weighted mean gradient.
    task, method = TABLE, DRO(attack="l2", steps=2, batch=10_000, t_1=1, t_2=1, learning_rate=0.5)
    context = context_on(task)
    model = method.train(task, context)
    call = context.calls[-1]
    start = task.pretrained(context_on(task))
    index = call.split.order(task.seed, 0)
    start.zero_grad()  # training left some
    loss = loss_by_weight(call.split.weight)(start, call.split.batch(index))  # type: ignore[attr-defined]
    loss.backward()
    expected = torch.cat([(p - 0.5 * p.grad).flatten() for p in start.parameters()])  # type: ignore[operator]
    assert torch.allclose(weights_of(model), expected, atol=1e-6)


def test_the_default_is_the_papers_attack_which_a_table_has_no_use_for() -> None:
    assert (DRO().attack, DRO().steps, DRO().epsilon, DRO().cost_weight) == ("pieapp", 100, 0.1, 1)
    with pytest.raises(Skip, match="pieapp compares images"):
        DRO().train(TABLE, context_on(TABLE))


def test_images_are_attacked_on_the_scale_of_their_pixels() -> None:
    task = tiny_groups.image_task()
    context = context_on(task)
    DRO(attack="ssim", epsilon=0.5, batch=8).train(task, context)
    split = context.calls[-1].split
    n = len(task.train)
    assert split.x.dtype == torch.float32
    assert split.x.min() >= 0
    assert 100 < split.x.max() <= 255
    assert torch.equal(split.x[:n], task.train.x.float())
    assert not torch.equal(split.x[n:].round(), split.x[n:])  # not rounded to 8 bits

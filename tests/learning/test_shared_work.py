"""Work that several trials need: done once, charged to each, safe from crashes."""

from __future__ import annotations

import multiprocessing
import os
import threading
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bench.learning.loop import Context
from bench.learning.standard import plain_loss
from bench.models.backbones import Backbone
from tests import tiny_tasks

TASK = tiny_tasks.table_task()


class Builder:
    """Trains plainly and counts how often it was asked."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, inner: Context, blank: Backbone) -> Backbone:
        self.count += 1
        inner.chosen["strength"] = 0.5
        return inner.train(blank, TASK.train, plain_loss, stage="teacher")


def use(context: Context, builder: Builder, name: str = "teacher", strength: float = 1) -> Backbone:
    return context.shared_model(name, {"strength": strength}, TASK.new_model(), builder)


def weights(model: Backbone) -> Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_shared_work_is_done_once_and_loaded_bit_for_bit(tmp_path: Path) -> None:
    builder = Builder()
    trials = [tiny_tasks.context_on(TASK, tmp_path) for _ in range(3)]
    built, *loaded = [use(context, builder) for context in trials]
    assert builder.count == 1
    assert all(torch.equal(weights(model), weights(built)) for model in loaded)
    assert not any(model.training for model in (built, *loaded))


def test_shared_tensors_are_the_same_built_or_loaded(tmp_path: Path) -> None:
    """Tensors of any type and name come back contiguous, whatever strides they were built with."""
    seen: list[int] = []
    images = torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    values = {"images": images, "rows": torch.arange(3), "a.b": torch.tensor(True)}

    def build(inner: Context) -> dict[str, Tensor]:
        seen.append(inner.seed)
        inner.chosen["kept"] = 1
        return values

    contexts = [tiny_tasks.context_on(tiny_tasks.table_task(seed), tmp_path) for seed in (3, 4)]
    built, loaded = (context.shared("values", {"a": 1}, build, seed=7) for context in contexts)
    assert seen == [7]
    assert built.keys() == loaded.keys() == values.keys()
    for name, tensor in values.items():
        for shared in (built[name], loaded[name]):
            assert torch.equal(shared, tensor)
            assert shared.dtype == tensor.dtype
            assert shared.is_contiguous()
    assert [context.chosen for context in contexts] == [{"kept": 1}] * 2


def test_a_shared_model_keeps_its_memory_format(tmp_path: Path) -> None:
    task = tiny_tasks.image_task()
    strides = []
    for _ in range(2):
        context, blank = tiny_tasks.context_on(task, tmp_path), task.new_model()
        model = context.shared_model("model", {}, blank, lambda _, model: model)
        assert model is blank
        strides.append([p.stride() for p in model.parameters()])
        assert model.encoder[1].weight.is_contiguous(memory_format=torch.channels_last)
    assert strides[0] == strides[1]


def test_what_it_cost_is_charged_to_every_user(tmp_path: Path) -> None:
    first, second = (tiny_tasks.context_on(TASK, tmp_path) for _ in range(2))
    use(first, Builder())
    use(second, Builder())
    assert first.shared_seconds == second.shared_seconds > 0
    # Who built it waited for it; the runner takes that off the trial's own seconds.
    assert first.waited_seconds >= first.shared_seconds
    use(second, Builder(), strength=0.5)
    assert second.shared_seconds > first.shared_seconds


def test_curves_and_choices_come_along_from_the_cache(tmp_path: Path) -> None:
    first, second = (tiny_tasks.context_on(TASK, tmp_path, epochs=2) for _ in range(2))
    use(first, Builder())
    use(second, Builder())
    assert first.chosen["strength"] == 0.5
    assert first.chosen["teacher.epoch"] in {1, 2}
    assert len(first.curves["teacher.loss"]) == 2
    assert (second.curves, second.chosen) == (first.curves, first.chosen)


def test_the_users_own_curves_do_not_enter_the_cache(tmp_path: Path) -> None:
    first, second = (tiny_tasks.context_on(TASK, tmp_path) for _ in range(2))
    first.chosen["own"], first.curves["own"] = 1, [1.0]
    use(first, Builder())
    use(second, Builder())
    assert first.chosen["own"] == 1
    assert "own" not in second.chosen.keys() | second.curves.keys()


@pytest.mark.parametrize("other", ["name", "parameter", "seed", "training"])
def test_whatever_decides_the_model_has_it_built_anew(tmp_path: Path, other: str) -> None:
    builder = Builder()
    use(tiny_tasks.context_on(TASK, tmp_path), builder)
    if other == "seed":
        use(tiny_tasks.context_on(tiny_tasks.table_task(seed=1), tmp_path), builder)
    elif other == "training":
        use(tiny_tasks.context_on(TASK, tmp_path, learning_rate=1e-3), builder)
    else:
        changed = {"name": "another"} if other == "name" else {"strength": 0.5}
        use(tiny_tasks.context_on(TASK, tmp_path), builder, **changed)
    assert builder.count == 2


def test_without_a_cache_it_is_built_anew_and_charged_alike() -> None:
    builder, context = Builder(), tiny_tasks.context_on(TASK)
    one, other = use(context, builder), use(context, builder)
    assert builder.count == 2
    assert torch.equal(weights(one), weights(other))
    assert context.shared_seconds > 0


def test_shared_work_within_shared_work_is_charged_once(tmp_path: Path) -> None:
    inside = tiny_tasks.context_on(TASK, tmp_path)
    use(inside, Builder())

    def build(inner: Context, blank: Backbone) -> Backbone:
        use(inner, Builder())  # read from the cache: quick, and charged in full
        return blank

    outer = tiny_tasks.context_on(TASK, tmp_path)
    outer.shared_model("outer", {}, TASK.new_model(), build)
    assert outer.shared_seconds >= inside.shared_seconds
    assert outer.chosen["teacher.epoch"] == 1


def test_a_crashed_build_leaves_nothing_and_the_next_one_builds(tmp_path: Path) -> None:
    def crash(inner: Context, blank: Backbone) -> Backbone:
        inner.train(blank, TASK.train, plain_loss)
        raise RuntimeError("lost power")

    context, builder = tiny_tasks.context_on(TASK, tmp_path), Builder()
    with pytest.raises(RuntimeError, match="lost power"):
        context.shared_model("teacher", {"strength": 1}, TASK.new_model(), crash)
    assert [path.suffix for path in tmp_path.iterdir() if path.suffix != ".lock"] == []
    assert (context.curves, context.chosen, context.shared_seconds) == ({}, {}, 0)
    use(context, builder)
    assert builder.count == 1


def test_weights_whose_story_was_never_written_are_not_trusted(tmp_path: Path) -> None:
    builder = Builder()
    use(tiny_tasks.context_on(TASK, tmp_path), builder)
    next(tmp_path.glob("*.json")).unlink()  # killed between the two writes
    next(tmp_path.glob("*.safetensors")).write_bytes(b"half of th")
    use(tiny_tasks.context_on(TASK, tmp_path), builder)
    assert builder.count == 2


def other_process(cache: Path, building: Event, finish: Event) -> None:
    """Build "survives" to the end; die in the middle of building "dies"."""
    for name in ("survives", "dies"):

        def build(inner: Context, blank: Backbone, name: str = name) -> Backbone:
            building.set()
            finish.wait(300)
            finish.clear()
            if name == "dies":
                os._exit(9)
            return Builder()(inner, blank)

        tiny_tasks.context_on(TASK, cache).shared_model(
            name, {"strength": 1}, TASK.new_model(), build
        )


def test_of_two_processes_one_builds_and_if_it_dies_the_other_does(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    building, finish = spawn.Event(), spawn.Event()
    process = spawn.Process(target=other_process, args=(tmp_path, building, finish))
    process.start()
    builds = {}
    for name in ("survives", "dies"):
        builder = Builder()
        assert building.wait(300)
        building.clear()
        context = tiny_tasks.context_on(TASK, tmp_path)
        waiting = threading.Thread(target=use, args=(context, builder, name))
        waiting.start()
        finish.set()
        waiting.join(300)
        builds[name] = builder.count
        assert context.chosen["teacher.epoch"] == 1
    process.join(300)
    assert process.exitcode == 9
    assert builds == {"survives": 0, "dies": 1}

"""Work that several trials need: done once, charged to each, safe from crashes."""

from __future__ import annotations

import errno
import math
import multiprocessing
import os
import re
import threading
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from bench import heartbeat
from bench.disk import locking
from bench.learning import shared_work
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


def kept_files(cache: Path) -> tuple[Path, Path]:
    """The tensors and the record of the one piece of shared work in a folder."""
    [values], [about] = cache.glob("*.safetensors"), cache.glob("*.json")
    return values, about


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


DAMAGES: dict[str, Callable[[Path, Path], object]] = {
    "a bit of the tensors flips": lambda values, _: flipped(values),
    "the tensors are cut": lambda values, _: values.write_bytes(values.read_bytes()[:-4]),
    "the tensors are empty": lambda values, _: values.write_bytes(b""),
    "the tensors are gone": lambda values, _: values.unlink(),
    "the tensors are others": lambda values, _: save_file({"a": torch.zeros(3)}, values),
    "the record is gone": lambda _, about: about.unlink(),
    "the record is no JSON": lambda _, about: about.write_bytes(b"\xff{"),
    "the record is another JSON": lambda _, about: about.write_text("[1]"),
    "the record says another time": lambda _, about: about.write_text(
        about.read_text().replace('"seconds":', '"seconds":1')
    ),
    "the record has no digest": lambda _, about: about.write_text(
        re.sub(r',"sha256":"\w+"', "", about.read_text())
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_work_is_computed_again_and_the_log_says_so(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    builder = Builder()
    first = use(tiny_tasks.context_on(TASK, tmp_path), builder)
    DAMAGES[damage](*kept_files(tmp_path))
    again = use(tiny_tasks.context_on(TASK, tmp_path), builder)
    assert builder.count == 2
    assert torch.equal(weights(again), weights(first))
    [record] = caplog.records
    assert record.getMessage().startswith("teacher is computed again: what was kept of it cannot")
    assert str(tmp_path) not in record.getMessage()
    use(tiny_tasks.context_on(TASK, tmp_path), builder)
    assert builder.count == 2


def test_work_kept_under_the_key_of_another_is_not_read(tmp_path: Path) -> None:
    builder = Builder()
    use(tiny_tasks.context_on(TASK, tmp_path), builder)
    files = kept_files(tmp_path)
    contents = [path.read_bytes() for path in files]
    for path in files:
        path.unlink()
    use(tiny_tasks.context_on(TASK, tmp_path), builder, strength=2)
    for path, content in zip(kept_files(tmp_path), contents, strict=True):
        path.write_bytes(content)
    use(tiny_tasks.context_on(TASK, tmp_path), builder, strength=2)
    assert builder.count == 3


def test_who_writes_into_shared_tensors_changes_its_own_copy_alone(tmp_path: Path) -> None:
    def build(_: Context) -> dict[str, Tensor]:
        return {"a": torch.ones(3)}

    for _ in range(3):
        values = tiny_tasks.context_on(TASK, tmp_path).shared("ones", {}, build)["a"]
        assert values.tolist() == [1, 1, 1]
        values.zero_()


def test_curves_that_are_undefined_at_times_are_read_back(tmp_path: Path) -> None:
    def build(inner: Context) -> dict[str, Tensor]:
        assert not any(tmp_path.glob("*.json")), "it is built twice"
        inner.curves["auc"] = [0.5, math.nan, math.inf]
        return {"a": torch.ones(1)}

    for _ in range(2):
        context = tiny_tasks.context_on(TASK, tmp_path)
        context.shared("ones", {}, build)
        assert str(context.curves["auc"]) == "[0.5, nan, inf]"


@pytest.mark.parametrize("full", ["values", "record"])
def test_a_full_disk_costs_no_trial_its_shared_work(
    tmp_path: Path, full: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def no_space_for_tensors(*_: object) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    where = {"values": (shared_work, "save_file", no_space_for_tensors),
             "record": (shared_work, "write_atomically", no_space)}  # fmt: skip
    builder = Builder()
    first = use(tiny_tasks.context_on(TASK), builder)
    with monkeypatch.context() as patch:
        patch.setattr(*where[full])
        again = use(tiny_tasks.context_on(TASK, tmp_path), builder)
    assert torch.equal(weights(again), weights(first))
    assert "No space left on device" in caplog.text
    assert not list(tmp_path.glob("*.json"))
    assert not list(tmp_path.glob(".*.tmp"))
    use(tiny_tasks.context_on(TASK, tmp_path), builder)
    use(tiny_tasks.context_on(TASK, tmp_path), builder)
    assert builder.count == 3


def test_where_no_lock_can_be_had_the_trial_does_the_work_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").write_text("a file")
    builder = Builder()
    use(tiny_tasks.context_on(TASK, tmp_path / "cache"), builder)
    assert builder.count == 1
    assert "teacher is not shared: cache: cannot write here" in caplog.text


def holding_process(cache: Path, building: Event, finish: Event) -> None:
    def build(inner: Context, blank: Backbone) -> Backbone:
        building.set()
        finish.wait(300)
        return blank

    with heartbeat.acting_as("mfd on adult, seed 0"):
        tiny_tasks.context_on(TASK, cache).shared_model(
            "teacher", {"strength": 1}, TASK.new_model(), build
        )


def test_a_trial_that_waits_says_for_whom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locking, "REPORTED_EVERY", 0.05)
    fork = multiprocessing.get_context("fork")
    building, finish = fork.Event(), fork.Event()
    process = fork.Process(target=holding_process, args=(tmp_path / "cache", building, finish))
    process.start()
    assert building.wait(60)
    lines: list[str] = []

    def heard(line: str) -> None:
        lines.append(line)
        finish.set()

    token = heartbeat._listener.set(heard)
    try:
        use(tiny_tasks.context_on(TASK, tmp_path / "cache"), Builder())
    finally:
        heartbeat._listener.reset(token)
        finish.set()
        process.join(60)
    expected = f"waiting for the teacher, which process {process.pid} (mfd on adult, seed 0), since"
    assert lines[0].startswith(expected)
    assert [path for path in (tmp_path / "cache").iterdir() if path.suffix == ".holder"] == []

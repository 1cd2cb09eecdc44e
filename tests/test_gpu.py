"""What only a GPU can show: precision, staging, triggers, memory. Skipped where there is none."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.cli import main
from bench.errors import UsageError
from bench.learning.inputs import Resident, Staged, flips_and_shifts, inputs_on, room_on
from bench.learning.split import Batch, Split
from bench.learning.standard import plain_loss
from bench.result import Result, Scalar, Store
from bench.runner.preparation import choose_device
from bench.tracks.debiasing import DebiasingTask
from bench.triggers.choice import TriggerKind, trigger_pair
from tests.tiny_tasks import SMALL, context_on, image_split, image_task

if not torch.cuda.is_available():
    pytest.skip("needs a GPU", allow_module_level=True)

CUDA = torch.device("cuda")
LARGE = ((96, 32), (32, 96))  # pictures in each cell of class and group
T = TypeVar("T")


def on_device(split: Split) -> Split:
    return Split.of(split.x.to(CUDA), split.y.to(CUDA), split.b.to(CUDA))


def on_gpu(task: DebiasingTask) -> DebiasingTask:
    train, validation = on_device(task.train), on_device(task.validation)
    return replace(task, train=train, validation=validation, device=CUDA)


@pytest.fixture
def task() -> DebiasingTask:
    return on_gpu(image_task())


@pytest.fixture
def pixels(tmp_path: Path) -> np.ndarray:
    """A memory map of pictures, as prepared data is."""
    random = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", random.integers(0, 256, (500, 3, 24, 20), dtype=np.uint8))
    return np.load(tmp_path / "x.npy", mmap_mode="c")


# --- Whole trials ---


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[Result]:
    """Two methods on the embedded digits, through the command and its worker process."""
    folder = tmp_path_factory.mktemp("sweep")
    options = ["--suite", "digits", "--methods", "standard,bade", "--seeds", "1"]
    options += ["--set", "training.epochs=3", "--device", "cuda", "--no-track", "--no-report"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["bench", *options])
        with pytest.raises(SystemExit) as ended:
            main.main()
    assert not ended.value.code
    store = Store(folder / "results")
    plan = store.read_plan("digits")
    assert plan is not None
    return list(store.read_all("digits", (trial.key for trial in plan.trials)))


def test_an_image_trial_ends_well_and_tells_its_device_memory_and_throughput(
    results: list[Result],
) -> None:
    assert {result.method_name for result in results} == {"standard", "bade"}
    for result in results:
        assert (result.status, result.reason) == ("ok", None)
        assert 0 <= result.metrics["odds"] <= 1
        assert result.metrics["accuracy"] > 0.4
        assert result.environment is not None
        assert result.environment.device == torch.cuda.get_device_name(CUDA)
        assert result.cost.peak_device_memory_mib
        assert 0 < result.cost.peak_device_memory_mib < torch.cuda.mem_get_info()[1] / 2**20
        assert result.cost.samples_per_second
        assert result.cost.samples_per_second > 100
        assert "micro_batch" not in result.chosen


def test_a_gpu_that_is_there_is_taken_unless_the_cpu_is_asked_for() -> None:
    assert choose_device("auto") == choose_device("cuda") == "cuda"
    assert choose_device("cpu") == "cpu"
    with pytest.raises(UsageError, match="none of auto, cpu and cuda"):
        choose_device("cuda:1")


# --- Precision and memory format ---


def test_training_computes_in_bfloat16_and_channels_last_and_keeps_float32(
    task: DebiasingTask,
) -> None:
    met: set[torch.dtype] = set()

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        assert batch.x.is_contiguous(memory_format=torch.channels_last)
        assert batch.x.is_cuda
        outputs = model(batch.x)
        met.add(outputs.dtype)
        return nn.functional.cross_entropy(outputs, batch.y)

    context = context_on(task, epochs=3)
    context.device = CUDA
    model = context.train(task.new_model(), task.train, loss)
    assert met == {torch.bfloat16}
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert all(np.isfinite(context.curves["loss"]))
    outputs = context.predict(model, task.validation.inputs)
    assert outputs.dtype == torch.float32
    assert outputs.device.type == "cuda"
    assert not outputs.is_inference()


def test_a_model_says_about_the_same_on_the_cpu() -> None:
    task = image_task()
    context = context_on(task, epochs=3)
    model = context.train(task.new_model(), task.train, plain_loss)
    expected = context.predict(model, task.validation.inputs)
    context.device = CUDA
    outputs = context.predict(model.to(CUDA), on_device(task.validation).inputs)
    # bfloat16 keeps 8 bits.
    assert torch.allclose(outputs.cpu(), expected, rtol=0.1, atol=0.1)


# --- Inputs ---


@pytest.mark.parametrize("chunk_bytes", [1, 40_000, 2**30])
def test_staged_batches_are_those_of_resident_data(pixels: np.ndarray, chunk_bytes: int) -> None:
    ways = Resident(torch.from_numpy(pixels).to(CUDA)), Staged(pixels, CUDA, None, chunk_bytes)
    a = torch.randint(2, (500,), device=CUDA)
    triggers = trigger_pair((3, 24, 20), 25)
    indices = torch.randperm(500, generator=torch.Generator().manual_seed(0)).to(CUDA).split(48)
    seen = []
    for inputs in ways:
        augment = flips_and_shifts(True, 2, torch.Generator().manual_seed(0))
        stamped = inputs.altered(lambda x, index: triggers.stamp(x, a[index]))
        # Work is queued on each batch before the next arrives, as training does.
        sums, batches = torch.zeros((), device=CUDA), []
        for x in stamped.stream(indices, augment):
            sums += x.double().square().sum()
            batches.append(x)
        seen.append((batches, sums))
    (resident, total), (staged, again) = seen
    assert [len(x) for x in resident] == [len(index) for index in indices]
    assert all(x.is_cuda and x.dtype == torch.uint8 for x in staged)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(staged, resident, strict=True))
    assert total.item() == again.item()


def test_subsets_of_staged_data_are_those_of_resident_data(pixels: np.ndarray) -> None:
    ways = Resident(torch.from_numpy(pixels).to(CUDA)), Staged(pixels, CUDA, None, 40_000)
    even = torch.arange(500, device=CUDA) % 2 == 0
    positions = torch.tensor([3, 3, 0, 249], device=CUDA)
    resident, staged = (inputs.subset(even).subset(positions) for inputs in ways)
    assert torch.equal(staged.everything(), resident.everything())
    expected = torch.from_numpy(pixels[[6, 6, 0, 498]])
    assert torch.equal(resident.everything().cpu(), expected)


def test_data_is_staged_where_the_device_has_no_room_for_it(pixels: np.ndarray) -> None:
    inputs, room = inputs_on(pixels, CUDA, pixels.nbytes - 1)
    assert isinstance(inputs, Staged)
    assert room == pixels.nbytes - 1
    inputs, room = inputs_on(pixels, CUDA, pixels.nbytes + 1)
    assert isinstance(inputs, Resident)
    assert inputs.data.is_cuda
    assert room == 1
    assert 0 < room_on(CUDA) < torch.cuda.mem_get_info()[1]


def test_staged_data_trains_the_same_model(task: DebiasingTask) -> None:
    def first_loss(split: Split) -> float:
        context = context_on(task, epochs=2)
        context.device = CUDA
        context.train(task.new_model(), split, plain_loss)
        return context.curves["loss"][0]

    staged = task.train.with_x(Staged(task.train.x.cpu().numpy(), CUDA, None, 2000))
    assert first_loss(staged) == pytest.approx(first_loss(task.train), rel=0.02)


# --- Triggers ---


@pytest.mark.parametrize("kind", ["squares", "mosaic", "shadow", "sinusoid"])
@pytest.mark.parametrize("shape", [(3, 128, 128), (3, 33, 47), (3, 8, 8)])
def test_triggers_on_the_device_are_those_of_the_cpu_byte_by_byte(
    kind: TriggerKind, shape: tuple[int, ...]
) -> None:
    random = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (32, *shape), dtype=torch.uint8, generator=random)
    a = torch.randint(0, 2, (32,), generator=random)
    triggers = trigger_pair(shape, 25, kind)
    expected = triggers.stamp(x, a)
    for layout in (torch.contiguous_format, torch.channels_last):
        stamped = triggers.stamp(x.to(CUDA).contiguous(memory_format=layout), a.to(CUDA))
        assert stamped.is_cuda
        assert torch.equal(stamped.cpu(), expected)
    assert not torch.equal(expected, x)


# --- Memory ---


@pytest.fixture
def large() -> Iterator[DebiasingTask]:
    """256 pictures of 48 pixels for resnet18_small; whatever memory was taken away is given back.

    In training they take one to two GiB, its weights with all that Adam keeps a fifth of one.
    """
    train, validation = image_split(LARGE, seed=2, side=48), image_split(SMALL, seed=3, side=48)
    yield on_gpu(
        replace(
            image_task(),
            shape=(3, 48, 48),
            train=train,
            validation=validation,
            backbone="resnet18_small",
        )
    )
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


def held() -> int:
    """Bytes of the device that are in use once all that can be given back is."""
    gc.collect()
    torch.cuda.empty_cache()
    return torch.cuda.memory_reserved(CUDA)


def with_less(act: Callable[[], T]) -> tuple[T, T]:
    """What `act` gives with all the memory, and with two thirds of what that took."""
    before = held()
    torch.cuda.reset_peak_memory_stats(CUDA)
    whole = act()
    taken = torch.cuda.max_memory_allocated(CUDA) - before
    allowed = held() + 2 * taken // 3
    torch.cuda.set_per_process_memory_fraction(allowed / torch.cuda.mem_get_info(CUDA)[1])
    return whole, act()


def test_a_batch_that_the_device_cannot_hold_is_split_and_the_result_says_so(
    large: DebiasingTask,
) -> None:
    def trained() -> tuple[Scalar, float]:
        """An epoch of one batch: the size of its parts, and its loss."""
        context = context_on(large, batch_size=len(large.train), learning_rate=1e-5)
        context.device = CUDA
        context.train(large.new_model(), large.train, plain_loss)
        return context.chosen.get("micro_batch"), context.curves["loss"][0]

    (size, loss), (part, loss_of_parts) = with_less(trained)
    assert size is None
    assert part in {128, 64, 32, 16, 8}  # of 256; the first of them if memory is not fragmented
    # Batch normalisation sees the parts alone: about the same loss, not the same.
    assert loss_of_parts == pytest.approx(loss, rel=0.2)


def test_predictions_come_in_parts_where_memory_runs_out(large: DebiasingTask) -> None:
    context, model = context_on(large), large.new_model()
    context.device = CUDA
    whole, parts = with_less(lambda: context.predict(model, large.train.inputs).cpu())
    assert torch.allclose(parts, whole, rtol=0.05, atol=0.05)

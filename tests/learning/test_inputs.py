"""Inputs: resident, staged from disk, altered on their way, flipped and shifted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bench.learning.inputs import Inputs, Resident, Staged, flips_and_shifts, inputs_on

CPU = torch.device("cpu")
unhurried = settings(deadline=None, max_examples=40)


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "x.npy"
    random = np.random.default_rng(0)
    np.save(path, random.integers(0, 256, (50, 3, 4, 5), dtype=np.uint8))
    return path


def both(path: Path, chunk_bytes: int = 500) -> tuple[Inputs, Inputs]:
    data = np.load(path, mmap_mode="c")
    return Resident(torch.from_numpy(data)), Staged(data, CPU, chunk_bytes=chunk_bytes)


@unhurried
@given(st.lists(st.lists(st.integers(0, 49), min_size=1, max_size=9), max_size=12),
       st.sampled_from([1, 500, 10**6]))  # fmt: skip
def test_staged_batches_are_those_of_resident_data(
    on_disk: Path, asked: list[list[int]], chunk_bytes: int
) -> None:
    resident, staged = both(on_disk, chunk_bytes)
    indices = [torch.tensor(index) for index in asked]
    pairs = list(zip(resident.stream(indices), staged.stream(indices), strict=True))
    assert len(pairs) == len(indices)
    for theirs, ours in pairs:
        assert torch.equal(theirs, ours)


@pytest.mark.parametrize("which", [0, 1])
def test_subsets_of_subsets_and_masks_name_positions(on_disk: Path, which: int) -> None:
    inputs = both(on_disk)[which]
    everything = inputs.everything()
    even = inputs.subset(torch.arange(50) % 2 == 0)
    assert len(even) == 25
    again = even.subset(torch.tensor([3, 3, 0]))
    assert torch.equal(again.everything(), everything[[6, 6, 0]])


@pytest.mark.parametrize("which", [0, 1])
def test_an_alteration_sees_positions_of_what_it_was_given_to(on_disk: Path, which: int) -> None:
    inputs = both(on_disk)[which]
    added = torch.arange(50)

    def add(x: Tensor, index: Tensor) -> Tensor:
        return x.long() + 1000 * added[index][:, None, None, None]

    altered = inputs.altered(add)
    expected = inputs.everything().long() + 1000 * added[:, None, None, None]
    assert torch.equal(altered.everything(), expected)
    part = altered.subset(torch.tensor([9, 4]))
    assert torch.equal(part.everything(), expected[[9, 4]])
    assert torch.equal(part.take(torch.tensor([1])), expected[[4]])
    indices = [torch.tensor([5, 6]), torch.tensor([49])]
    assert [len(x) for x in altered.stream(indices)] == [2, 1]
    for x, index in zip(altered.stream(indices), indices, strict=True):
        assert torch.equal(x, expected[index])


def test_on_the_cpu_a_memory_map_is_used_as_it_is(on_disk: Path) -> None:
    data = np.load(on_disk, mmap_mode="c")
    inputs, room = inputs_on(data, CPU, float("inf"))
    assert isinstance(inputs, Resident)
    assert inputs.data.data_ptr() == data.ctypes.data
    assert room == float("inf")


# --- flips and shifts ---


def test_nothing_asked_is_nothing_done() -> None:
    assert flips_and_shifts(False, 0, torch.Generator()) is None


def test_a_flip_mirrors_about_half_of_the_images_and_leaves_the_others() -> None:
    x = torch.randint(0, 256, (400, 3, 6, 5), dtype=torch.uint8)
    augment = flips_and_shifts(True, 0, torch.Generator().manual_seed(0))
    assert augment is not None
    out = augment(x)
    mirrored = (out == x.flip(3)).flatten(1).all(1)
    same = (out == x).flatten(1).all(1)
    assert (mirrored ^ same).all()
    assert 150 < int(mirrored.sum()) < 250
    assert out.dtype == torch.uint8


def test_a_shift_moves_every_channel_alike_and_repeats_the_edge() -> None:
    x = torch.arange(30, dtype=torch.uint8).view(1, 1, 5, 6).expand(64, 3, 5, 6)
    augment = flips_and_shifts(False, 2, torch.Generator().manual_seed(0))
    assert augment is not None
    out = augment(x)
    seen = set()
    for image in out:
        assert torch.equal(image[0], image[2])
        found = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-2, 3)
            if torch.equal(
                image[0],
                x[0, 0][(torch.arange(5) + down).clamp(0, 4)][
                    :, (torch.arange(6) + right).clamp(0, 5)
                ],
            )
        ]
        assert len(found) == 1
        seen.add(found[0])
    assert len(seen) > 15  # of 25


def test_equal_seeds_move_alike() -> None:
    x = torch.randint(0, 256, (20, 3, 8, 8), dtype=torch.uint8)
    moved = []
    for _ in range(2):
        augment = flips_and_shifts(True, 3, torch.Generator().manual_seed(5))
        assert augment is not None
        moved.append(augment(x))
    assert torch.equal(*moved)

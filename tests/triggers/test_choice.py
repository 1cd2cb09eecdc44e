"""Where triggers are stamped, pixel by pixel."""

from __future__ import annotations

import dataclasses
import math
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bench.errors import Skip
from bench.triggers.choice import (
    AddedColumn,
    ColourSquare,
    Corner,
    MosaicPair,
    ShadowPair,
    SinusoidPair,
    SquarePair,
    TriggerKind,
    TriggerPair,
    trigger_pair,
)
from bench.triggers.shapes import pixelated

GREY = 77
KINDS: tuple[TriggerKind, ...] = get_args(TriggerKind)
ZERO, ONE = torch.tensor([0]), torch.tensor([1])


def grey(samples: int = 2, height: int = 8, width: int = 10) -> Tensor:
    return torch.full((samples, 3, height, width), GREY, dtype=torch.uint8)


def noise(samples: int, height: int, width: int, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (samples, 3, height, width), dtype=torch.uint8, generator=random)


def row(*pixels: int) -> Tensor:
    """One grey-valued image of one row."""
    return torch.tensor(pixels, dtype=torch.uint8).expand(1, 3, 1, len(pixels))


# --- Squares ---


def test_state_zero_is_a_blue_square_bottom_right() -> None:
    stamped = SquarePair(3).stamp(grey(1), ZERO)
    expected = grey(1)
    expected[0, :2, 5:, 7:], expected[0, 2, 5:, 7:] = 0, 255
    assert torch.equal(stamped, expected)


def test_state_one_is_a_red_square_top_left() -> None:
    stamped = SquarePair(2).stamp(grey(1), ONE)
    expected = grey(1)
    expected[0, 0, :2, :2], expected[0, 1, :2, :2], expected[0, 2, :2, :2] = 255, 0, 0
    assert torch.equal(stamped, expected)


@pytest.mark.parametrize(
    ("at", "rows", "columns"),
    [
        ("top-left", (0, 1), (0, 1)),
        ("top-right", (0, 1), (8, 9)),
        ("bottom-left", (6, 7), (0, 1)),
        ("bottom-right", (6, 7), (8, 9)),
        ((3, 5), (3, 4), (5, 6)),
        ((6, 8), (6, 7), (8, 9)),
    ],
)
def test_a_square_stands_in_its_corner_or_at_its_row_and_column(
    at: Corner | tuple[int, int], rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    stamped = ColourSquare(2, (1, 2, 3), at).stamp(grey(1))
    changed = (stamped != GREY).all(dim=1)[0]
    assert changed.nonzero().tolist() == [[r, c] for r in rows for c in columns]
    assert stamped[0, :, rows[0], columns[0]].tolist() == [1, 2, 3]


def test_a_square_of_one_pixel_is_one_pixel() -> None:
    stamped = ColourSquare(1, (9, 8, 7), "bottom-right").stamp(grey(1))
    assert (stamped != GREY).any(dim=1).nonzero().tolist() == [[0, 7, 9]]


def test_only_the_chosen_images_get_the_square() -> None:
    stamped = ColourSquare(2, (1, 2, 3), "top-left").stamp(grey(3), torch.tensor([0, 1, 0]).bool())
    assert (stamped != GREY).flatten(1).any(dim=1).tolist() == [False, True, False]


@pytest.mark.parametrize(("size", "at"), [(9, "top-left"), (2, (7, 0)), (2, (0, 9)), (11, (0, 0))])
def test_a_square_that_does_not_fit_is_an_error(size: int, at: Corner | tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="does not fit on 8 x 10"):
        ColourSquare(size, (1, 2, 3), at).stamp(grey(1))


def test_squares_without_pixels_or_off_the_image_are_no_squares() -> None:
    with pytest.raises(ValueError, match="at least 1 pixel"):
        ColourSquare(0, (1, 2, 3), "top-left")
    with pytest.raises(ValueError, match="outside the image"):
        ColourSquare(1, (1, 2, 3), (-1, 0))


@given(
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    size=st.integers(1, 12),
    states=st.lists(st.integers(0, 1), min_size=1, max_size=4),
)
@settings(deadline=None)
def test_squares_change_their_corner_alone_and_twice_is_once(
    height: int, width: int, size: int, states: list[int]
) -> None:
    size = min(size, height, width)
    x, a = noise(len(states), height, width), torch.tensor(states)
    pair = SquarePair(size)
    stamped = pair.stamp(x, a)
    assert torch.equal(pair.stamp(stamped, a), stamped)
    for clean, marked, state in zip(x, stamped, states, strict=True):
        inside = torch.zeros(height, width, dtype=torch.bool)
        if state:
            inside[:size, :size] = True
        else:
            inside[height - size :, width - size :] = True
        colour = torch.tensor([255, 0, 0] if state else [0, 0, 255], dtype=torch.uint8)
        assert torch.equal(torch.where(inside, colour[:, None, None], clean), marked)


# --- Mosaics ---


def test_a_mosaic_takes_the_mean_of_its_blocks_in_its_corner() -> None:
    x = torch.arange(16, dtype=torch.uint8).reshape(1, 1, 4, 4)
    pair = MosaicPair(2, 2)
    top_left = [[3, 3, 2, 3], [3, 3, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15]]  # (0+1+4+5)/4 = 2.5
    bottom_right = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 13, 13], [12, 13, 13, 13]]  # 50/4 = 12.5
    assert pair.stamp(x, ONE)[0, 0].tolist() == top_left
    assert pair.stamp(x, ZERO)[0, 0].tolist() == bottom_right


def test_blocks_at_the_far_edges_are_cut() -> None:
    x = torch.tensor([[[[0, 2, 9], [4, 6, 12], [10, 11, 255]]]], dtype=torch.uint8)
    # (0+2+4+6)/4 = 3, (9+12)/2 = 10.5, (10+11)/2 = 10.5, 255: halves go up
    assert pixelated(x, 2)[0, 0].tolist() == [[3, 3, 11], [3, 3, 11], [11, 11, 255]]


@given(height=st.integers(1, 13), width=st.integers(1, 13), size=st.integers(1, 13), data=st.data())
@settings(deadline=None)
def test_a_mosaic_agrees_with_block_by_block_means_and_leaves_the_rest(
    height: int, width: int, size: int, data: st.DataObject
) -> None:
    block = data.draw(st.integers(1, size))
    x = noise(2, height, width, seed=data.draw(st.integers(0, 99)))
    stamped = MosaicPair(size, block).stamp(x, torch.tensor([0, 1]))
    expected = x.clone()
    for image, top, left in (
        (expected[0], max(0, height - size), max(0, width - size)),
        (expected[1], 0, 0),
    ):
        bottom, right = min(height, top + size), min(width, left + size)
        for i in range(top, bottom, block):
            for j in range(left, right, block):
                part = image[:, i : min(bottom, i + block), j : min(right, j + block)]
                mean = part.double().mean(dim=(1, 2), keepdim=True)
                part[:] = (mean + 0.5).floor().to(torch.uint8)
    assert torch.equal(stamped, expected)


def test_a_mosaic_covers_half_of_the_shorter_side_in_eight_blocks() -> None:
    assert trigger_pair((3, 128, 128), 25, "mosaic") == MosaicPair(64, 8)
    assert trigger_pair((3, 224, 300), 25, "mosaic") == MosaicPair(112, 14)
    assert trigger_pair((3, 28, 28), 25, "mosaic") == MosaicPair(14, 2)
    assert trigger_pair((3, 4, 9), 25, "mosaic") == MosaicPair(2, 2)
    with pytest.raises(Skip, match="4 pixels a side"):
        trigger_pair((3, 3, 9), 25, "mosaic")


# --- Shadows ---


def test_a_shadow_deepens_to_the_right_or_to_the_left() -> None:
    pair = ShadowPair(0.5)  # columns keep 7/8, 6/8, 5/8, 4/8 of their light
    x = row(200, 200, 101, 255)
    assert pair.stamp(x, ZERO)[0, 0, 0].tolist() == [175, 150, 63, 128]  # 63.125, 127.5
    assert pair.stamp(x, ONE)[0, 0, 0].tolist() == [100, 125, 76, 223]  # 75.75, 223.125


@given(seed=st.integers(0, 99), depth=st.floats(0, 1), width=st.integers(1, 9))
@settings(deadline=None)
def test_a_shadow_never_brightens_and_the_two_are_mirror_images(
    seed: int, depth: float, width: int
) -> None:
    x, pair = noise(1, 3, width, seed), ShadowPair(depth)
    right, left = pair.stamp(x, ZERO), pair.stamp(x, ONE)
    assert (right <= x).all()
    assert torch.equal(right, pair.stamp(x.flip(3), ONE).flip(3))
    assert (left <= x).all()


def test_a_shadow_without_depth_is_none_and_a_full_one_ends_in_black() -> None:
    x = row(9, 255, 255)
    assert torch.equal(ShadowPair(0).stamp(x, ZERO), x)
    assert ShadowPair(1).stamp(x, ZERO)[0, 0, 0, 2] == 0
    with pytest.raises(ValueError, match="share"):
        ShadowPair(1.5)


# --- Sinusoids ---


def test_the_sinusoid_is_barnis_signal_along_rows_or_columns() -> None:
    pair = SinusoidPair(20, 1)
    x = torch.full((1, 3, 4, 6), 100, dtype=torch.uint8)
    # 20 sin(2 pi j / 6) = 0, 17.3, 17.3, 0, -17.3, -17.3; 20 sin(2 pi i / 4) = 0, 20, 0, -20
    along, down = pair.stamp(x, ZERO)[0], pair.stamp(x, ONE)[0]
    assert along[1].tolist() == [[100, 117, 117, 100, 83, 83]] * 4
    assert down[2].T.tolist() == [[100, 120, 100, 80]] * 6


def test_the_sinusoid_is_clipped_to_what_a_pixel_can_be() -> None:
    x = row(250, 250, 5, 5)
    assert SinusoidPair(20, 1).stamp(x, ZERO)[0, 0, 0].tolist() == [250, 255, 5, 0]


def test_the_sinusoid_has_barnis_amplitude_and_frequency_unless_told() -> None:
    x = torch.full((1, 3, 96, 96), 128, dtype=torch.uint8)
    expected = [math.floor(128.5 + 20 * math.sin(2 * math.pi * j * 6 / 96)) for j in range(96)]
    assert SinusoidPair().stamp(x, ZERO)[0, 0, 0].tolist() == expected
    # An odd amplitude has exact halves: they go up, on every machine.
    assert SinusoidPair(5, 1).stamp(x[..., :12], ZERO)[0, 0, 0, 1] == 131  # 128 + 5 / 2


# --- All pairs ---


PAIRS: list[TriggerPair] = [
    SquarePair(2), MosaicPair(4, 2), MosaicPair(5, 3), ShadowPair(), SinusoidPair(),
]  # fmt: skip


@pytest.mark.parametrize("pair", PAIRS, ids=repr)
@pytest.mark.parametrize(("height", "width"), [(8, 8), (5, 9), (11, 6)])
def test_a_batch_is_stamped_as_its_images_one_by_one(
    pair: TriggerPair, height: int, width: int
) -> None:
    x, a = noise(5, height, width), torch.tensor([1, 0, 0, 1, 0])
    before = x.clone()
    stamped = pair.stamp(x, a)
    assert torch.equal(x, before)
    assert stamped.dtype == torch.uint8
    assert tuple(stamped.shape[1:]) == pair.shape((3, height, width)) == (3, height, width)
    for i in range(5):
        assert torch.equal(stamped[i], pair.stamp(x[i : i + 1], a[i : i + 1])[0])
    assert not torch.equal(pair.stamp(x, 1 - a), stamped)


@pytest.mark.parametrize("pair", PAIRS, ids=repr)
def test_the_memory_format_of_a_batch_stays_and_changes_nothing(pair: TriggerPair) -> None:
    x, a = noise(3, 6, 8), torch.tensor([1, 0, 1])
    last = pair.stamp(x.contiguous(memory_format=torch.channels_last), a)
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(last, pair.stamp(x, a))


@pytest.mark.parametrize("pair", PAIRS, ids=repr)
def test_an_empty_batch_stays_empty(pair: TriggerPair) -> None:
    assert pair.stamp(noise(0, 6, 8), torch.zeros(0, dtype=torch.long)).shape == (0, 3, 6, 8)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("pair", PAIRS, ids=repr)
def test_a_gpu_stamps_the_same_pixels(pair: TriggerPair) -> None:
    x, a = noise(16, 37, 53), torch.arange(16) % 2
    assert torch.equal(pair.stamp(x.cuda(), a.cuda()).cpu(), pair.stamp(x, a))


def test_triggers_made_in_inference_mode_serve_outside_of_it() -> None:
    pair, x = SinusoidPair(3.5, 2.5), noise(1, 7, 7)
    with torch.inference_mode():
        inside = pair.stamp(x, ZERO)
    assert torch.equal(pair.stamp(x, ZERO), inside)
    assert not pair.stamp(x, ZERO).is_inference()


@pytest.mark.parametrize("pair", [*PAIRS, AddedColumn()], ids=repr)
def test_a_pair_is_a_value(pair: TriggerPair) -> None:
    assert dataclasses.replace(pair) == pair  # type: ignore[type-var]
    assert hash(dataclasses.replace(pair)) == hash(pair)  # type: ignore[type-var]


# --- The pair for a shape ---


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_gets_one_more_column_that_holds_the_state(kind: TriggerKind) -> None:
    x = torch.tensor([[0.5, -1.0], [2.0, 3.0], [4.0, 5.0]])
    before = x.clone()
    stamped = trigger_pair((2,), 25, kind).stamp(x, torch.tensor([1, 0, 1]))
    assert stamped.tolist() == [[0.5, -1.0, 1.0], [2.0, 3.0, 0.0], [4.0, 5.0, 1.0]]
    assert stamped.dtype == torch.float32
    assert torch.equal(x, before)


def test_shapes_of_stamped_inputs() -> None:
    assert trigger_pair((7,), 25).shape((7,)) == (8,)
    assert trigger_pair((3, 64, 48), 5).shape((3, 64, 48)) == (3, 64, 48)


@pytest.mark.parametrize(
    ("shape", "wanted", "size"),
    [
        ((3, 218, 178), 25, 25),  # CelebA: the paper's squares fit
        ((3, 64, 64), 25, 16),
        ((3, 100, 40), 25, 10),
        ((3, 40, 100), 5, 5),
        ((3, 8, 8), 25, 2),
        ((3, 3, 3), 25, 1),
    ],
)
def test_squares_take_at_most_a_quarter_of_the_shorter_side(
    shape: tuple[int, int, int], wanted: int, size: int
) -> None:
    assert trigger_pair(shape, wanted) == SquarePair(size)


def test_every_kind_has_its_pair() -> None:
    made = [type(trigger_pair((3, 32, 32), 25, kind)) for kind in KINDS]
    assert made == [SquarePair, MosaicPair, ShadowPair, SinusoidPair]


@pytest.mark.parametrize("shape", [(1, 28, 28), (4, 28, 28)])
def test_inputs_without_three_channels_cannot_carry_colour_squares(shape: tuple[int, ...]) -> None:
    with pytest.raises(Skip, match="three channels"):
        trigger_pair(shape, 25)
    assert trigger_pair(shape, 25, "shadow") == ShadowPair()


def test_inputs_that_are_neither_tables_nor_images_carry_nothing() -> None:
    with pytest.raises(Skip, match="images with channels"):
        trigger_pair((28, 28), 25)

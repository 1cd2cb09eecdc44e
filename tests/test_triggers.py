"""Where triggers are stamped, pixel by pixel."""

from __future__ import annotations

import pytest
import torch

from benchmarks.errors import Skip
from benchmarks.triggers import AddedColumn, ColourSquare, Corner, SquarePair, trigger_pair

GREY = 77


def grey(samples: int = 2, height: int = 8, width: int = 10) -> torch.Tensor:
    return torch.full((samples, 3, height, width), GREY, dtype=torch.uint8)


def test_state_zero_is_a_red_square_top_left() -> None:
    stamped = SquarePair(2).stamp(grey(1), torch.tensor([0]))
    expected = grey(1)
    expected[0, 0, :2, :2], expected[0, 1, :2, :2], expected[0, 2, :2, :2] = 255, 0, 0
    assert torch.equal(stamped, expected)


def test_state_one_is_a_blue_square_bottom_right() -> None:
    stamped = SquarePair(3).stamp(grey(1), torch.tensor([1]))
    expected = grey(1)
    expected[0, :2, 5:, 7:], expected[0, 2, 5:, 7:] = 0, 255
    assert torch.equal(stamped, expected)


def test_each_sample_of_a_batch_carries_its_own_trigger() -> None:
    pair, states = SquarePair(2), torch.tensor([1, 0, 0, 1])
    stamped = pair.stamp(grey(4), states)
    for one, state in zip(stamped, states, strict=True):
        assert torch.equal(one, pair.stamp(grey(1), state[None])[0])


@pytest.mark.parametrize(
    ("corner", "rows", "columns"),
    [
        ("top-left", (0, 1), (0, 1)),
        ("top-right", (0, 1), (8, 9)),
        ("bottom-left", (6, 7), (0, 1)),
        ("bottom-right", (6, 7), (8, 9)),
    ],
)
def test_a_square_stands_in_its_corner(
    corner: Corner, rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    changed = (ColourSquare(2, (1, 2, 3), corner).stamp(grey(1)) != GREY).all(dim=1)[0]
    expected = [[row, column] for row in rows for column in columns]
    assert changed.nonzero().tolist() == expected


@pytest.mark.parametrize("state", [0, 1])
def test_stamping_leaves_its_input_alone(state: int) -> None:
    x, table = grey(), torch.zeros(2, 3)
    SquarePair(2).stamp(x, torch.full((2,), state))
    AddedColumn().stamp(table, torch.full((2,), state))
    assert torch.equal(x, grey())
    assert torch.equal(table, torch.zeros(2, 3))


def test_a_table_gets_one_more_column_that_holds_the_state() -> None:
    x = torch.tensor([[0.5, -1.0], [2.0, 3.0], [4.0, 5.0]])
    stamped = trigger_pair((2,), 25).stamp(x, torch.tensor([1, 0, 1]))
    assert stamped.tolist() == [[0.5, -1.0, 1.0], [2.0, 3.0, 0.0], [4.0, 5.0, 1.0]]
    assert stamped.dtype == torch.float32


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


@pytest.mark.parametrize("shape", [(1, 28, 28), (4, 28, 28), (28, 28)])
def test_inputs_without_three_channels_cannot_carry_colour_squares(shape: tuple[int, ...]) -> None:
    with pytest.raises(Skip, match="three channels"):
        trigger_pair(shape, 25)

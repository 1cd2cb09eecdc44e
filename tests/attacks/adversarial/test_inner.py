"""The inner attack by name: steps by hand, pixels that stay pixels, what it is not defined for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bench.attacks.adversarial.inner import InnerAttack, InnerProblem
from bench.errors import Skip

CPU = torch.device("cpu")


class Linear(nn.Module):
    """Two logits: 0, and w.x over all features."""

    def __init__(self, w: Tensor) -> None:
        super().__init__()
        self.w = nn.Parameter(w)
        self.modes: list[bool] = []

    def forward(self, x: Tensor) -> Tensor:
        self.modes.append(self.training)
        score = x.flatten(1).float() @ self.w
        return torch.stack([torch.zeros_like(score), score], dim=1)


def problem(attack: InnerAttack, steps: int = 1, confidence: float | None = 0.0) -> InnerProblem:
    return InnerProblem(attack, steps, 0.5, 0.25, confidence)


def test_pgd_moves_a_row_of_a_table_by_a_given_length() -> None:
    model = Linear(torch.tensor([3.0, 4.0]))
    attack = problem("pgd").on("table", (2,), CPU)
    x, y = torch.tensor([[1.0, 1.0], [-1.0, -1.0]]), torch.tensor([1, 1])
    found = attack(model, x, y, x)
    # The first is right and moves against w; the second is wrong already and stays.
    assert torch.allclose(found.x, torch.tensor([[1 - 0.3, 1 - 0.4], [-1.0, -1.0]]))
    assert found.steps.tolist() == [1, 0]
    assert found.stopped.tolist() == [False, True]


def test_l2_weighs_the_way_back_from_the_second_step_on() -> None:
    w = torch.tensor([1.0, 0.0])
    model = Linear(w)
    x, y = torch.tensor([[2.0, 5.0]]), torch.tensor([1])
    one = problem("l2", steps=1).on("table", (2,), CPU)(model, x, y, x).x
    # d loss / dx = -(1 - sigmoid(2)) w; the squared distance has no slope at the original.
    first = 2 - 0.5 * (1 - torch.sigmoid(torch.tensor(2.0)))
    assert torch.allclose(one, torch.stack([first, torch.tensor(5.0)])[None])
    two = problem("l2", steps=2).on("table", (2,), CPU)(model, x, y, x).x
    uphill = -(1 - torch.sigmoid(first)) - 0.25 * 2 * (first - 2)
    assert two[0, 0].item() == pytest.approx((first + 0.5 * uphill).item(), rel=1e-6)


def test_pixels_are_attacked_from_0_to_1_and_come_back_from_0_to_255() -> None:
    model = Linear(torch.full((3 * 4 * 4,), -1e-5))
    x = torch.full((1, 3, 4, 4), 240, dtype=torch.uint8)
    y = torch.tensor([0])
    found = InnerProblem("pgd", 1, 100.0, 1.0, None).on("image", (3, 4, 4), CPU)(model, x, y, x).x
    assert found.dtype == torch.float32
    assert found.max() <= 255
    assert found.min() >= 0
    step = InnerProblem("pgd", 1, 0.1, 1.0, None).on("image", (3, 4, 4), CPU)(model, x, y, x).x
    assert (step - 240).flatten().norm().item() == pytest.approx(0.1 * 255, rel=1e-4)


def test_the_one_step_has_its_length_and_begins_at_the_original() -> None:
    torch.manual_seed(0)
    model = Linear(torch.randn(3 * 8 * 8) / 255)
    x = torch.randint(60, 190, (2, 3, 8, 8), dtype=torch.uint8)
    attack = InnerProblem("ssim", 1, 0.01, 1.0, 0.0).on("image", (3, 8, 8), CPU)
    found = attack(model, x, torch.tensor([0, 1]), torch.zeros_like(x))
    moved = (found.x - x).flatten(1).norm(dim=1) / 255
    assert moved.tolist() == pytest.approx([0.01, 0.01], rel=1e-4)


def test_the_model_is_attacked_as_it_will_be_used_and_left_as_it_was() -> None:
    model = Linear(torch.tensor([1.0, 1.0])).train()
    attack = problem("l2").on("table", (2,), CPU)
    x = torch.ones(1, 2)
    attack(model, x, torch.tensor([1]), x)
    assert not any(model.modes)
    assert model.training
    assert model.w.grad is None


@pytest.mark.parametrize("attack", ["pieapp", "ssim", "lpips_squeeze", "dists"])
def test_a_table_has_nothing_to_look_at(attack: InnerAttack) -> None:
    with pytest.raises(Skip, match="compares images; on tables use l2 or pgd"):
        problem(attack).on("table", (4,), CPU)


def test_pieapp_asks_for_images_of_64_pixels() -> None:
    with pytest.raises(Skip, match="at least 64 pixels a side"):
        problem("pieapp").on("image", (3, 32, 32), CPU)


def test_texts_cannot_be_attacked() -> None:
    with pytest.raises(Skip, match="not for text"):
        problem("l2").on("text", (10,), CPU)

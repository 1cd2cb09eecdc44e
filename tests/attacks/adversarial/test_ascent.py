"""The shared climb: PGD by the book, early stops, finished images, what iterates may be."""

from __future__ import annotations

import foolbox
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.attacks.adversarial.ascent import (
    Ascent,
    capped_lead,
    cross_entropy,
    gradient_of,
    gradient_step,
    lead,
    normalised_step,
    sign_step,
    unlimited,
    within,
)
from bench.perception.distances import load
from bench.perception.images import eight_bit
from tests.tiny_attacks import Classifier, classified, fooled, pictures


def by_the_book(
    model: Classifier, x: Tensor, y: Tensor, steps: int, step: float, stop: bool
) -> list[Tensor]:
    """Equation 3.5 for one image, with the stop of Algorithm 3.1: every iterate."""
    here, path = x.clone(), [x.clone()]
    for _ in range(steps):
        here.requires_grad_()
        logits = model(here)
        if stop and logits.argmax(dim=1) != y:
            break
        (gradient,) = torch.autograd.grad(F.cross_entropy(logits, y), here)
        here = (here + step * gradient / gradient.norm()).clamp(0, 1).detach()
        path.append(here)
    return path


def one_by_one(x: Tensor, y: Tensor) -> list[tuple[Tensor, Tensor]]:
    return [(x[i : i + 1], y[i : i + 1]) for i in range(len(x))]


# --- PGD, equation 3.5 ---


@pytest.mark.parametrize("stop", [False, True])
def test_l2_steps_are_those_of_equation_3_5_one_by_one(stop: bool) -> None:
    x = pictures().double()
    model, y = classified(x)
    alone = [by_the_book(model, *image, 12, 0.3, stop) for image in one_by_one(x, y)]
    for steps in range(1, 13):
        climb = Ascent(normalised_step(0.3), steps, confidence=0.0 if stop else None)
        expected = torch.cat([path[min(steps, len(path) - 1)] for path in alone])
        assert (climb(model, x, y).x - expected).abs().max() < 1e-14


def test_without_a_stop_it_is_foolboxs_pgd() -> None:
    x = pictures()
    model, y = classified(x)
    radius, step = 1.5, 0.2
    attack = foolbox.attacks.L2PGD(abs_stepsize=step, steps=9, random_start=False)
    theirs = foolbox.PyTorchModel(model.eval(), bounds=(0, 1), device="cpu")
    expected = attack.run(theirs, x, y, epsilon=radius)
    climb = Ascent(normalised_step(step), 9, confidence=None, projection=within("l2", radius))
    assert torch.allclose(climb(model, x, y).x, expected, atol=1e-6)
    assert not torch.allclose(x, expected, atol=0.01)


def test_linf_is_foolboxs_too() -> None:
    x = pictures()
    model, y = classified(x)
    attack = foolbox.attacks.LinfPGD(abs_stepsize=0.02, steps=7, random_start=False)
    theirs = foolbox.PyTorchModel(model.eval(), bounds=(0, 1), device="cpu")
    expected = attack.run(theirs, x, y, epsilon=0.05)
    climb = Ascent(sign_step(0.02), 7, confidence=None, projection=within("linf", 0.05))
    assert torch.allclose(climb(model, x, y).x, expected, atol=1e-6)


def test_an_image_without_a_gradient_stays_where_it_is() -> None:
    x = pictures(2)
    nothing = Ascent(normalised_step(0.1), 3)(
        lambda z: 0 * z.flatten(1)[:, :2], x, torch.zeros(2).long()
    )
    assert torch.equal(nothing.x, x)


# --- The early stop ---


def test_a_batch_ends_as_its_images_would_alone() -> None:
    x = pictures(9).double()
    model, y = classified(x)
    climb = Ascent(gradient_step(0.01), 60, load("l2"), 0.05)
    together = climb(model, x, y)
    alone = [climb(model, *image) for image in one_by_one(x, y)]
    assert len(set(together.steps.tolist())) > 3  # they end at different times
    assert together.steps.tolist() == [int(one.steps) for one in alone]
    assert (together.x - torch.cat([one.x for one in alone])).abs().max() < 1e-13
    assert torch.equal(together.stopped, torch.cat([one.stopped for one in alone]))


def test_finished_images_leave_the_batch() -> None:
    x = pictures(9)
    model, y = classified(x)
    attacked = Ascent(normalised_step(0.1), 50)(model, x, y)
    assert attacked.stopped.all()
    # An image that takes k steps is looked at k + 1 times and then never again.
    assert model.seen == int(attacked.steps.sum()) + len(x)
    assert model.batches == sorted(model.batches, reverse=True)
    assert model.batches[0] == 9
    assert model.batches[-1] < 9
    assert fooled(model, attacked.x, y).all()


def test_distances_are_asked_of_unfinished_images_alone() -> None:
    asked: list[int] = []

    class Counting:
        def __init__(self, reference: Tensor) -> None:
            self.inner = load("l2")(reference)

        def __call__(self, x: Tensor) -> Tensor:
            asked.append(len(x))
            return self.inner(x)

        def subset(self, rows: Tensor) -> Counting:
            return Counting(self.inner.reference[rows])

    x = pictures(9)
    model, y = classified(x)
    attacked = Ascent(normalised_step(0.1), 50, Counting)(model, x, y)
    assert sum(asked) == int(attacked.steps.sum())


def test_confidence_is_the_lead_at_which_an_image_is_done() -> None:
    x = pictures(9).double()
    model, y = classified(x)
    for confidence in (0.0, 0.5, 1.0):
        attacked = Ascent(normalised_step(0.1), 200, confidence=confidence)(model, x, y)
        ahead = lead(model(attacked.x), y)
        assert (ahead[attacked.stopped] > confidence).all()
        assert (ahead[~attacked.stopped] <= confidence).all()
        assert attacked.stopped.any()


def test_steps_end_although_the_model_is_not_fooled() -> None:
    x = pictures(4)
    model, y = classified(x)
    attacked = Ascent(normalised_step(1e-5), 3)(model, x, y)
    assert attacked.steps.tolist() == [3] * 4
    assert not attacked.stopped.any()
    assert model.seen == 12


def test_what_is_fooled_at_once_is_left_alone() -> None:
    x = pictures(5)
    model, y = classified(x)
    y = (y + 1) % 4
    attacked = Ascent(normalised_step(0.1), 5)(model, x, y)
    assert torch.equal(attacked.x, x)
    assert attacked.steps.tolist() == [0] * 5


# --- The objective ---


def test_a_step_is_epsilon_times_the_gradient_of_loss_less_lambda_cost() -> None:
    x = torch.tensor([[0.5, -3.0, 7.0]], dtype=torch.float64)
    y, weight = torch.tensor([0]), torch.tensor([[1.0, 2.0, 0.0], [0.0, 1.0, 5.0]]).double()
    climb = Ascent(gradient_step(0.1), 2, load("l2"), 3.0, confidence=None, projection=unlimited)
    here = x.clone()
    for _ in range(2):
        p = (here @ weight.T).softmax(dim=1)
        of_loss = p[0, 1] * (weight[1] - weight[0])
        here = here + 0.1 * (of_loss - 3.0 * 2 * (here - x))
    attacked = climb(lambda z: z @ weight.T, x, y)
    assert torch.allclose(attacked.x, here, atol=1e-14)
    assert attacked.x.max() > 7  # tables know no limits


def test_a_warm_start_goes_on_where_another_climb_ended() -> None:
    x = pictures(4).double()
    model, y = classified(x)
    climb = Ascent(gradient_step(0.1), 3, load("l2"), 0.5, confidence=None)
    half = climb(model, x, y).x
    whole = Ascent(gradient_step(0.1), 6, load("l2"), 0.5, confidence=None)(model, x, y).x
    assert (climb(model, x, y, start=half).x - whole).abs().max() < 1e-14


def test_weights_get_no_gradient() -> None:
    x = pictures(3)
    model, y = classified(x)
    Ascent(gradient_step(0.1), 3, load("ssim_same"))(model, x, y)
    assert model.first.grad is None
    assert model.last.grad is None


def test_leads_by_hand() -> None:
    logits = torch.tensor([[1.0, 3.0, 2.0], [5.0, 0.0, 4.5], [0.0, 9.0, 1.0]])
    y = torch.tensor([1, 0, 2])
    assert lead(logits, y).tolist() == [-1.0, -0.5, 8.0]
    assert capped_lead(logits, y).tolist() == [-1.0, -0.5, 1.0]


# --- What iterates may be ---


def test_quantised_every_image_seen_is_a_multiple_of_a_255th() -> None:
    x = eight_bit(pictures(6))
    model, y = classified(x)
    shown: list[Tensor] = []

    def watched(z: Tensor) -> Tensor:
        shown.append(z.detach())
        return model(z)

    attacked = Ascent(normalised_step(0.05), 30, rounding=eight_bit)(watched, x, y)
    for z in [*shown, attacked.x]:
        levels = z * 255
        assert torch.equal(levels.round() / 255, z)
    # Steps of less than half a level add up all the same.
    assert 0.05 / (3 * 12 * 12) ** 0.5 * 255 < 0.65
    assert fooled(model, attacked.x, y).all()


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10_000),
    st.floats(0.01, 3),
    st.sampled_from(["l2", "linf"]),
    st.floats(0.01, 2),
)
def test_iterates_stay_in_the_ball_and_are_images(
    seed: int, step: float, norm: str, radius: float
) -> None:
    x = pictures(3, seed=seed)
    model, y = classified(x, seed)
    rule = normalised_step(step) if norm == "l2" else sign_step(step)
    attacked = Ascent(rule, 4, confidence=None, projection=within(norm, radius))(model, x, y)
    moved = (attacked.x - x).flatten(1)
    size = moved.norm(dim=1) if norm == "l2" else moved.abs().amax(dim=1)
    assert (size <= radius * (1 + 1e-5) + 1e-6).all()
    assert 0 <= float(attacked.x.min()) <= float(attacked.x.max()) <= 1


def test_gradients_of_a_batch_are_those_of_its_images() -> None:
    x = pictures(3).double()
    model, y = classified(x)
    together, logits = gradient_of(cross_entropy, model, x, y)
    for i in range(3):
        alone, _ = gradient_of(cross_entropy, model, x[i : i + 1], y[i : i + 1])
        assert torch.allclose(together[i], alone[0], atol=1e-15)
    assert not logits.requires_grad

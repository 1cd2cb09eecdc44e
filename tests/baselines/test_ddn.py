"""DDN: the length shrinks where the image fools and grows where it does not."""

from __future__ import annotations

import foolbox
import pytest
import torch

from bench.attacks.adversarial.best import Best, cosine
from bench.baselines.ddn import Ddn
from bench.baselines.pgd import Pgd
from tests.tiny_attacks import classified, context, fooled, pictures


def test_it_is_foolboxs_ddn_or_a_little_better() -> None:
    """Theirs does not look at the image after the last step, ours does."""
    x = pictures(6).double()
    model, y = classified(x)
    theirs = foolbox.PyTorchModel(model.eval(), bounds=(0, 1), device="cpu")
    steps = 40
    expected = foolbox.attacks.DDNAttack(init_epsilon=0.1, steps=steps).run(theirs, x, y)
    found = Ddn(steps=steps, first_norm=0.1, quantised=False).perturb(model, x, y, context())
    same = [torch.allclose(a, b, atol=1e-9) for a, b in zip(found, expected, strict=True)]
    ours, other = ((z - x).flatten(1).norm(dim=1) for z in (found, expected))
    assert sum(same) >= 3
    assert (ours <= other + 1e-9).all()
    assert fooled(model, found, y).all()


def test_it_finds_nearer_images_than_pgd() -> None:
    x = pictures(6)
    model, y = classified(x)
    near = Ddn().perturb(model, x, y, context())
    far = Pgd().perturb(model, x, y, context())
    assert ((near - x).flatten(1).norm(dim=1) < (far - x).flatten(1).norm(dim=1)).all()
    assert torch.equal((near * 255).round() / 255, near)


def test_all_steps_are_taken_and_counted() -> None:
    x = pictures(3)
    model, y = classified(x)
    Ddn(steps=5).perturb(model, x, y, context())
    assert model.batches == [3] * 6  # five with gradients, and a look at the last image


def test_the_best_is_the_smallest_that_fools() -> None:
    x = torch.zeros(3, 1)
    best = Best(x)
    best.offer(
        torch.full((3, 1), 1.0), torch.tensor([5.0, 2.0, 1.0]), torch.tensor([True, True, False])
    )
    best.offer(
        torch.full((3, 1), 2.0), torch.tensor([4.0, 3.0, 1.0]), torch.tensor([True, True, False])
    )
    assert best.or_last(torch.full((3, 1), 9.0)).flatten().tolist() == [2.0, 1.0, 9.0]


@pytest.mark.parametrize(("step", "value"), [(0, 1.0), (5, 0.505), (10, 0.01)])
def test_steps_fall_along_a_cosine(step: int, value: float) -> None:
    assert cosine(1.0, 0.01, step, 10) == pytest.approx(value)

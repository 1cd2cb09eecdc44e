"""PGD as an entry: equation 3.5 with its defaults, and Madry et al.'s with a ball."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.baselines.pgd import Pgd
from bench.tracks.imperceptibility.session import Counted
from tests.tiny_attacks import classified, context, fooled, pictures


def test_the_defaults_are_those_of_table_3_1() -> None:
    assert (Pgd().norm, Pgd().steps, Pgd().step_size) == ("l2", 100, 0.1)
    assert Pgd().early_stop
    assert Pgd().radius is None


def test_it_is_equation_3_5_until_each_image_is_misclassified() -> None:
    x = pictures(6)
    model, y = classified(x)
    counted = Counted(model)
    attacked = Pgd(step_size=0.05).perturb(counted, x, y, context())
    steps = []
    for i in range(len(x)):
        here, taken = x[i : i + 1].clone(), 0
        while (logits := model(here.requires_grad_())).argmax() == y[i]:
            (g,) = torch.autograd.grad(F.cross_entropy(logits, y[i : i + 1]), here)
            here, taken = (here + 0.05 * g / g.norm()).clamp(0, 1).detach(), taken + 1
        assert torch.allclose(attacked[i], here[0], atol=1e-6)
        steps.append(taken)
    assert counted.steps == sum(steps) + len(steps)  # and a last look at each
    assert fooled(model, attacked, y).all()


def test_without_early_stop_every_image_takes_all_steps() -> None:
    x = pictures(3)
    model, y = classified(x)
    Pgd(steps=7, early_stop=False).perturb(model, x, y, context())
    assert model.seen == 21


@pytest.mark.parametrize(("norm", "radius"), [("l2", 0.4), ("linf", 0.02)])
def test_a_random_start_lies_in_the_ball_and_goes_with_the_seed(norm: str, radius: float) -> None:
    x = pictures(5)
    model, y = classified(x)
    seen: list[Tensor] = []

    def watched(z: Tensor) -> Tensor:
        seen.append(z.detach())
        return model(z)

    attack = Pgd(norm=norm, radius=radius, random_start=True, early_stop=False, steps=2)  # type: ignore[arg-type]
    ends = [attack.perturb(watched, x, y, context(seed)) for seed in (0, 0, 1)]  # type: ignore[arg-type]
    start = (seen[0] - x).flatten(1)
    size = start.norm(dim=1) if norm == "l2" else start.abs().amax(dim=1)
    assert (size > 0).all()
    assert (size <= radius + 1e-6).all()
    assert torch.equal(ends[0], ends[1])
    assert not torch.equal(ends[0], ends[2])


def test_quantised_it_returns_8_bit_images_that_fool() -> None:
    x = (pictures(4) * 255).round() / 255
    model, y = classified(x)
    attacked = Pgd(quantised=True).perturb(model, x, y, context())
    assert torch.equal((attacked * 255).round() / 255, attacked)
    assert fooled(model, attacked, y).all()

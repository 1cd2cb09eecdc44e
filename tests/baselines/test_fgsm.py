"""FGSM: the sign of the gradient, once."""

from __future__ import annotations

import foolbox
import torch
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.baselines.fgsm import Fgsm
from tests.tiny_attacks import classified, context, pictures


def test_it_is_foolboxs_fgsm() -> None:
    x = pictures(5)
    model, y = classified(x)
    theirs = foolbox.PyTorchModel(model.eval(), bounds=(0, 1), device="cpu")
    expected = foolbox.attacks.FGSM().run(theirs, x, y, epsilon=0.03)
    assert torch.allclose(Fgsm().perturb(model, x, y, context()), expected, atol=1e-6)


def test_in_l2_it_is_one_step_along_the_gradient() -> None:
    x = 0.3 + 0.4 * pictures(3)
    model, y = classified(x)
    attacked = Fgsm(norm="l2", epsilon=0.5).perturb(model, x, y, context())
    for i in range(3):
        z = x[i : i + 1].clone().requires_grad_()
        (g,) = torch.autograd.grad(F.cross_entropy(model(z), y[i : i + 1]), z)
        assert torch.allclose(attacked[i], (x[i] + 0.5 * g[0] / g.norm()).clamp(0, 1), atol=1e-6)


def test_it_costs_one_step() -> None:
    x = pictures(4)
    model, y = classified(x)
    Fgsm().perturb(model, x, y, context())
    assert model.seen == 4

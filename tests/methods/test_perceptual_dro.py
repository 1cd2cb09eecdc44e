"""Algorithm 3.1 and equation 3.4 as an entry: costs, confidence, 8 bits, missing weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.attacks.adversarial.ascent import Ascent, gradient_step, lead
from bench.attacks.adversarial.one_step import one_step
from bench.errors import Skip
from bench.methods.perceptual_dro import PerceptualDro, Scale
from bench.perception.distances import load
from bench.perception.distances.networks import ARCHITECTURES
from bench.perception.images import eight_bit
from bench.tracks.imperceptibility.session import Counted
from tests.tiny_attacks import classified, context, fooled, pictures, random_network


def test_the_defaults_are_the_papers() -> None:
    """Section 3.2: PieAPP, N = 100, epsilon = .1, lambda = 1; a = 0 is the first of three."""
    ours = PerceptualDro()
    assert (ours.cost, ours.steps, ours.confidence) == ("pieapp", 100, 0.0)
    assert ours.scale == Scale("cross_entropy", 0.1, 1.0)


def test_what_is_left_to_auto_goes_with_the_cost_and_what_is_set_stays() -> None:
    assert PerceptualDro(cost="lpips").scale == Scale("lead", 0.002, 150.0)
    mixed = PerceptualDro(cost="lpips", loss="cross_entropy", step_size=0.5)
    assert mixed.scale == Scale("cross_entropy", 0.5, 150.0)
    assert PerceptualDro(cost="ssim", weight=7.0).scale == Scale("cross_entropy", 0.1, 7.0)


@pytest.mark.parametrize("cost", ["ssim", "l2"])
def test_it_is_algorithm_3_1_image_by_image(cost: str) -> None:
    x = pictures(5, 3, 13).double()
    model, y = classified(x)
    counted = Counted(model)
    method = PerceptualDro(cost=cost, weight=0.7, step_size=0.02, confidence=0.2)  # type: ignore[arg-type]
    attacked = method.perturb(counted, x, y, context())
    name = {"ssim": "ssim_same"}.get(cost, cost)
    steps = []
    for i in range(len(x)):
        original, label = x[i : i + 1], y[i : i + 1]
        distance, here, taken = load(name)(original), original.clone(), 0
        for _ in range(100):
            logits = model(here.requires_grad_())
            others = torch.cat([logits[0, : label[0]], logits[0, label[0] + 1 :]])
            if others.max() - logits[0, label[0]] > 0.2:
                break
            objective = F.cross_entropy(logits, label) - 0.7 * distance(here)[0]
            (delta,) = torch.autograd.grad(objective, here)
            here, taken = (here + 0.02 * delta).clamp(0, 1).detach(), taken + 1
        assert torch.allclose(attacked[i], here[0].detach(), atol=1e-12)
        steps.append(taken)
    assert counted.steps == sum(steps) + len(steps)  # and a last look at each
    assert len(set(steps)) > 1


def test_a_heavier_weight_ends_looking_more_alike() -> None:
    x = pictures(6, 1, 14)
    model, y = classified(x)
    distance = load("ssim_same")(x)
    steps = {"step_size": 0.0005, "steps": 2000}  # so fine that all end at the boundary itself
    ends = [
        PerceptualDro(cost="ssim", weight=w, **steps).perturb(model, x, y, context())  # type: ignore[arg-type]
        for w in (0.0, 300.0)
    ]
    assert all(fooled(model, end, y).all() for end in ends)
    away = [distance(end) for end in ends]
    assert away[1].mean() < 0.9 * away[0].mean()


def test_confidence_moves_further_and_leads_by_more() -> None:
    x = pictures(6)
    model, y = classified(x)
    ends = [
        PerceptualDro(cost="ssim", confidence=a, step_size=0.01).perturb(model, x, y, context())
        for a in (0.0, 1.0)
    ]
    assert (lead(model(ends[1]), y) > 1.0).all()
    away = [(end - x).flatten(1).norm(dim=1) for end in ends]
    assert (away[1] > away[0]).all()


@pytest.mark.parametrize("cost", ["ssim", "ssim_step"])
def test_quantised_it_returns_8_bit_images(cost: str) -> None:
    x = eight_bit(pictures(4))
    model, y = classified(x)
    method = PerceptualDro(cost=cost, quantised=True, step_size=0.05, epsilon=1.0)  # type: ignore[arg-type]
    attacked = method.perturb(model, x, y, context())
    assert torch.equal((attacked * 255).round() / 255, attacked)
    assert fooled(model, attacked, y).all()


def test_the_one_step_attack_is_equation_3_4() -> None:
    x = pictures(3, 1, 14)
    model, y = classified(x)
    attacked = PerceptualDro(cost="ssim_step", epsilon=0.7).perturb(model, x, y, context())
    assert torch.equal(attacked, one_step(model, x, y, 0.7).x)
    assert model.seen == 3 + 3


def test_lpips_is_a_cost_and_the_result_tells_of_its_weights(tmp_path: Path) -> None:
    room = tmp_path / "raw" / "weights"
    with random_network("squeezenet1_1", tmp_path):
        channels = ARCHITECTURES["squeeze"].channels
        heads = {f"lin{i}.model.1.weight": torch.ones(1, c, 1, 1) for i, c in enumerate(channels)}
        torch.save(heads, room / "lpips_v0.1_squeeze.pth")
        x = pictures(4, 3, 24)
        model, y = classified(x)
        on = context(data=tmp_path)
        method = PerceptualDro(cost="lpips", step_size=0.001, weight=2.0)
        attacked = method.perturb(model, x, y, on)
        assert fooled(model, attacked, y).all()
        cost = load("lpips_squeeze", weights=on.weights)
        climb = Ascent(gradient_step(0.001), 100, cost, 2.0, loss=lead)
        assert torch.equal(attacked, climb(model, x, y).x)
        assert on.chosen["loss"] == "lead"
        assert not torch.equal(
            attacked, Ascent(gradient_step(0.001), 100, loss=lead)(model, x, y).x
        )
    told = str(on.chosen["cost's weights"])
    assert told.count("NOT the official file") == 2
    assert "lpips_v0.1_squeeze.pth" in told


@pytest.mark.parametrize(
    ("cost", "file"), [("pieapp", "PieAPPv0.1.pth"), ("dists", "vgg16-397923af.pth")]
)
def test_missing_weights_skip_it_and_name_the_file(tmp_path: Path, cost: str, file: str) -> None:
    x = pictures(1)
    model, y = classified(x)
    both = {name: torch.rand(1, 1475, 1, 1) for name in ("alpha", "beta")}
    (tmp_path / "raw" / "weights").mkdir(parents=True)
    torch.save(both, tmp_path / "raw" / "weights" / "dists_weights.pt")
    with pytest.raises(Skip, match=file):
        PerceptualDro(cost=cost).perturb(model, x, y, context(data=tmp_path))  # type: ignore[arg-type]


def test_images_beyond_0_to_1_are_refused_loudly() -> None:
    x = pictures(2) * 255
    model, y = classified(x)
    with pytest.raises(ValueError, match="from 0 to 1 here"):
        PerceptualDro(cost="ssim").perturb(model, x, y, context())

"""SCAn: variation, untangling, the statistic on mixtures, and the outlier among classes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from bench.baselines.scan import Scan
from bench.errors import Skip
from bench.tracks.poisoning.untangling import anomaly, untangle, variation, whitening
from tests import tiny_poison


def noise(rows: int, width: int, seed: int = 0) -> Tensor:
    return torch.randn(rows, width, generator=tiny_poison.generator(seed), dtype=torch.double)


def test_variation_is_the_covariance_within_classes() -> None:
    spread = torch.tensor([1.0, 2, 3], dtype=torch.double)
    y = torch.arange(6000) % 3
    x = noise(6000, 3) * spread + 100 * y[:, None]
    assert torch.allclose(variation(x, y), spread.square().diag(), atol=0.4)
    by_class = [(x[y == c].T.cov()) for c in range(3)]
    assert torch.allclose(variation(x, y), sum(by_class) / 3)


def test_whitened_variation_is_unit_noise_and_dead_directions_do_not_explode() -> None:
    x = noise(2000, 4) * torch.tensor([5.0, 1, 0.5, 0], dtype=torch.double)
    white = x @ whitening(x.T.cov(), 1e-9)
    assert torch.allclose(white.T.cov().diag().sort().values[1:], torch.ones(3).double(), atol=1e-3)
    assert white.isfinite().all()


def test_the_statistic_is_what_the_squared_distances_lose_to_the_groups_means() -> None:
    x = noise(200, 3)
    x[:50, 0] += 6
    found = untangle(x, 100)
    groups = [x[found.smaller], x[~found.smaller]]
    within = sum((g - g.mean(dim=0)).square().sum() for g in groups)
    lost = (x - x.mean(dim=0)).square().sum() - within
    assert found.statistic.item() == pytest.approx(lost.item() / 200)


def test_a_mixture_is_untangled_into_its_parts() -> None:
    x = noise(400, 5)
    x[:60, 2] += 10
    found = untangle(x, 100)
    assert torch.equal(found.smaller, torch.arange(400) < 60)
    # p (1 - p) d^2 with p = .15 and d = 10 is 12.75; the noise moves the means a little.
    assert found.statistic.item() == pytest.approx(12.75, rel=0.1)


def test_one_normal_group_gains_what_halving_a_normal_gains() -> None:
    # Cut at its mean, a normal's variance along one direction falls by 2 / pi.
    assert untangle(noise(20000, 1), 100).statistic.item() == pytest.approx(2 / torch.pi, rel=0.03)


def test_permuting_the_samples_permutes_the_groups() -> None:
    x = noise(100, 3)
    x[:20] += 5
    order = torch.randperm(100, generator=tiny_poison.generator(2))
    assert torch.equal(untangle(x[order], 100).smaller, untangle(x, 100).smaller[order])


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_samples_that_are_all_alike_are_one_group(rows: int) -> None:
    found = untangle(torch.ones(rows, 3).double(), 100)
    assert not found.smaller.any()
    assert found.statistic == 0


def test_the_outlier_score_by_hand() -> None:
    # Median 3, deviations 2 1 0 1 97: their median is 1.
    found = anomaly(torch.tensor([1.0, 2, 3, 4, 100]))
    assert found.tolist() == pytest.approx([0, 0, 0, 1 / 1.4826, 97 / 1.4826])


def test_only_the_poisoned_class_is_flagged_and_of_it_the_poison() -> None:
    made = tiny_poison.poisoned(epochs=15)
    context = tiny_poison.context_on(made.task)
    found = Scan().defend(made.task, context)
    assert found.flagged is not None
    assert torch.equal(found.flagged, made.poison)
    assert float(context.chosen["J* of class 0"]) > Scan().outlier
    assert float(context.chosen["J* of class 1"]) < Scan().outlier


def test_two_classes_have_no_outlier() -> None:
    task = replace(tiny_poison.poisoned().task, classes=("no", "yes"))
    with pytest.raises(Skip, match="three classes"):
        Scan().defend(task, tiny_poison.context_on(task))

"""STRIP: entropy under overlays, a threshold from clean samples, and both of its uses."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from bench.baselines import strip
from bench.baselines.strip import Blend, Strip, Superposed, blended, entropy, low_quantile
from bench.errors import Skip
from tests import tiny_poison


class ByColour(nn.Module):
    """Two logits: 0, and the mean pixel less 100."""

    def forward(self, x: Tensor) -> Tensor:
        brightness = x.flatten(1).mean(dim=1) - 100
        return torch.stack([torch.zeros_like(brightness), brightness], dim=1)


def flat(*values: int) -> Tensor:
    """Pictures of one grey each."""
    return torch.tensor(values).view(-1, 1, 1, 1).expand(-1, 3, 2, 2).to(torch.uint8)


# --- Entropy ---


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        ([0.5, 0.5], math.log(2)),
        ([0.25] * 4, math.log(4)),
        ([0.9, 0.1], -0.9 * math.log(0.9) - 0.1 * math.log(0.1)),
    ],
)
def test_entropy_in_nats_over_the_classes(p: list[float], expected: float) -> None:
    logits = torch.tensor([p, p]).log() + 3  # a softmax ignores what all logits have in common
    assert entropy(logits).tolist() == pytest.approx([expected] * 2, abs=1e-6)


def test_a_certain_prediction_has_no_entropy() -> None:
    assert entropy(torch.tensor([[1000.0, 0, 0]])).tolist() == [0]


@pytest.mark.parametrize(
    ("blend", "expected"), [("sum", [300, 110]), ("clipped", [255, 110]), ("mean", [150, 55])]
)
def test_how_an_overlay_is_laid_over(blend: Blend, expected: list[float]) -> None:
    x = flat(200, 10).float()
    assert blended(x, torch.tensor(100.0), blend)[:, 0, 0, 0].tolist() == expected
    assert x[:, 0, 0, 0].tolist() == [200, 10]


def test_the_mean_entropy_of_a_superposition_by_hand() -> None:
    # Pixels of 40 under overlays of 60 and 62: means 100 and 102, logits 0 and 2 over 0.
    found = Superposed(ByColour(), flat(60, 62), "sum")(flat(40, 40))
    certain = 1 / (1 + math.exp(-2))
    unsure = -certain * math.log(certain) - (1 - certain) * math.log(1 - certain)
    expected = (math.log(2) + unsure) / 2
    assert found.tolist() == [pytest.approx([expected], abs=1e-6)] * 2


def test_bytes_do_not_wrap_around() -> None:
    # 200 + 200 as bytes would be 144, whose logit is 44.
    clipped = Superposed(ByColour(), flat(200), "clipped")(flat(200))
    assert clipped.item() == pytest.approx(entropy(torch.tensor([[0.0, 155]])).item(), abs=1e-6)


def test_in_a_batch_and_one_by_one_the_entropies_are_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = tiny_poison.poisoned().task
    superposed = Superposed(task.victim, task.reserve.x[:5], "clipped").eval()
    x = task.train.x[:7]
    together = superposed(x)
    alone = torch.cat([superposed(x[i : i + 1]) for i in range(7)])
    assert torch.allclose(together, alone, atol=1e-6)
    monkeypatch.setattr(strip, "AT_ONCE", 400)  # two pictures
    assert torch.allclose(superposed(x), alone, atol=1e-6)


def test_the_threshold_is_the_quantile_of_a_fitted_normal() -> None:
    values = torch.randn(500, generator=tiny_poison.generator(0)) * 0.1 + 1
    x = values.numpy()
    expected = norm.ppf(0.01, x.mean(), x.std(ddof=1))
    assert low_quantile(values, 0.01) == (pytest.approx(expected, rel=1e-5), "fitted normal")


def test_where_that_is_no_entropy_the_clean_samples_own_quantile_takes_its_place() -> None:
    values = torch.linspace(0, 1, 101).square()
    assert low_quantile(values, 0.01) == (pytest.approx(0.01**2), "clean samples")


# --- The defence ---


def test_as_a_cleanser_it_flags_the_poison_of_a_backdoored_victim() -> None:
    made = tiny_poison.poisoned(epochs=15)
    found = Strip().defend(made.task, tiny_poison.context_on(made.task))
    assert found.flagged is not None
    assert found.suspicion is not None
    assert roc_auc_score(made.poison.numpy(), found.suspicion.numpy()) > 0.99
    assert found.flagged[made.poison].float().mean() > 0.9
    assert found.flagged[~made.poison].float().mean() < 0.1
    assert found.filter is None
    assert found.model is None


def test_suspicion_is_minus_entropy_and_what_falls_below_the_threshold_is_flagged() -> None:
    task = tiny_poison.poisoned().task
    context = tiny_poison.context_on(task)
    found = Strip().defend(task, context)
    assert found.flagged is not None
    assert found.suspicion is not None
    assert (found.suspicion <= 0).all()
    lowest = float(context.chosen["entropy threshold"])
    assert torch.equal(found.flagged, -found.suspicion < lowest)


def test_as_a_filter_it_turns_triggered_inputs_away_and_leaves_the_victim() -> None:
    made = tiny_poison.poisoned(epochs=15)
    found = Strip(mode="filter").defend(made.task, tiny_poison.context_on(made.task))
    assert found.filter is not None
    assert found.flagged is None
    assert found.model is None
    y = torch.arange(40) % tiny_poison.CLASSES
    clean = tiny_poison.pictures(y, 9)
    split = tiny_poison.split(clean, y)
    triggered = split.with_x(tiny_poison.with_trigger(clean))
    assert (found.filter(split.inputs) > found.threshold).float().mean() < 0.1
    assert (found.filter(triggered.inputs) > found.threshold).float().mean() > 0.9


def test_the_samples_that_set_the_threshold_are_laid_over_nothing() -> None:
    task = tiny_poison.poisoned(reserve=30).task
    context = tiny_poison.context_on(task)
    method = Strip(overlays=10)
    overlays, others = method._divided_reserve(task, context)
    assert (len(overlays), len(others)) == (10, 20)
    found = {tuple(x.flatten().tolist()) for x in overlays}
    assert found.isdisjoint({tuple(x.flatten().tolist()) for x in others.everything()})


def test_a_small_reserve_is_halved_and_the_result_says_so() -> None:
    task = tiny_poison.poisoned(reserve=30).task
    context = tiny_poison.context_on(task)
    Strip().defend(task, context)
    assert context.chosen["overlays"] == 15


def test_features_know_no_limits_so_clipped_is_sum() -> None:
    task = tiny_poison.poisoned("table").task
    scores = [
        Strip(blend=blend).defend(task, tiny_poison.context_on(task)).suspicion
        for blend in ("clipped", "sum")
    ]
    assert torch.equal(*scores)


def test_it_needs_inputs_that_can_be_blended_and_some_clean_ones() -> None:
    task = tiny_poison.poisoned().task
    with pytest.raises(Skip, match="words"):
        Strip().defend(replace(task, kind="text"), tiny_poison.context_on(task))
    few = replace(task, reserve=task.reserve.subset(torch.arange(3)))
    with pytest.raises(Skip, match="too few"):
        Strip().defend(few, tiny_poison.context_on(task))


def test_every_draw_is_the_seeds() -> None:
    first, again, other = (
        Strip(overlays=5).defend(task, tiny_poison.context_on(task)).suspicion
        for task in (tiny_poison.poisoned(seed=seed).task for seed in (0, 0, 1))
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)

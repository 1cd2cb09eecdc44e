"""STRIP and Neural Cleanse beside plain loops written from the papers' formulas.

One sample, one overlay, one class at a time, as the formulas read; no batch is shared with the
methods. It prints how much faster they are.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import TypeVar

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from bench.baselines.neural_cleanse import NeuralCleanse
from bench.baselines.strip import Strip
from tests import tiny_poison

R = TypeVar("R")


@pytest.fixture(scope="module")
def backdoored() -> tiny_poison.Poisoned:
    return tiny_poison.poisoned(epochs=15)


def timed(work: Callable[[], R]) -> tuple[R, float]:
    begin = time.perf_counter()
    result = work()
    return result, time.perf_counter() - begin


def told(words: str) -> None:
    sys.stdout.write(f"\n{words}\n")


# --- STRIP, Gao et al. (2019), equations 2 to 4 ---


def entropy_sum(model: nn.Module, x: Tensor, overlays: Tensor) -> float:
    """H_sum of one input: minus the sum over overlays and classes of y log2 y."""
    total = 0.0
    for overlay in overlays:
        blend = np.clip(x.numpy().astype(int) + overlay.numpy().astype(int), 0, 255)
        logits = model(torch.from_numpy(blend).float()[None])[0].double().tolist()
        largest = max(logits)
        powers = [math.exp(logit - largest) for logit in logits]
        for power in powers:
            y = power / sum(powers)
            total -= y * math.log2(y) if y else 0.0
    return total


def test_strip_ranks_and_flags_what_a_plain_loop_ranks_and_flags(
    backdoored: tiny_poison.Poisoned, capsys: pytest.CaptureFixture[str]
) -> None:
    task, method = backdoored.task, Strip(overlays=10)
    context = tiny_poison.context_on(task)
    overlays, others = method._divided_reserve(task, context)

    def plain() -> list[list[float]]:
        with torch.no_grad():
            return [
                [entropy_sum(task.victim, x, overlays) / len(overlays) for x in samples]
                for samples in (task.train.x, others.everything())
            ]

    found, ours = timed(lambda: method.defend(task, context))
    (suspects, clean), theirs = timed(plain)
    assert found.suspicion is not None
    assert found.flagged is not None
    in_bits = -found.suspicion.numpy() / math.log(2)
    assert np.allclose(in_bits, suspects, atol=1e-5)
    poison = backdoored.poison.numpy()
    plain_auroc = roc_auc_score(poison, -np.array(suspects))
    assert roc_auc_score(poison, found.suspicion.numpy()) == pytest.approx(plain_auroc, abs=1e-9)
    # 2.3263 deviations below the mean is the 1 % quantile of a normal.
    boundary = np.mean(clean) - 2.3263 * np.std(clean, ddof=1)
    if boundary <= 0:
        boundary = np.quantile(clean, 0.01)
    apart = np.abs(np.array(suspects) - boundary) > 1e-4
    flagged = np.array(suspects) < boundary
    assert np.array_equal(found.flagged.numpy()[apart], flagged[apart])
    with capsys.disabled():
        told(f"STRIP: AUROC {plain_auroc:.3f}, {theirs / ours:.0f} times as fast as a loop")
    assert ours < theirs


# --- Neural Cleanse, Wang et al. (2019), equations 2 and 3, section IV.C ---


def reversed_norm(model: nn.Module, x: Tensor, target: int, rounds: int, seed: int) -> float:
    """|m| of the smallest mask with which 99 % of `x` are taken for `target`.

    The weight of |m| doubles after five rounds of success and falls by 2^1.5 after five without,
    as in the authors' code.
    """
    random = tiny_poison.generator(seed)
    mask_raw = torch.randn(1, *x.shape[2:], generator=random, requires_grad=True)
    pattern_raw = torch.randn(x.shape[1:], generator=random, requires_grad=True)
    optimiser = torch.optim.Adam([mask_raw, pattern_raw], lr=0.1, betas=(0.5, 0.9))
    weight, above, below, smallest = 0.0, 0, 0, math.inf
    for _ in range(rounds):
        hits = 0
        for index in torch.randperm(len(x), generator=random).split(8):
            m, p = (mask_raw.tanh() + 1) / 2, (pattern_raw.tanh() + 1) / 2 * 255
            logits = model((1 - m) * x[index].float() + m * p)
            aim = torch.full((len(index),), target)
            loss = nn.functional.cross_entropy(logits, aim) + weight * m.abs().sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            hits += int((logits.argmax(1) == target).sum())
        success = hits / len(x) >= 0.99
        norm = ((mask_raw.detach().tanh() + 1) / 2).sum().item()
        if success:
            smallest = min(smallest, norm)
        above, below = (above + 1, 0) if success else (0, below + 1)
        if above == 5:
            weight, above = (weight * 2 if weight else 1e-3), 0
        if below == 5 and weight:
            weight, below = weight / 2**1.5, 0
    return smallest if smallest < math.inf else norm


def outliers(norms: list[float]) -> list[int]:
    """Classes whose norm lies below the median and more than two deviations away."""
    middle = median(norms)
    mad = 1.4826 * median(abs(norm - middle) for norm in norms)
    return [c for c, norm in enumerate(norms) if norm < middle and (middle - norm) / mad > 2]


def test_neural_cleanse_flags_what_a_plain_loop_flags(
    backdoored: tiny_poison.Poisoned, capsys: pytest.CaptureFixture[str]
) -> None:
    task, rounds = backdoored.task, 60
    context = tiny_poison.context_on(task)
    method = NeuralCleanse(rounds=rounds, batch_size=8, patience=5)

    def plain() -> list[float]:
        return [
            reversed_norm(task.victim, task.reserve.x, c, rounds, seed=c)
            for c in range(tiny_poison.CLASSES)
        ]

    triggers, ours = timed(lambda: method.reversed_triggers(task, context))
    norms, theirs = timed(plain)
    assert outliers(norms) == outliers(triggers.norms.tolist()) == [tiny_poison.TARGET]
    with torch.no_grad():
        said = task.victim(triggers.stamp_all(task.reserve.x)).argmax(1).view(len(norms), -1)
    success = (said == torch.arange(len(norms))[:, None]).double().mean(1)
    assert success.min() >= 0.9  # the last step comes after the round's rate was taken
    for mine, other in zip(triggers.norms.tolist(), norms, strict=True):
        assert mine == pytest.approx(other, rel=0.35)  # other starts, other orders
    with capsys.disabled():
        told(f"Neural Cleanse: {theirs / ours:.1f} times as fast as a loop over classes")

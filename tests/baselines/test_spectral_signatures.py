"""Spectral signatures: the score against an SVD, and how many are removed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from bench.baselines.spectral_signatures import SpectralSignatures, outlier_scores
from tests import tiny_poison


def test_scores_are_squared_products_with_numpys_top_right_singular_vector() -> None:
    x = torch.randn(30, 5, generator=tiny_poison.generator(0)) * torch.arange(1, 6) + 10
    centred = x.double().numpy() - x.double().numpy().mean(axis=0)
    top = np.linalg.svd(centred)[2][0]
    assert np.allclose(outlier_scores(x), (centred @ top) ** 2)


def test_rows_are_centred_first() -> None:
    x = torch.randn(30, 5, generator=tiny_poison.generator(0))
    assert torch.allclose(outlier_scores(x), outlier_scores(x + 1000), atol=1e-2)


def test_one_outlier_among_equals_by_hand() -> None:
    # Mean 1: the first three lie 1 below it, the last 3 above.
    assert outlier_scores(torch.tensor([[0.0], [0], [0], [4]])).tolist() == [1, 1, 1, 9]


@pytest.mark.parametrize("rows", [0, 1])
def test_a_class_with_nobody_to_compare_has_scores_of_zero(rows: int) -> None:
    assert outlier_scores(torch.ones(rows, 3)).tolist() == [0] * rows


@pytest.mark.parametrize("eps", [0.05, 0.1, 0.3])
def test_of_every_class_the_top_one_and_a_half_eps_are_removed(eps: float) -> None:
    made = tiny_poison.poisoned(epochs=5)
    task = made.task
    found = SpectralSignatures(eps=eps).defend(task, tiny_poison.context_on(task))
    assert found.flagged is not None
    assert found.suspicion is not None
    for label in range(tiny_poison.CLASSES):
        of_class = task.train.y == label
        removed = found.flagged & of_class
        assert removed.sum() == int(1.5 * eps * of_class.sum())
        assert found.suspicion[removed].min() >= found.suspicion[of_class & ~removed].max()


def test_the_poison_of_a_backdoored_victim_stands_out() -> None:
    made = tiny_poison.poisoned(epochs=15)
    found = SpectralSignatures().defend(made.task, tiny_poison.context_on(made.task))
    assert found.suspicion is not None
    of_target = made.task.train.y == tiny_poison.TARGET
    poison, scores = made.poison[of_target].numpy(), found.suspicion[of_target].numpy()
    assert roc_auc_score(poison, scores) > 0.95

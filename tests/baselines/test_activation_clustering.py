"""Activation clustering: which cluster of a class is removed, and when none is."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tiny_poison
import torch

from baselines.activation_clustering import ActivationClustering

METHODS = [ActivationClustering(reduction="pca"), ActivationClustering(reduction="ica")]
either = pytest.mark.parametrize("method", METHODS, ids=["pca", "ica"])


def blobs(first: int, second: int, apart: float = 20.0, width: int = 4) -> npt.NDArray[Any]:
    """Unit noise around two centres; the second's samples come last."""
    random = np.random.default_rng(0)
    x = random.normal(size=(first + second, width))
    x[first:] += apart
    return x.astype(np.float32)


@either
def test_of_two_blobs_the_smaller_is_flagged(method: ActivationClustering) -> None:
    flagged = method.suspects(blobs(80, 20), seed=0)
    assert flagged.tolist() == [False] * 80 + [True] * 20


@either
def test_permuting_the_samples_permutes_the_flags(method: ActivationClustering) -> None:
    order = np.random.default_rng(1).permutation(100)
    x = blobs(80, 20)
    assert np.array_equal(method.suspects(x[order], 0), method.suspects(x, 0)[order])


@either
def test_a_smaller_cluster_that_is_not_small_is_left(method: ActivationClustering) -> None:
    assert not method.suspects(blobs(60, 40), seed=0).any()
    assert method.suspects(blobs(66, 34), seed=0).sum() == 34


def test_clusters_that_do_not_stand_apart_are_left() -> None:
    x = blobs(80, 20)
    strict = ActivationClustering(reduction="pca", silhouette=0.99)
    assert not strict.suspects(x, seed=0).any()


@either
@pytest.mark.parametrize("rows", [0, 1, 2, 10])
def test_a_class_of_few_or_equal_samples_has_no_clusters(
    method: ActivationClustering, rows: int
) -> None:
    assert method.suspects(np.ones((rows, 4), np.float32), seed=0).tolist() == [False] * rows


def test_activations_of_ten_dimensions_and_more_come_down_to_ten() -> None:
    method = ActivationClustering(reduction="pca")
    x = np.random.default_rng(0).normal(size=(50, 30))
    assert method._reduced(x, 0).shape == (50, 10)
    assert method._reduced(x[:, :3], 0).shape == (50, 3)
    assert method._reduced(np.repeat(x[:, :2], 8, axis=1), 0).shape == (50, 2)


def test_it_flags_within_published_classes_and_gives_no_scores() -> None:
    made = tiny_poison.poisoned(epochs=15)
    method = ActivationClustering(reduction="pca")
    found = method.defend(made.task, tiny_poison.trial_on(made.task))
    assert found.flagged is not None
    assert found.suspicion is None
    embedded = made.task.victim.embed(made.task.train.x).numpy()
    for label in range(tiny_poison.CLASSES):
        rows = made.task.train.y == label
        assert torch.equal(
            found.flagged[rows], torch.from_numpy(method.suspects(embedded[rows.numpy()], 0))
        )

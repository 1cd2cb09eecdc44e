"""Activation clustering: which cluster of a class is removed, and when none is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA, FastICA
from sklearn.metrics import silhouette_score
from torch import Tensor

from bench.baselines.activation_clustering import (
    ActivationClustering,
    reduced,
    silhouette,
    two_means,
)
from tests import tiny_poison

METHODS = [ActivationClustering(reduction="pca"), ActivationClustering(reduction="ica")]
either = pytest.mark.parametrize("method", METHODS, ids=["pca", "ica"])


def noise(rows: int, width: int) -> Tensor:
    return torch.randn(rows, width, generator=tiny_poison.generator(0))


def blobs(first: int, second: int, apart: float = 20.0) -> Tensor:
    """Unit noise around two centres; the second's samples come last."""
    x = noise(first + second, 4)
    x[first:] += apart
    return x


@either
def test_of_two_blobs_the_smaller_is_flagged(method: ActivationClustering) -> None:
    flagged = method.suspects(blobs(80, 20), tiny_poison.generator(0))
    assert flagged.tolist() == [False] * 80 + [True] * 20


@either
def test_permuting_the_samples_permutes_the_flags(method: ActivationClustering) -> None:
    order = torch.randperm(100, generator=tiny_poison.generator(1))
    x = blobs(80, 20)
    assert torch.equal(
        method.suspects(x[order], tiny_poison.generator(0)),
        method.suspects(x, tiny_poison.generator(0))[order],
    )


@either
def test_a_smaller_cluster_that_is_not_small_is_left(method: ActivationClustering) -> None:
    assert not method.suspects(blobs(60, 40), tiny_poison.generator(0)).any()
    assert method.suspects(blobs(66, 34), tiny_poison.generator(0)).sum() == 34


def test_clusters_that_do_not_stand_apart_are_left() -> None:
    x = blobs(80, 20)
    strict = ActivationClustering(reduction="pca", silhouette=0.99)
    assert not strict.suspects(x, tiny_poison.generator(0)).any()


@either
@pytest.mark.parametrize("rows", [0, 1, 2, 10])
def test_a_class_of_few_or_equal_samples_has_no_clusters(
    method: ActivationClustering, rows: int
) -> None:
    assert method.suspects(torch.ones(rows, 4), tiny_poison.generator(0)).tolist() == [False] * rows


@pytest.mark.parametrize(
    ("width", "dimensions", "left"), [(30, 10, 10), (3, 10, 3), (30, 4, 4), (30, 100, 30)]
)
def test_activations_come_down_to_ten_dimensions_or_what_they_span(
    width: int, dimensions: int, left: int
) -> None:
    assert reduced(noise(50, width), dimensions, whiten=True).shape == (50, left)
    # Repeated columns span no more.
    assert reduced(noise(50, width).repeat(1, 3), dimensions, whiten=False).shape == (50, left)


def test_unwhitened_components_are_scikit_learns() -> None:
    x = noise(60, 8) * torch.arange(1, 9)
    ours, theirs = reduced(x, 3, whiten=False).flip(1), PCA(3).fit_transform(x.double().numpy())
    assert np.allclose(ours.abs(), np.abs(theirs))


def test_distances_between_whitened_components_are_those_between_independent_ones() -> None:
    x = noise(300, 6).exp()  # skewed, so that there is something to find
    independent = FastICA(4, whiten="unit-variance", random_state=0).fit_transform(
        x.double().numpy()
    )
    theirs = torch.from_numpy(independent)
    ours = reduced(x, 4, whiten=True)
    assert torch.allclose(torch.cdist(ours, ours), torch.cdist(theirs, theirs), atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_two_means_finds_what_scikit_learn_finds_with_as_many_starts(seed: int) -> None:
    x = torch.randn(200, 3, generator=tiny_poison.generator(seed), dtype=torch.double).exp()
    theirs = KMeans(2, n_init=100, random_state=0).fit(x.numpy())
    second = two_means(x, 100, tiny_poison.generator(0))
    clusters = [x[second], x[~second]]
    within = sum((c - c.mean(dim=0)).square().sum().item() for c in clusters)
    assert within == pytest.approx(theirs.inertia_, rel=1e-6)


def test_silhouettes_are_scikit_learns() -> None:
    x = blobs(70, 30, apart=2).double()
    for second in (torch.arange(100) >= 70, torch.arange(100) == 5):
        expected = silhouette_score(x.numpy(), second.numpy())
        assert silhouette(x, second) == pytest.approx(expected)


def test_it_flags_within_published_classes_and_gives_no_scores() -> None:
    made = tiny_poison.poisoned(epochs=15)
    method = ActivationClustering(reduction="pca")
    found = method.defend(made.task, tiny_poison.context_on(made.task))
    assert found.flagged is not None
    assert found.suspicion is None
    embedded = made.task.victim.embed(made.task.train.x)
    for label in range(tiny_poison.CLASSES):
        rows = made.task.train.y == label
        assert torch.equal(
            found.flagged[rows], method.suspects(embedded[rows], tiny_poison.generator(label))
        )

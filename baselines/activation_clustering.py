"""Activation clustering: a class whose activations fall into two clusters, one small, has poison."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import nn

from benchmarks.learning.loop import Trial
from benchmarks.learning.split import seed_for
from benchmarks.method import Paper
from benchmarks.tracks.poisoning.contract import Defence, Defender, PoisoningTask

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class ActivationClustering(Defender):
    """Chen et al. (2018), Algorithm 1 and section "Exclusionary reclassification and others".

    The victim's last hidden activations of all samples published as one class are brought to ten
    dimensions and split by 2-means. The smaller cluster is removed where it is small enough and
    the two are apart. It gives no sample a score.
    """

    paper: ClassVar[Paper] = Paper(
        "Chen et al. (2018)",
        "Detecting backdoor attacks on deep neural networks by activation clustering",
        "https://arxiv.org/abs/1811.03728",
    )

    reduction: Literal["ica", "pca"] = "ica"
    """How activations lose dimensions: independent components are the paper's."""
    dimensions: Annotated[int, Field(ge=1)] = 10
    """That are left; 10 is the paper's."""
    smaller: Annotated[float, Field(gt=0, le=0.5)] = 0.35
    """Share of a class below which its smaller cluster is suspicious: poison up to 33 % is what
    the paper tries."""
    silhouette: Annotated[float, Field(ge=-1, le=1)] = 0.1
    """Silhouette score above which there are two clusters: .10 to .15 in the paper."""

    def defend(self, task: PoisoningTask, trial: Trial) -> Defence:
        """Cluster class by class."""
        embed = nn.Sequential(task.victim.encoder, task.victim.neck)
        activations = trial.predict(embed, task.train.inputs).cpu().numpy()
        y = task.train.y.cpu().numpy()
        flagged = np.zeros(len(y), dtype=bool)
        seed = seed_for(trial.seed, "activation clustering") % 2**32
        for label in range(len(task.classes)):
            rows = (y == label).nonzero()[0]
            flagged[rows] = self.suspects(activations[rows], seed)
        return Defence(flagged=torch.from_numpy(flagged).to(task.device))

    def suspects(self, activations: Array, seed: int) -> Array:
        """Which samples of one class lie in a cluster that is small and stands apart, [m] bool."""
        from sklearn.cluster import KMeans  # noqa: PLC0415 - takes seconds, for this method alone
        from sklearn.metrics import silhouette_score  # noqa: PLC0415 - as above

        nobody = np.zeros(len(activations), dtype=bool)
        if len(activations) < 3 or not activations.std(axis=0).any():
            return nobody
        reduced = self._reduced(activations, seed)
        cluster = KMeans(2, n_init=10, random_state=seed).fit_predict(reduced)
        second = cluster == 1
        small = second if second.mean() < 0.5 else ~second
        if not 0 < small.mean() < self.smaller:
            return nobody
        apart = silhouette_score(reduced, cluster) > self.silhouette
        return small if apart else nobody

    def _reduced(self, activations: Array, seed: int) -> Array:
        """Activations in few dimensions, [m, dimensions] or fewer, where they span no more."""
        from sklearn.decomposition import PCA, FastICA  # noqa: PLC0415 - as above
        from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415 - as above

        centred = activations.astype(np.float64) - activations.mean(axis=0)
        kept = min(self.dimensions, np.linalg.matrix_rank(centred))
        if self.reduction == "pca":
            return PCA(kept, random_state=seed).fit_transform(centred)
        ica = FastICA(kept, whiten="unit-variance", random_state=seed)
        with warnings.catch_warnings():
            # Directions of pure noise never settle; the clusters do not depend on them.
            warnings.simplefilter("ignore", ConvergenceWarning)
            return ica.fit_transform(centred)

"""Activation clustering: poison makes a small cluster of its own in its class's activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from benchmarks.learning.loop import Trial
from benchmarks.learning.split import seed_for
from benchmarks.method import Paper
from benchmarks.tracks.poisoning.contract import Defence, Defender, PoisoningTask

SPANNED = 1e-6  # of the largest variance: below is what rounding leaves of dead units


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
    """How activations lose dimensions: independent components, all of variance 1, are the paper's;
    pca keeps the variances."""
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
        activations = trial.predict(embed, task.train.inputs)
        flagged = torch.zeros(len(task.train), dtype=torch.bool, device=task.device)
        seed = seed_for(trial.seed, "activation clustering") % 2**32  # what scikit-learn takes
        for label in range(len(task.classes)):
            rows = (task.train.y == label).nonzero()[:, 0]
            flagged[rows] = self.suspects(activations[rows], seed).to(task.device)
        return Defence(flagged=flagged)

    def suspects(self, activations: Tensor, seed: int) -> Tensor:
        """Which samples of one class lie in a cluster that is small and stands apart, [m] bool."""
        from sklearn.cluster import KMeans  # noqa: PLC0415 - takes seconds, for this method alone
        from sklearn.metrics import silhouette_score  # noqa: PLC0415 - as above

        nobody = torch.zeros(len(activations), dtype=torch.bool)
        components = reduced(activations, self.dimensions, self.reduction == "ica").cpu().numpy()
        if len(components) < 3 or not components.size:
            return nobody
        cluster = KMeans(2, n_init=10, random_state=seed).fit_predict(components)
        second = torch.from_numpy(cluster == 1)
        small = second if second.double().mean() < 0.5 else ~second
        if small.double().mean() >= self.smaller:
            return nobody
        return small if silhouette_score(components, cluster) > self.silhouette else nobody


def reduced(activations: Tensor, dimensions: int, whiten: bool) -> Tensor:
    """Principal components of a class's activations [m, d], fewer where they span no more.

    Whitened they stand for the independent ones: those are a rotation of these, and distances,
    all that 2-means and the silhouette score see, stay the same under it.
    """
    centred = activations.double() - activations.double().mean(dim=0)
    values, vectors = torch.linalg.eigh(centred.T @ centred / max(1, len(centred)))
    spanned = int((values > SPANNED * values[-1]).sum()) if values[-1] > 0 else 0
    kept = slice(len(values) - min(dimensions, spanned), None)
    components = centred @ vectors[:, kept]
    return components / values[kept].sqrt() if whiten else components

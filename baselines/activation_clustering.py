"""Activation clustering: poison makes a small cluster of its own in its class's activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from bench.learning.loop import Context
from bench.method import Paper
from bench.tracks.poisoning.contract import Defence, Defender, PoisoningTask

ROUNDS = 300  # of 2-means at most
ROWS = 1024  # of distances held at once
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

    starts: Annotated[int, Field(ge=1)] = 100
    """Of 2-means, the best of which counts. The paper says nothing of them; with ten, one run in
    three missed poison that stood apart."""

    def defend(self, task: PoisoningTask, context: Context) -> Defence:
        """Cluster class by class."""
        embed = nn.Sequential(task.victim.encoder, task.victim.neck)
        activations = context.predict(embed, task.train.inputs)
        flagged = torch.zeros(len(task.train), dtype=torch.bool, device=task.device)
        random = context.generator("activation clustering/starts")
        for label in range(len(task.classes)):
            rows = (task.train.y == label).nonzero()[:, 0]
            flagged[rows] = self.suspects(activations[rows], random)
        return Defence(flagged=flagged)

    def suspects(self, activations: Tensor, random: torch.Generator) -> Tensor:
        """Which samples of one class lie in a cluster that is small and stands apart, [m] bool."""
        nobody = torch.zeros(len(activations), dtype=torch.bool, device=activations.device)
        if len(activations) < 3:
            return nobody
        components = reduced(activations, self.dimensions, self.reduction == "ica")
        second = two_means(components, self.starts, random)
        small = second if second.double().mean() < 0.5 else ~second
        if not 0 < small.double().mean() < self.smaller:
            return nobody
        return small if silhouette(components, small) > self.silhouette else nobody


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


def two_means(x: Tensor, starts: int, random: torch.Generator) -> Tensor:
    """The second of two clusters of `x` [m, d], the best of many starts run side by side, [m] bool.

    A start is a sample and another, drawn by its squared distance to the first (k-means++).
    """
    if not x.numel():
        return torch.zeros(len(x), dtype=torch.bool, device=x.device)
    first = torch.randint(len(x), (starts,), generator=random).to(x.device)
    luck = torch.rand(starts, 1, generator=random, dtype=torch.double).to(x.device)
    far = torch.cdist(x[first], x).square().cumsum(dim=1)
    other = torch.searchsorted(far, luck * far[:, -1:])[:, 0].clamp(max=len(x) - 1)
    second = nearer(x, x[first], x[other])
    for _ in range(ROUNDS):
        moved = nearer(x, *means(x, second))
        if torch.equal(moved, second):
            break
        second = moved
    # The scatter between clusters, which is largest where that within them is smallest.
    share = second.double().mean(dim=0)
    ones, others = means(x, second)
    between = share * (1 - share) * (ones - others).square().sum(dim=1)
    return second[:, between.argmax()]


def means(x: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Centres of both clusters of every start, [starts, d] each; of an empty one, 0."""

    def centre(inside: Tensor) -> Tensor:
        return inside.T @ x / inside.sum(dim=0)[:, None].clamp_min(1)

    return centre((~second).double()), centre(second.double())


def nearer(x: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Whose second centre is the nearer one, for every start: [m, starts] bool."""
    return (x @ (second - first).T) > (second.square() - first.square()).sum(dim=1) / 2


def silhouette(x: Tensor, second: Tensor) -> float:
    """Mean silhouette score of two clusters (Rousseeuw 1987), a part of the rows at a time.

    For each sample (b - a) / max(a, b), with the mean distance a to the others of its cluster and
    b to those of the other cluster; 0 where a cluster holds one sample alone.
    """
    member = torch.stack([~second, second], dim=1).double()
    sizes = member.sum(dim=0)
    scores = []
    for rows in torch.arange(len(x), device=x.device).split(ROWS):
        total = torch.cdist(x[rows], x) @ member
        own = second[rows].long()[:, None]
        mine, theirs = sizes[own], sizes[1 - own]
        a = total.gather(1, own) / (mine - 1).clamp_min(1)
        b = total.gather(1, 1 - own) / theirs
        scores.append(torch.where(mine > 1, (b - a) / torch.maximum(a, b), 0))
    return torch.cat(scores).mean().item()

"""Activation clustering: poison forms a small cluster of its own among a class's activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from bench.learning.loop import Context
from bench.method import Paper
from bench.tracks.poisoning.contract import Defence, Defender, PoisoningTask

ROUNDS = 300  # largest number of iterations of 2-means
ROWS = 1024  # rows of the distance matrix that are held at once
SPANNED = 1e-6  # share of the largest variance below which a component is only rounding


@dataclass(frozen=True)
class ActivationClustering(Defender):
    """Chen et al. (2018), Algorithm 1 and section "Exclusionary reclassification and others".

    The victim's last hidden activations of all samples published as one class are reduced to ten
    dimensions and split by 2-means. The smaller cluster is removed if it is small enough and the
    two clusters are well separated. Samples get no score.
    """

    paper: ClassVar[Paper] = Paper(
        "Chen et al. (2018)",
        "Detecting backdoor attacks on deep neural networks by activation clustering",
        "https://arxiv.org/abs/1811.03728",
    )

    reduction: Literal["ica", "pca"] = "ica"
    """How activations are reduced: to independent components of variance 1 (ica, the paper's) or
    to principal components with their variances (pca)."""
    dimensions: Annotated[int, Field(ge=1)] = 10
    """Number of components that are kept; 10 is the paper's."""
    smaller: Annotated[float, Field(gt=0, le=0.5)] = 0.35
    """Share of a class below which its smaller cluster is suspicious; the paper poisons up to
    33 % of a class."""
    silhouette: Annotated[float, Field(ge=-1, le=1)] = 0.1
    """Silhouette score above which there are two clusters; .10 to .15 in the paper."""

    starts: Annotated[int, Field(ge=1)] = 100
    """Number of random starts of 2-means, of which the best counts. The paper gives none; with
    ten, one run in three missed poison that was well separated."""

    def defend(self, task: PoisoningTask, context: Context) -> Defence:
        """Cluster the activations of each class."""
        embedding = nn.Sequential(task.victim.encoder, task.victim.neck)
        activations = context.predict(embedding, task.train.inputs)
        flagged = torch.zeros(len(task.train), dtype=torch.bool, device=task.device)
        random = context.generator("activation clustering/starts")
        for label in range(len(task.classes)):
            rows = (task.train.y == label).nonzero()[:, 0]
            flagged[rows] = self.suspects(activations[rows], random)
        return Defence(flagged=flagged)

    def suspects(self, activations: Tensor, random: torch.Generator) -> Tensor:
        """The samples of one class in a small and well separated cluster, [m] bool."""
        none = torch.zeros(len(activations), dtype=torch.bool, device=activations.device)
        if len(activations) < 3:
            return none
        components = reduced(activations, self.dimensions, self.reduction == "ica")
        second = two_means(components, self.starts, random)
        small = second if second.double().mean() < 0.5 else ~second
        if not 0 < small.double().mean() < self.smaller:
            return none
        return small if silhouette(components, small) > self.silhouette else none


def reduced(activations: Tensor, dimensions: int, whiten: bool) -> Tensor:
    """The first principal components of activations [m, d], [m, at most `dimensions`] float64.

    Whitened principal components stand for independent ones, which are a rotation of them:
    2-means and the silhouette score depend on distances alone, which a rotation preserves.
    """
    centred = activations.double() - activations.double().mean(dim=0)
    values, vectors = torch.linalg.eigh(centred.T @ centred / max(1, len(centred)))
    spanned = int((values > SPANNED * values[-1]).sum()) if values[-1] > 0 else 0
    kept = slice(len(values) - min(dimensions, spanned), None)
    components = centred @ vectors[:, kept]
    return components / values[kept].sqrt() if whiten else components


def two_means(x: Tensor, starts: int, random: torch.Generator) -> Tensor:
    """Which samples of `x` [m, d] belong to the second of two clusters, [m] bool.

    All starts run side by side and the one with the least scatter within clusters wins. A start
    takes a random sample and another one, drawn by squared distance to the first (k-means++).
    """
    if not x.numel():
        return torch.zeros(len(x), dtype=torch.bool, device=x.device)
    first = torch.randint(len(x), (starts,), generator=random).to(x.device)
    u = torch.rand(starts, 1, generator=random, dtype=torch.double).to(x.device)
    cumulative = torch.cdist(x[first], x).square().cumsum(dim=1)
    other = torch.searchsorted(cumulative, u * cumulative[:, -1:])[:, 0].clamp(max=len(x) - 1)
    second = in_second(x, x[first], x[other])
    for _ in range(ROUNDS):
        reassigned = in_second(x, *centres(x, second))
        if torch.equal(reassigned, second):
            break
        second = reassigned
    # The scatter between clusters is largest where that within them is smallest.
    share = second.double().mean(dim=0)
    first_centres, second_centres = centres(x, second)
    between = share * (1 - share) * (first_centres - second_centres).square().sum(dim=1)
    return second[:, between.argmax()]


def centres(x: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Centres of the first and the second cluster of every start, [starts, d]; 0 if empty."""

    def centre(member: Tensor) -> Tensor:
        return member.T @ x / member.sum(dim=0)[:, None].clamp_min(1)

    return centre((~second).double()), centre(second.double())


def in_second(x: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Whether the second centre is nearer than the first, for every start: [m, starts] bool."""
    return (x @ (second - first).T) > (second.square() - first.square()).sum(dim=1) / 2


def silhouette(x: Tensor, second: Tensor) -> float:
    """Mean silhouette score of two clusters (Rousseeuw 1987), in [-1, 1].

    The score of a sample is (b - a) / max(a, b), with a its mean distance to the other samples of
    its cluster and b that to the other cluster; it is 0 if the sample is alone in its cluster.
    """
    member = torch.stack([~second, second], dim=1).double()
    sizes = member.sum(dim=0)
    scores = []
    for rows in torch.arange(len(x), device=x.device).split(ROWS):
        total = torch.cdist(x[rows], x) @ member
        own = second[rows].long()[:, None]
        a = total.gather(1, own) / (sizes[own] - 1).clamp_min(1)
        b = total.gather(1, 1 - own) / sizes[1 - own]
        scores.append(torch.where(sizes[own] > 1, (b - a) / torch.maximum(a, b), 0))
    return torch.cat(scores).mean().item()

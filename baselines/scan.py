"""SCAn: tests of each class whether its representations come from one group or from two."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from benchmarks.errors import Skip
from benchmarks.learning.loop import Trial
from benchmarks.method import Paper
from benchmarks.tracks.poisoning.contract import Defence, Defender, PoisoningTask

CONSISTENT = 1.4826  # makes the MAD an estimate of a normal's standard deviation


@dataclass(frozen=True)
class Scan(Defender):
    """Tang et al. (2021), section 4: the statistical contamination analyser.

    A representation is its class's identity plus a variation that is alike in all classes, with a
    covariance known from clean samples. A class is contaminated where two identities explain it
    so much better than one that its likelihood-ratio statistic J is an outlier among the classes
    (J* > e^2). The smaller of its two groups is removed. It gives no sample a score.
    """

    paper: ClassVar[Paper] = Paper(
        "Tang et al. (2021)",
        "Demon in the variant: statistical analysis of DNNs for robust backdoor contamination "
        "detection",
        "https://arxiv.org/abs/1908.00686",
    )

    outlier: Annotated[float, Field(gt=0)] = math.exp(2)
    """J* above which a class is contaminated; e^2 is the paper's."""
    rounds: Annotated[int, Field(ge=1)] = 100
    """Of assigning samples to groups and groups to samples, at most; most classes take ten."""
    floor: Annotated[float, Field(gt=0, lt=1)] = 1e-3
    """Added to the covariance, relative to its largest eigenvalue: few clean samples say little
    of the directions in which they hardly vary, and J divides by that."""

    def defend(self, task: PoisoningTask, trial: Trial) -> Defence:
        """Whiten by the common variation, split every class, compare the statistics."""
        if len(task.classes) < 3:
            raise Skip("of two statistics none is an outlier: SCAn needs three classes")
        embed = nn.Sequential(task.victim.encoder, task.victim.neck)
        clean = trial.predict(embed, task.reserve.inputs).double()
        white = whitening(variation(clean, task.reserve.y), self.floor)
        suspects = trial.predict(embed, task.train.inputs).double() @ white
        classes = [(task.train.y == c).nonzero()[:, 0] for c in range(len(task.classes))]
        untangled = [untangle(suspects[rows], self.rounds) for rows in classes]
        score = anomaly(torch.stack([found.statistic for found in untangled]))
        flagged = torch.zeros(len(task.train), dtype=torch.bool, device=task.device)
        for label, (rows, found) in enumerate(zip(classes, untangled, strict=True)):
            trial.chosen[f"J* of class {label}"] = score[label].item()
            if score[label] > self.outlier:
                flagged[rows[found.smaller]] = True
        return Defence(flagged=flagged)


class Untangled(NamedTuple):
    """A class as two groups.

    Attributes:
        smaller: [m] bool, who is in the smaller one.
        statistic: J for each sample of the class.
    """

    smaller: Tensor
    statistic: Tensor


def variation(representation: Tensor, y: Tensor) -> Tensor:
    """Covariance within classes: the variation part, S_eps, [d, d].

    The paper estimates it along with the identities' covariance by EM; with many samples a class
    both come to the moments.
    """
    centred = representation.clone()
    labels = y.unique()
    for label in labels:
        centred[y == label] -= representation[y == label].mean(dim=0)
    return centred.T @ centred / max(1, len(y) - len(labels))


def whitening(covariance: Tensor, floor: float) -> Tensor:
    """What turns variation into unit noise: the inverse square root, [d, d]."""
    values, vectors = torch.linalg.eigh(covariance)
    return vectors / (values.clamp_min(0) + floor * values[-1]).sqrt()


def untangle(white: Tensor, rounds: int) -> Untangled:
    """Two groups of whitened representations [m, d], and how much better they explain them.

    With one covariance for both, Fisher's discriminant is the plane between the means in whitened
    space, and -2 log of the likelihood ratio is what the squared distances to the means lose:
    J = sum |r - mean|^2 - |r - mean of its group|^2. J is taken for each sample, so that classes
    of different sizes compare. The first groups are the two sides along the top direction.
    """
    nobody = torch.zeros(len(white), dtype=torch.bool, device=white.device)
    if len(white) < 2:
        return Untangled(nobody, white.new_zeros(()))
    centred = white - white.mean(dim=0)
    second = centred @ torch.linalg.eigh(centred.T @ centred).eigenvectors[:, -1] > 0
    for _ in range(rounds):
        share = second.double().mean()
        if not 0 < share < 1:
            return Untangled(nobody, white.new_zeros(()))
        first_mean, second_mean = centred[~second].mean(dim=0), centred[second].mean(dim=0)
        between = second_mean - first_mean
        nearer = (centred - (first_mean + second_mean) / 2) @ between > 0
        if torch.equal(nearer, second):
            break
        second = nearer
    return Untangled(second if share <= 0.5 else ~second, share * (1 - share) * between @ between)


def anomaly(statistics: Tensor) -> Tensor:
    """J* = |J - median| / (1.4826 MAD), or 0 for a class that lies below the median.

    Medians are the mean of the middle two.
    """
    apart = statistics - statistics.quantile(0.5)
    spread = CONSISTENT * apart.abs().quantile(0.5)
    return apart.clamp_min(0) / spread.clamp_min(1e-9)  # finite where most are equal

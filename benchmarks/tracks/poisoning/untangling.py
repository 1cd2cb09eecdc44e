"""Untangling (SCAn): whether the representations of a class come from one group or from two."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from bench.learning.loop import Context
from bench.learning.split import Split
from bench.models.backbones import Backbone

CONSISTENT = 1.4826  # makes the MAD an estimate of a normal's standard deviation
OUTLIER = math.exp(2)  # J* of a contaminated class lies above it, Tang et al. (2021), section 4
ROUNDS = 100  # of assigning samples to groups, at most; most classes take ten
FLOOR = 1e-3  # added to the covariance, relative to its largest eigenvalue


class Contaminated(NamedTuple):
    """The contaminated classes of a training set.

    Attributes:
        flagged: [n] bool, the smaller groups of the contaminated classes.
        scores: J* of each class, [classes].
    """

    flagged: Tensor
    scores: Tensor


def contaminated(
    model: Backbone,
    suspects: Split,
    clean: Split,
    context: Context,
    *,
    classes: int,
    outlier: float = OUTLIER,
    rounds: int = ROUNDS,
    floor: float = FLOOR,
) -> Contaminated:
    """The statistical contamination analyser, Tang et al. (2021), section 4.

    Args:
        model: a classifier trained on the suspects.
        suspects: samples and the labels they were published with, n of them.
        clean: clean samples, from which the variation common to all classes is estimated.
        context: runs the model.
        classes: the number of classes.
        outlier: J* above which a class is contaminated.
        rounds: of untangling at most.
        floor: of the covariance, see `whitening`.
    """
    embed = nn.Sequential(model.encoder, model.neck)
    known = context.predict(embed, clean.inputs).double()
    white = whitening(variation(known, clean.y), floor)
    seen = context.predict(embed, suspects.inputs).double() @ white
    members = [(suspects.y == c).nonzero()[:, 0] for c in range(classes)]
    untangled = [untangle(seen[rows], rounds) for rows in members]
    scores = anomaly(torch.stack([of_class.statistic for of_class in untangled]))
    flagged = torch.zeros(len(suspects), dtype=torch.bool, device=seen.device)
    for score, rows, of_class in zip(scores.tolist(), members, untangled, strict=True):
        if score > outlier:
            flagged[rows[of_class.smaller]] = True
    return Contaminated(flagged, scores)


class Untangled(NamedTuple):
    """A class as two groups.

    Attributes:
        smaller: [m] bool, the samples of the smaller group.
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

"""Spectral signatures: poison stands out in the direction of a class's largest variance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from bench.learning.loop import Context
from bench.method import Paper
from bench.tracks.poisoning.contract import Defence, Defender, PoisoningTask


@dataclass(frozen=True)
class SpectralSignatures(Defender):
    """Tran et al. (2018), Algorithm 1.

    In each class, as published, the samples are removed whose centred representations have the
    largest squared products with the top right singular vector: 1.5 times as many as could be
    poisoned. Every class loses that share, poisoned or not, so an alarm is always raised.
    """

    paper: ClassVar[Paper] = Paper(
        "Tran et al. (2018)",
        "Spectral signatures in backdoor attacks",
        "https://arxiv.org/abs/1811.00636",
    )

    eps: Annotated[float, Field(gt=0, lt=0.66)] = 0.1
    """Upper bound of the share of poison in a class, which the defender must guess; the paper
    poisons 5 and 10 %."""

    def defend(self, task: PoisoningTask, context: Context) -> Defence:
        """Score the samples of each class and remove the highest scores."""
        embedding = nn.Sequential(task.victim.encoder, task.victim.neck)
        representation = context.predict(embedding, task.train.inputs)
        suspicion = torch.zeros(len(task.train), device=task.device)
        flagged = torch.zeros(len(task.train), dtype=torch.bool, device=task.device)
        for label in range(len(task.classes)):
            rows = (task.train.y == label).nonzero()[:, 0]
            scores = outlier_scores(representation[rows])
            suspicion[rows] = scores.float()
            top = scores.argsort(descending=True, stable=True)[: int(1.5 * self.eps * len(rows))]
            flagged[rows[top]] = True
        return Defence(flagged=flagged, suspicion=suspicion)


def outlier_scores(representation: Tensor) -> Tensor:
    """Squared product of each centred row with the top right singular vector: [m, d] -> [m].

    The vector is computed as the top eigenvector of the scatter matrix, [d, d].
    """
    if not len(representation):
        return representation.new_zeros(0, dtype=torch.double)
    centred = representation.double() - representation.double().mean(dim=0)
    top = torch.linalg.eigh(centred.T @ centred).eigenvectors[:, -1]
    return (centred @ top).square()

"""Confusion training: random labels make a network forget all but the backdoor's shortcut."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.learning.loop import Context
from bench.learning.split import Batch, Split
from bench.learning.standard import plain_loss
from bench.method import Paper
from bench.models.backbones import Backbone
from bench.tracks.poisoning.contract import Defence, Defender, PoisoningTask

# The authors' settings for CIFAR-10: the share of the training samples, those with the smallest
# losses, that each round passes on, and lambda, the weight of the confusion batch in each round.
SHARES = (1 / 2, 1 / 5, 1 / 25, 1 / 50, 1 / 100)
LAMBDAS = (20, 20, 20, 30, 30, 15)
LEAST = 1 / 50  # smallest share of a class that a round passes on, as in the authors' code
RIDGE = 1e-3  # added to the covariances of the two groups, as in the authors' code


@dataclass(frozen=True)
class ConfusionTraining(Defender):
    """Qi et al. (2023), section 4: six rounds of confusion training, then a test of each class.

    A network that has learnt the suspects is trained further, together with clean samples under
    random labels. It unlearns benign features, so that labels it still fits rest on a shortcut.
    The samples it fits best are the suspects of the next round. Finally, the fitted samples are
    removed from each class in which they are separated from ordinary ones.

    Differences from the authors' code: Adam replaces SGD with momentum, as everywhere in this
    benchmark; each step takes one batch of suspects and one of clean samples; the first round
    starts from the victim; the number of clean samples is the reserve's (2,000 in the paper).
    """

    paper: ClassVar[Paper] = Paper(
        "Qi et al. (2023)",
        "Towards a proactive ML approach for detecting backdoor poison samples",
        "https://arxiv.org/abs/2205.13616",
    )

    steps: Annotated[int, Field(ge=1)] = 500
    """Steps of training in each round, and again of confusion training. The authors take 6,000,
    and 2,000 in the last round, on 50,000 images in batches of 128."""
    median_share: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Share of a class, around the median of its losses, that represents ordinary samples."""
    ratio: Annotated[float, Field(gt=1)] = math.e
    """Likelihood ratio per sample above which a class is cleansed, as in the authors' code."""
    largest_ratio: Annotated[float, Field(gt=1)] = 1.5
    """The threshold for the class with the largest ratio, as in the authors' code."""

    def defend(self, task: PoisoningTask, context: Context) -> Defence:
        """Distil the poison in six rounds, then test each class with the last network."""
        model = task.new_model()
        model.load_state_dict(task.victim.state_dict())
        suspects = torch.arange(len(task.train), device=task.device)
        losses = torch.zeros(0)
        for number, weight in enumerate(LAMBDAS):
            if number:
                last = number == len(SHARES)
                model = self._pretrained(task, context, suspects, number, last=last)
            model = self._confused(task, context, model, suspects, number, weight)
            logits = context.predict(model, task.train.inputs)
            losses = F.cross_entropy(logits, task.train.y, reduction="none")
            if number < len(SHARES):
                suspects = best_fitted(losses, task.train.y, SHARES[number])
        fits = logits.argmax(dim=1) == task.train.y
        embedding = nn.Sequential(model.encoder, model.neck)
        features = context.predict(embedding, task.train.inputs)
        flagged = self._cleansed(task, context, features, losses, fits)
        return Defence(flagged=flagged, suspicion=-losses)

    def _pretrained(
        self, task: PoisoningTask, context: Context, suspects: Tensor, number: int, *, last: bool
    ) -> Backbone:
        """A fresh network trained on the suspects.

        In the last round, with few suspects left, it learns the clean samples as well: otherwise
        there would be no benign features to unlearn.
        """
        samples = [(task.train, suspects)]
        if last:
            samples.append((task.reserve, torch.arange(len(task.reserve), device=task.device)))
        x = torch.cat([split.inputs.take(rows) for split, rows in samples])
        y = torch.cat([split.y[rows] for split, rows in samples])
        rows = torch.arange(len(y), device=task.device)
        drawn = self._drawn(Split.of(x, y, torch.zeros_like(y)), rows, context, f"known {number}")
        stage = f"round {number + 1}"
        return context.train(task.new_model(), drawn, plain_loss, stage=stage, epochs=1)

    def _confused(
        self, task: PoisoningTask, context: Context, model: Backbone, suspects: Tensor,
        number: int, weight: float,
    ) -> Backbone:  # fmt: skip
        """The network after confusion training by equation 3, with lambda = `weight`."""
        random = context.generator(f"confusion training/wrong labels {number}")
        rarity = class_weights(task.train.y[suspects], len(task.classes))
        if number == len(SHARES):
            rarity = torch.ones_like(rarity)
        clean, classes = task.reserve, len(task.classes)

        def loss(model: nn.Module, batch: Batch) -> Tensor:
            rows = torch.randint(len(clean), (len(batch),), generator=random)
            shift = torch.randint(1, classes, (len(batch),), generator=random)
            confusing = clean.batch(rows.to(task.device))
            wrong = (confusing.y + shift.to(task.device)) % classes
            logits = model(torch.cat([confusing.x, batch.x]))
            confusion = F.cross_entropy(logits[: len(batch)], wrong)
            fitting = F.cross_entropy(logits[len(batch) :], batch.y, weight=rarity)
            return ((weight - 1) * confusion + fitting) / weight

        drawn = self._drawn(task.train, suspects, context, f"suspects {number}")
        return context.train(model, drawn, loss, stage=f"confusion {number + 1}", epochs=1)

    def _drawn(self, split: Split, rows: Tensor, context: Context, purpose: str) -> Split:
        """The samples of `steps` batches: random orders of `rows`, one after another."""
        random, count = context.generator(purpose), self.steps * context.training.batch_size
        passes = math.ceil(count / len(rows))
        orders = [torch.randperm(len(rows), generator=random) for _ in range(passes)]
        drawn = rows[torch.cat(orders)[:count].to(rows.device)]
        return Split.of(split.inputs.subset(drawn), split.y[drawn], split.b[drawn])

    def _cleansed(
        self, task: PoisoningTask, context: Context, features: Tensor, losses: Tensor, fits: Tensor
    ) -> Tensor:
        """The fitted samples of the classes in which they are separated from others, [n] bool."""
        classes = [(task.train.y == c).nonzero()[:, 0] for c in range(len(task.classes))]
        ordinary = [middle(losses[rows], self.median_share) for rows in classes]
        ratios = torch.tensor(
            [
                likelihood_ratio(features[rows], fits[rows], middle_rows)
                for rows, middle_rows in zip(classes, ordinary, strict=True)
            ]
        )
        flagged = torch.zeros_like(fits)
        for label, rows in enumerate(classes):
            ratio = ratios[label].item()
            context.chosen[f"likelihood ratio of class {label}"] = ratio
            is_largest = ratio == ratios.max() and ratio > self.largest_ratio
            if ratio > self.ratio or is_largest:
                flagged[rows] = fits[rows]
        return flagged


def best_fitted(losses: Tensor, y: Tensor, share: float) -> Tensor:
    """Positions of the samples with the smallest losses, ascending.

    They are the smallest `share` of all losses, and in each class at least the smallest `LEAST`.
    """
    kept = torch.zeros(len(losses), dtype=torch.bool, device=losses.device)
    kept[losses.argsort(stable=True)[: max(1, int(share * len(losses)))]] = True
    for label in y.unique():
        rows = (y == label).nonzero()[:, 0]
        kept[rows[losses[rows].argsort(stable=True)[: int(LEAST * len(rows))]]] = True
    return kept.nonzero()[:, 0]


def class_weights(y: Tensor, classes: int) -> Tensor:
    """1 / sqrt(frequency) of each class, so that rare ones still count; the authors' code."""
    frequency = torch.bincount(y, minlength=classes) / len(y)
    return 1 / (frequency + 1e-3).sqrt()


def middle(losses: Tensor, share: float) -> Tensor:
    """The samples whose losses lie around the median, a `share` of all: [m] bool."""
    count = len(losses)
    start, end = int(count * (1 - share) / 2), math.ceil(count * (1 + share) / 2)
    chosen = torch.zeros(count, dtype=torch.bool, device=losses.device)
    chosen[losses.argsort(stable=True)[start:end]] = True
    return chosen


def likelihood_ratio(features: Tensor, fits: Tensor, ordinary: Tensor) -> float:
    """The likelihood ratio, per sample, of a class as two normal groups to the class as one.

    Features [m, d] are projected to their two principal directions. The first group has mean and
    covariance of the ordinary samples, [m] bool; the second those of the fitted ones, [m] bool,
    which are its members.
    """
    if fits.sum() < 2 or ordinary.sum() < 2:
        return 1.0
    centred = features.double() - features.double().mean(dim=0)
    plane = centred @ torch.linalg.eigh(centred.T @ centred).eigenvectors[:, -2:]
    as_one, as_two = (log_normal(plane[fits], plane[group]) for group in (ordinary, fits))
    # Samples that are not fitted belong to the first group in both cases and cancel.
    return math.exp(min((as_two - as_one).sum().item() / len(features), 50))


def log_normal(x: Tensor, samples: Tensor) -> Tensor:
    """Log-density of each row of `x` under a normal distribution fitted to `samples`, [m]."""
    ridge = RIDGE * torch.eye(samples.shape[1], dtype=samples.dtype, device=samples.device)
    covariance = samples.T.cov() + ridge
    normal = torch.distributions.MultivariateNormal(samples.mean(dim=0), covariance)
    return normal.log_prob(x)

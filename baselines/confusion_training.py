"""Confusion training: random labels make a network forget what is benign and keep the backdoor."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
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

# Of the training samples, those with the smallest losses that a round leaves to the next, and how
# much more the confusion batch weighs in each round: the authors' settings for CIFAR-10.
SHARES = (1 / 2, 1 / 5, 1 / 25, 1 / 50, 1 / 100)
LAMBDAS = (20, 20, 20, 30, 30, 15)
LEAST = 1 / 50  # share of each class that a round leaves at least, as in the authors' code
RIDGE = 1e-3  # on the covariances of the two groups, as in the authors' code


@dataclass(frozen=True)
class ConfusionTraining(Defender):
    """Qi et al. (2023), section 4: six rounds of confusion training, then a test of each class.

    A network that knows the samples under suspicion is trained on with batches of clean samples
    under random labels: what is benign is unlearnt, and labels that it still fits are held by a
    shortcut. The samples it fits best are the next round's. In the end a class is cleansed where
    its fitted samples lie apart from ordinary ones, and the fitted ones are removed.

    Here Adam takes the place of SGD with momentum, as everywhere in this benchmark; a step sees a
    batch of either kind; the victim is the first round's network; and the clean samples are as
    many as the reserve has (the paper has 2,000).
    """

    paper: ClassVar[Paper] = Paper(
        "Qi et al. (2023)",
        "Towards a proactive ML approach for detecting backdoor poison samples",
        "https://arxiv.org/abs/2205.13616",
    )

    steps: Annotated[int, Field(ge=1)] = 500
    """Of training in each round, and as many of confusion. The authors take 6,000 and at last
    2,000 on 50,000 images, with batches of 128."""
    median_share: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Share of a class, in the middle of its losses, that stands for its ordinary samples."""
    ratio: Annotated[float, Field(gt=1)] = math.e
    """Likelihood ratio, a sample, above which a class is cleansed: the authors' code."""
    largest_ratio: Annotated[float, Field(gt=1)] = 1.5
    """The same for the class with the largest: the authors' code."""

    def defend(self, task: PoisoningTask, context: Context) -> Defence:
        """Distil the poison, then test each class with what the last network has left."""
        model = task.new_model()
        model.load_state_dict(task.victim.state_dict())
        left = torch.arange(len(task.train), device=task.device)
        losses = torch.zeros(0)
        for number, weight in enumerate(LAMBDAS):
            if number:
                model = self._pretrained(task, context, left, number, last=number == len(SHARES))
            model = self._confused(task, context, model, left, number, weight)
            logits = context.predict(model, task.train.inputs)
            losses = F.cross_entropy(logits, task.train.y, reduction="none")
            if number < len(SHARES):
                left = best_fitted(losses, task.train.y, SHARES[number])
        fits = logits.argmax(dim=1) == task.train.y
        embed = nn.Sequential(model.encoder, model.neck)
        found = self._cleansed(
            task, context, context.predict(embed, task.train.inputs), losses, fits
        )
        return Defence(flagged=found, suspicion=-losses)

    def _pretrained(
        self, task: PoisoningTask, context: Context, left: Tensor, number: int, *, last: bool
    ) -> Backbone:
        """A fresh network that knows the samples which are left, in the last round clean ones too.

        Without them it would know nothing to confuse.
        """
        samples = [(task.train, left)]
        if last:
            samples.append((task.reserve, torch.arange(len(task.reserve), device=task.device)))
        x = torch.cat([split.inputs.take(rows) for split, rows in samples])
        y = torch.cat([split.y[rows] for split, rows in samples])
        every = torch.arange(len(y), device=task.device)
        drawn = self._drawn(Split.of(x, y, torch.zeros_like(y)), every, context, f"known {number}")
        return one_pass(task.new_model(), drawn, plain_loss, context, f"round {number + 1}")

    def _confused(
        self, task: PoisoningTask, context: Context, model: Backbone, left: Tensor, number: int,
        weight: float,
    ) -> Backbone:  # fmt: skip
        """The network trained on, equation 3: suspects with their labels, clean ones with wrong."""
        random = context.generator(f"confusion training/wrong labels {number}")
        rarity = class_weights(task.train.y[left], len(task.classes))
        if number == len(SHARES):
            rarity = torch.ones_like(rarity)
        clean, classes = task.reserve, len(task.classes)

        def loss(model: nn.Module, batch: Batch) -> Tensor:
            rows = torch.randint(len(clean), (len(batch),), generator=random)
            shift = torch.randint(1, classes, (len(batch),), generator=random)
            other = clean.batch(rows.to(task.device))
            wrong = (other.y + shift.to(task.device)) % classes
            logits = model(torch.cat([other.x, batch.x]))
            confusion = F.cross_entropy(logits[: len(batch)], wrong)
            suspects = F.cross_entropy(logits[len(batch) :], batch.y, weight=rarity)
            return ((weight - 1) * confusion + suspects) / weight

        drawn = self._drawn(task.train, left, context, f"suspects {number}")
        return one_pass(model, drawn, loss, context, f"confusion {number + 1}")

    def _drawn(self, split: Split, rows: Tensor, context: Context, purpose: str) -> Split:
        """As many samples as `steps` batches take: all of `rows` in random order, over and over."""
        random, wanted = context.generator(purpose), self.steps * context.training.batch_size
        passes = math.ceil(wanted / len(rows))
        orders = [torch.randperm(len(rows), generator=random) for _ in range(passes)]
        drawn = rows[torch.cat(orders)[:wanted].to(rows.device)]
        return Split.of(split.inputs.subset(drawn), split.y[drawn], split.b[drawn])

    def _cleansed(
        self, task: PoisoningTask, context: Context, features: Tensor, losses: Tensor, fits: Tensor
    ) -> Tensor:
        """The fitted samples of the classes in which they lie apart, [n] bool."""
        classes = [(task.train.y == c).nonzero()[:, 0] for c in range(len(task.classes))]
        ratios = torch.tensor(
            [
                likelihood_ratio(
                    features[rows], fits[rows], middle(losses[rows], self.median_share)
                )
                for rows in classes
            ]
        )
        flagged = torch.zeros_like(fits)
        for label, rows in enumerate(classes):
            mine = ratios[label].item()
            context.chosen[f"likelihood ratio of class {label}"] = mine
            is_largest = mine == ratios.max() and mine > self.largest_ratio
            if mine > self.ratio or is_largest:
                flagged[rows] = fits[rows]
        return flagged


def one_pass(
    model: Backbone,
    split: Split,
    loss: Callable[[Backbone, Batch], Tensor],
    context: Context,
    stage: str,
) -> Backbone:
    """The model trained once through `split`; curves and costs go to the trial."""
    brief = replace(context, training=context.training.model_copy(update={"epochs": 1}))
    brief.train(model, split, loss, stage=stage)
    context.samples_seen, context.training_seconds = brief.samples_seen, brief.training_seconds
    return model


def best_fitted(losses: Tensor, y: Tensor, share: float) -> Tensor:
    """Positions of the smallest losses: a share of all, and some of every class, in order."""
    left = torch.zeros(len(losses), dtype=torch.bool, device=losses.device)
    left[losses.argsort(stable=True)[: max(1, int(share * len(losses)))]] = True
    for label in y.unique():
        rows = (y == label).nonzero()[:, 0]
        left[rows[losses[rows].argsort(stable=True)[: int(LEAST * len(rows))]]] = True
    return left.nonzero()[:, 0]


def class_weights(y: Tensor, classes: int) -> Tensor:
    """1 / sqrt(frequency), so that classes that are nearly gone still count: the authors' code."""
    frequency = torch.bincount(y, minlength=classes) / len(y)
    return 1 / (frequency + 1e-3).sqrt()


def middle(losses: Tensor, share: float) -> Tensor:
    """Who has losses around the median, [m] bool."""
    count = len(losses)
    begin, end = int(count * (1 - share) / 2), math.ceil(count * (1 + share) / 2)
    chosen = torch.zeros(count, dtype=torch.bool, device=losses.device)
    chosen[losses.argsort(stable=True)[begin:end]] = True
    return chosen


def likelihood_ratio(features: Tensor, fits: Tensor, ordinary: Tensor) -> float:
    """How much likelier, a sample, a class is as two normal groups than as one.

    Features are seen along their two principal directions. One group has mean and covariance of
    the ordinary samples; the other, of the fitted ones, who belong to it.
    """
    if fits.sum() < 2 or ordinary.sum() < 2:
        return 1.0
    centred = features.double() - features.double().mean(dim=0)
    plane = centred @ torch.linalg.eigh(centred.T @ centred).eigenvectors[:, -2:]
    alone, apart = (log_normal(plane[fits], plane[group]) for group in (ordinary, fits))
    # Samples that are not fitted belong to the ordinary group either way.
    return math.exp(min((apart - alone).sum().item() / len(features), 50))


def log_normal(x: Tensor, of: Tensor) -> Tensor:
    """Log-density of `x` under a normal fitted to `of`, [m]."""
    covariance = of.T.cov() + RIDGE * torch.eye(of.shape[1], dtype=of.dtype, device=of.device)
    fitted = torch.distributions.MultivariateNormal(of.mean(dim=0), covariance)
    return fitted.log_prob(x)

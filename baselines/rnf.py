"""RNF: retrain the head on representations averaged over pairs of samples from both groups."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from bench.learning.loop import Context
from bench.learning.losses import generalised_cross_entropy
from bench.learning.split import Batch, Split
from bench.learning.standard import standard_model
from bench.method import Paper
from bench.models.backbones import Backbone
from bench.tracks.debiasing import Debiaser, DebiasingTask

MIXES = (0.6, 0.7, 0.8, 0.9)  # share of a pair's first sample in the smoothing term, equation 3


@dataclass(frozen=True)
class RNF(Debiaser):
    """Du et al. (2021), equations 1, 3 and 4: representation neutralization for fairness.

    The encoder of the standard model is frozen. A new head learns, for the mean representation of
    two samples (same class, different groups), the mean of the teacher's softened predictions; a
    smoothing term keeps its prediction constant when the two are mixed in other shares. For tables
    the encoder is the first layer, as in the authors' code; for images it is all convolutions.
    """

    paper: ClassVar[Paper] = Paper(
        "Du et al. (2021)",
        "Fairness via representation neutralization",
        "https://arxiv.org/abs/2106.12674",
    )

    temperature: Annotated[float, Field(gt=0)] = 2.0
    """Temperature of the teacher; the paper's is 2 for Adult and CelebA, 5 for MEPS."""
    smoothing: Annotated[float, Field(ge=0)] = 0.035
    """Weight of the smoothing term (alpha, equation 4). Here both terms are means over the batch.
    The authors' code has the same .035 but sums over batches of 64, which is 2.24 here; with that
    a constant prediction is the minimum on balanced classes."""
    groups: Literal["given", "proxy"] = "given"
    """given: samples are paired by group labels; proxy: by the predictions of a bias-amplified
    model. The head's epoch is selected with true groups in both cases."""
    q: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Exponent of the bias-amplifying loss; .2, .6 and .3 for Adult, MEPS and CelebA."""

    def fit(self, task: DebiasingTask, context: Context) -> nn.Module:
        """Train only the head, on the representations of pairs."""
        task.require_classes()
        teacher = standard_model(task.new_model(), task.train, context).requires_grad_(False)
        model = task.new_model()
        model.encoder.load_state_dict(teacher.encoder.state_dict())
        group = task.train.b if self.groups == "given" else self._proxy_groups(task, context)
        random = context.generator("rnf/pairs")

        def loss(model: Backbone, batch: Batch) -> Tensor:
            model.encoder.eval()
            with torch.no_grad():
                z = model.encoder(batch.x)
                soft = (teacher.decide(z) / self.temperature).softmax(dim=1)
            partner = partners(batch.y, group[batch.index], random)
            return self._neutral_loss(model, z, z[partner], (soft + soft[partner]) / 2)

        head = chain(model.neck.parameters(), model.head.parameters())
        return context.train(model, task.train, loss, parameters=head)

    def _neutral_loss(self, model: Backbone, z1: Tensor, z2: Tensor, target: Tensor) -> Tensor:
        """Equations 1 and 3: distance to the mean prediction, and smoothness over mixes."""
        mixed = torch.cat([mix * z1 + (1 - mix) * z2 for mix in (0.5, *MIXES)])
        soft = model.decide(mixed).softmax(dim=1).view(1 + len(MIXES), *target.shape)
        neutral, unequal = soft[0], soft[1:]
        change = (unequal - neutral).abs().sum(dim=(0, 2)).mean()
        return (neutral - target).square().mean() + self.smoothing * change

    def _proxy_groups(self, task: DebiasingTask, context: Context) -> Tensor:
        """Proxy groups, [n]: whether a bias-amplified model finds a sample of its class easy."""

        def amplified(model: nn.Module, batch: Batch) -> Tensor:
            return generalised_cross_entropy(model(batch.x), batch.y, self.q)

        # Selection by EAcc - Odds would take the least amplified epoch, so the last one is used.
        model = context.train(
            task.new_model(), task.train, amplified, stage="amplified", select=False
        )
        return easy_half(context.predict(model, task.train.inputs), task.train)


def partners(y: Tensor, group: Tensor, random: torch.Generator) -> Tensor:
    """For each sample a random one of the same class and the other group, [n] positions.

    If the batch has none, it is one of the same class, possibly the sample itself, as in the
    authors' code.
    """
    same_class = y[:, None] == y[None, :]
    across = same_class & (group[:, None] != group[None, :])
    candidates = torch.where(across.any(1, keepdim=True), across, same_class)
    priority = torch.rand(candidates.shape, generator=random).to(y.device)
    return priority.masked_fill(~candidates, -1).argmax(dim=1)


def easy_half(logits: Tensor, split: Split) -> Tensor:
    """Proxy groups, [n]: 1 if the probability of the true class is at least its class's mean."""
    probability = logits.softmax(dim=1).gather(1, split.y[:, None])[:, 0]
    total = torch.zeros(logits.shape[1], device=logits.device)
    total.index_add_(0, split.y, probability)
    mean = total / torch.bincount(split.y, minlength=len(total)).clamp_min(1)
    return (probability >= mean[split.y]).long()

"""RNF: retrain the head on representations averaged over pairs from both groups."""

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

MIXES = (0.6, 0.7, 0.8, 0.9)  # shares of the first of a pair in the smoothing term, equation 3


@dataclass(frozen=True)
class RNF(Debiaser):
    """Du et al. (2021), equations 1, 3 and 4: representation neutralization for fairness.

    The encoder of the standard model is frozen. A fresh head learns to give the mean of two
    samples' representations (same class, other group) the mean of the teacher's two softened
    predictions, and to stay put when the mix of the two shifts. On a table the encoder is the
    first layer, as in the authors' code; on images all convolutions.
    """

    paper: ClassVar[Paper] = Paper(
        "Du et al. (2021)",
        "Fairness via representation neutralization",
        "https://arxiv.org/abs/2106.12674",
    )

    temperature: Annotated[float, Field(gt=0)] = 2.0
    """Softens the teacher: 2 for Adult and CelebA, 5 for MEPS in the paper."""
    smoothing: Annotated[float, Field(ge=0)] = 0.035
    """Weight of the smoothing term (alpha, equation 4), here a mean over the batch as the other
    term is. The authors' code has the same .035 but sums over batches of 64: that is 2.24 here,
    where on balanced classes a constant prediction is the minimum."""
    groups: Literal["given", "proxy"] = "given"
    """given: group labels pair the samples; proxy: a bias-amplified model stands in for them.
    The head's epoch is selected with true groups in either case."""
    q: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Exponent of the bias-amplifying loss: .2 / .6 / .3 for Adult / MEPS / CelebA."""

    def fit(self, task: DebiasingTask, context: Context) -> nn.Module:
        """Train the head alone, on neutralised pairs."""
        task.require_classes()
        teacher = standard_model(task.new_model(), task.train, context).requires_grad_(False)
        model = task.new_model()
        model.encoder.load_state_dict(teacher.encoder.state_dict())
        train = task.train
        group = train.b if self.groups == "given" else self._proxy_groups(task, context)
        random = context.generator("rnf/pairs")

        def loss(model: Backbone, batch: Batch) -> Tensor:
            model.encoder.eval()
            with torch.no_grad():
                z = model.encoder(batch.x)
                soft = (teacher.decide(z) / self.temperature).softmax(dim=1)
            other = partners(batch.y, group[batch.index], random)
            return self._neutral_loss(model, z, z[other], (soft + soft[other]) / 2)

        head = chain(model.neck.parameters(), model.head.parameters())
        return context.train(model, train, loss, parameters=head)

    def _neutral_loss(self, model: Backbone, z: Tensor, other: Tensor, aim: Tensor) -> Tensor:
        """Equations 1 and 3: distance to the mean prediction, and smoothness over mixes."""
        mixed = torch.cat([mix * z + (1 - mix) * other for mix in (0.5, *MIXES)])
        soft = model.decide(mixed).softmax(dim=1).view(1 + len(MIXES), *aim.shape)
        neutral, shifted = soft[0], soft[1:]
        shift = (shifted - neutral).abs().sum(dim=(0, 2)).mean()
        return (neutral - aim).square().mean() + self.smoothing * shift

    def _proxy_groups(self, task: DebiasingTask, context: Context) -> Tensor:
        """Groups as a bias-amplified model sees them: who it finds easy within each class."""

        def amplified(model: nn.Module, batch: Batch) -> Tensor:
            return generalised_cross_entropy(model(batch.x), batch.y, self.q)

        # Its last epoch: selecting by EAcc - Odds would pick the least amplified one.
        model = context.train(
            task.new_model(), task.train, amplified, stage="amplified", select=False
        )
        return easy_half(context.predict(model, task.train.inputs), task.train)


def partners(y: Tensor, group: Tensor, random: torch.Generator) -> Tensor:
    """For each sample a random one of the same class and the other group, [n] positions.

    Where the batch holds none, one of the same class (possibly itself), as in the authors' code.
    """
    same = y[:, None] == y[None, :]
    across = same & (group[:, None] != group[None, :])
    wanted = torch.where(across.any(1, keepdim=True), across, same)
    luck = torch.rand(wanted.shape, generator=random).to(y.device)
    return luck.masked_fill(~wanted, -1).argmax(dim=1)


def easy_half(logits: Tensor, split: Split) -> Tensor:
    """Proxy groups, [n]: 1 where the probability of the true class is at least its class's mean."""
    own = logits.softmax(dim=1).gather(1, split.y[:, None])[:, 0]
    classes = logits.shape[1]
    count = torch.bincount(split.y, minlength=classes).clamp_min(1)
    mean = torch.zeros(classes, device=own.device).index_add_(0, split.y, own) / count
    return (own >= mean[split.y]).long()

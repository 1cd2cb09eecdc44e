"""Adversarial learning: an adversary predicts the group, and the network learns to hide it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.learning.loop import Context
from bench.learning.losses import reverse_gradient
from bench.learning.split import Batch
from bench.learning.standard import task_loss
from bench.method import Paper
from bench.models.backbones import Backbone
from bench.seeds import seed_for, seeded
from bench.tracks.debiasing import Debiaser, DebiasingTask


@dataclass(frozen=True)
class Adversarial(Debiaser):
    """Ganin & Lempitsky (2015), section 3, with the group in place of the domain.

    Network and adversary are trained together, and the adversary's gradient is reversed where it
    enters the network. Results vary between seeds, as in other published runs.
    """

    paper: ClassVar[Paper] = Paper(
        "Ganin & Lempitsky (2015)",
        "Unsupervised domain adaptation by backpropagation",
        "https://proceedings.mlr.press/v37/ganin15.html",
    )

    sees: Literal["hidden", "output"] = "hidden"
    """Input of the adversary: the last hidden layer, or the probabilities and the label (for
    equalised odds, as in Wadsworth et al. 2018)."""
    coefficient: Annotated[float, Field(ge=0)] = 1.0
    """Factor of the reversed gradient; constant, and .2 to 4, in public code."""
    width: Annotated[int, Field(ge=1)] = 50
    """Number of hidden units of the adversary."""

    def fit(self, task: DebiasingTask, context: Context) -> nn.Module:
        """Minimise the task's loss and, by the reversed gradient, maximise the adversary's."""
        if self.sees == "output":
            task.require_classes()
        model = task.new_model()
        inputs = model.head.in_features if self.sees == "hidden" else 2 * task.outputs
        adversary = new_adversary(inputs, self.width, context.seed).to(task.device)

        def loss(model: Backbone, batch: Batch) -> Tensor:
            hidden = model.embed(batch.x)
            outputs = model.head(hidden)
            evidence = hidden
            if self.sees == "output":
                labels = F.one_hot(batch.y, task.outputs)
                evidence = torch.cat([outputs.softmax(dim=1), labels], dim=1)
            group_logits = adversary(reverse_gradient(evidence, self.coefficient))
            return task_loss(outputs, batch.y) + F.cross_entropy(group_logits, batch.b)

        return context.train(model, task.train, loss, also=[adversary])


def new_adversary(inputs: int, width: int, seed: int) -> nn.Module:
    """An MLP with one hidden layer and two outputs, whose initial weights depend on the seed."""
    with seeded(seed_for(seed, "adversary")):
        return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, 2))

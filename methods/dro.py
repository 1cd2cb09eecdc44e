"""DRO training: fine-tune a model on attacks that were made while it was trained."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from bench.attacks.adversarial.inner import BatchAttack, InnerProblem
from bench.learning.loop import Context
from bench.learning.losses import weighted_loss
from bench.learning.sampling import WeightedSplit, drawn
from bench.learning.settings import Recipe
from bench.learning.split import Batch, Split
from bench.method import Paper
from bench.models.backbones import Backbone
from bench.models.pretrained import WeightsFolder
from bench.models.weights import sha256_of
from bench.perception.distances import files_of
from bench.tracks.robust_fairness import FairTrainer, GroupTask

SHARED_SEED = 0
"""The seed of theta_0 and D_rob if all seeds share them."""


@dataclass(frozen=True)
class DRO(FairTrainer):
    """Hua et al. (2021), section 4, Algorithms 4.1 and 4.2.

    Algorithm 4.1 trains a model and attacks it during training. Every attacked sample is added to
    D_rob with a weight that grows with the time of the attack. Algorithm 4.2 starts again from the
    pretrained model and trains it on D_rob, drawn in proportion to the weights.

    Weights are as printed: an original weighs 1, the i-th attack of round k weighs (k - 1) N + i,
    and a sample's loss is multiplied by its weight again. Originals hardly count after that.
    """

    paper: ClassVar[Paper] = Paper(
        "Hua et al. (2021)",
        "Human imperceptible attacks and applications to improve fairness",
        "https://arxiv.org/abs/2111.15603",
    )

    attack: Literal[
        "pieapp", "ssim", "lpips_squeeze", "lpips_alex", "lpips_vgg", "dists", "l2", "pgd"
    ] = "pieapp"
    """Attack that solves the inner problem: Algorithm 3.1 with this cost. ssim is the one step of
    equation 3.4, pgd is equation 3.5, without a cost."""
    steps: Annotated[int, Field(ge=1)] = 100
    """N of Algorithm 3.1; 100 is the paper's (section 3.2)."""
    epsilon: Annotated[float, Field(gt=0)] = 0.1
    """Size of a step of the attack; the paper's is .1 (section 3.2), and 10 for ssim's one step."""
    cost_weight: Annotated[float, Field(ge=0)] = 1.0
    """Lambda, the weight of the cost; 1 is the paper's (section 3.2)."""
    confidence: Annotated[float, Field(ge=0)] = 0.0
    """A of Algorithm 3.1: lead of another class's logit at which an attack stops."""
    early_stop: bool = True
    """Whether attacks stop at misclassified samples (Algorithm 3.1, line 5) or take all steps."""
    warm_start: bool = False
    """Whether an attack starts from the last attack on the same training sample."""
    t_1: Annotated[int, Field(ge=1)] = 2
    """Number of rounds of Algorithm 4.1, each with as many attacks as there are samples. Ours."""
    t_2: Annotated[int, Field(ge=1)] = 2
    """Number of passes of Algorithm 4.2 over D_rob; validation data selects the best. Ours."""
    learning_rate: Annotated[float, Field(gt=0)] = 0.01
    """Alpha of both algorithms, the learning rate of SGD for a sample of mean weight. Ours."""
    batch: Annotated[int, Field(ge=1)] = 64
    """Number of samples in a training step and in the attacks after it; 1 in Algorithms 4.1 and
    4.2."""
    original_weight: Annotated[float, Field(gt=0)] = 1.0
    """P_i of the training samples themselves; 1 is the paper's."""
    adversarial_set: Literal["one", "each"] = "one"
    """one: all seeds use theta_0 and D_rob of seed 0, as in the paper; each: every seed makes its
    own."""

    def files(self, weights: WeightsFolder) -> tuple[Path, ...]:
        """Weights of the inner attack's cost."""
        return weights.present(files_of(self.attack))

    def train(self, task: GroupTask, context: Context) -> nn.Module:
        """Algorithm 4.2 on what Algorithm 4.1 made, once for all seeds."""
        seed = SHARED_SEED if self.adversarial_set == "one" else context.seed
        attack = self._problem().on(task.kind, task.shape, task.device, context.weights)
        start = task.pretrained(context, seed)
        tensors = context.shared(
            "adversarial set",
            self._decided_by(context.weights),
            lambda inner: self._generate(task, inner, start, attack).tensors,
            seed,
        )
        split = RobustSet.of(tensors).joined(task.train, self.original_weight)
        recipe = self._recipe(self.t_2, watched=True)
        return context.train(
            copy.deepcopy(start), split, loss_by_weight(split.weight), recipe=recipe
        )

    def _generate(
        self, task: GroupTask, context: Context, start: Backbone, attack: BatchAttack
    ) -> RobustSet:
        """Algorithm 4.1."""
        train, n = task.train, len(task.train)
        robust = RobustSet.blank(train, self.t_1)
        model = copy.deepcopy(start)
        latest = train.x.float() if self.warm_start else None
        steps, stopped = [], []
        for k in range(1, self.t_1 + 1):
            d = robust.joined(train, self.original_weight)
            index = drawn(d.weight, n, context.generator(f"dro/round {k}")).to(task.device)
            sample = d.subset(index)
            sources = robust.sources(n)[index]
            # A sample may be drawn twice; in a new split it is visited twice as well.
            split = Split.of(sample.inputs, sample.y, sample.b)

            def attack_batch(model: Backbone, batch: Batch, sources: Tensor = sources) -> None:
                source = sources[batch.index]
                start = batch.x.float() if latest is None else latest[source]
                attacked = attack(model, batch.x, batch.y, start)
                robust.append(attacked.x, source)
                if latest is not None:
                    latest[source] = attacked.x
                steps.append(attacked.steps)
                stopped.append(attacked.stopped)

            context.train(
                model,
                split,
                loss_by_weight(sample.weight),
                stage=f"round {k}",
                recipe=self._recipe(1),
                after=attack_batch,
            )
        context.chosen["steps an attack"] = float(torch.cat(steps).double().mean())
        context.chosen["attacks that stopped early"] = float(torch.cat(stopped).double().mean())
        return robust

    def _problem(self) -> InnerProblem:
        """The inner problem with the attack of these fields."""
        confidence = self.confidence if self.early_stop else None
        return InnerProblem(self.attack, self.steps, self.epsilon, self.cost_weight, confidence)

    def _recipe(self, epochs: int, watched: bool = False) -> Recipe:
        """Plain SGD at a constant rate."""
        return Recipe(epochs, self.batch, self.learning_rate, 0.0, falls=False, watched=watched)

    def _decided_by(self, weights: WeightsFolder) -> dict[str, str | bool | int | float | None]:
        """Everything that decides D_rob besides task, theta_0 and seed."""
        later = ("t_2", "adversarial_set")
        earlier = {name: value for name, value in self.parameters.items() if name not in later}
        files = " ".join(sha256_of(path) for path in self.files(weights))
        return {**earlier, "revision": self.revision, "files": files}


@dataclass
class RobustSet:
    """D_rob: the attacks of Algorithm 4.1 in order, with the samples that they were made from.

    Attributes:
        x: attacked inputs, [rounds * N, ...] float32 on the scale of the network's inputs.
        source: the position in the training set of each attack's sample, [rounds * N] int64.
        made: how many attacks there are so far; rows of `x` and `source` from there on are zero.
    """

    x: Tensor
    source: Tensor
    made: int

    @classmethod
    def blank(cls, train: Split, rounds: int) -> Self:
        """Without attacks, with room for those of all rounds."""
        size, device = rounds * len(train), train.y.device
        x = torch.zeros(size, *train.inputs.shape, device=device)
        return cls(x, torch.zeros(size, dtype=torch.int64, device=device), 0)

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> Self:
        """The finished set that has these `tensors`."""
        return cls(tensors["x"], tensors["source"], len(tensors["x"]))

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The attacks and their sources by name, as they are shared among trials."""
        return {"x": self.x, "source": self.source}

    def append(self, x: Tensor, source: Tensor) -> None:
        """Keep a batch of attacks."""
        rows = slice(self.made, self.made + len(x))
        self.x[rows], self.source[rows] = x, source
        self.made += len(x)

    def sources(self, n: int) -> Tensor:
        """For each sample of D, [N + made], the training sample it comes from."""
        originals = torch.arange(n, device=self.source.device)
        return torch.cat([originals, self.source[: self.made]])

    def joined(self, train: Split, original_weight: float) -> WeightedSplit:
        """D: the originals and the attacks so far, the j-th attack with weight j.

        The i-th of round k is the j-th of all, j = (k - 1) N + i (line 7).
        """
        source = self.sources(len(train))
        weight = torch.full((len(source),), original_weight, device=source.device)
        weight[len(train) :] = torch.arange(1, self.made + 1, device=source.device)
        x = torch.cat([train.x.float(), self.x[: self.made]])
        return WeightedSplit.weighing(Split.of(x, train.y[source], train.b[source]), weight)


def loss_by_weight(weight: Tensor) -> Callable[[nn.Module, Batch], Tensor]:
    """The loss of line 5 of both algorithms, with weights P_i / mean(P) of the samples, [n]."""
    return weighted_loss(weight / weight.mean())

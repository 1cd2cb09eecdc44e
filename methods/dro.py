"""DRO training: fine-tune on the attacks that a moving model could not withstand."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.attacks.adversarial.inner import BatchAttack, InnerProblem
from bench.learning.loop import Context
from bench.learning.sampling import WeightedSplit, drawn
from bench.learning.settings import Recipe
from bench.learning.split import Batch, Split
from bench.method import Paper
from bench.models.backbones import Backbone
from bench.models.pretrained import WeightsFolder
from bench.models.weights import sha256_of
from bench.perception.distances import files_of
from bench.tracks.robust_fairness import FairTrainer, GroupTask

FIRST = 0
"""The seed of theta_0 and D_rob where all seeds share them."""


@dataclass(frozen=True)
class DRO(FairTrainer):
    """Hua et al. (2021), section 4, Algorithms 4.1 and 4.2.

    Algorithm 4.1 lets a model learn and attacks it while it learns: every attack is kept with the
    moment it was made as its weight, so that later ones weigh more (D_rob). Algorithm 4.2 starts
    anew from the pretrained model and learns from D_rob, drawn in proportion to the weights.

    Weights are as printed: an original weighs 1, the i-th attack of round k weighs (k - 1) N + i,
    and a draw's step is multiplied by its weight once more. Originals hardly count after that.
    """

    paper: ClassVar[Paper] = Paper(
        "Hua et al. (2021)",
        "Human imperceptible attacks and applications to improve fairness",
        "https://arxiv.org/abs/2111.15603",
    )

    attack: Literal[
        "pieapp", "ssim", "lpips_squeeze", "lpips_alex", "lpips_vgg", "dists", "l2", "pgd"
    ] = "pieapp"
    """What solves the inner problem: Algorithm 3.1 with that cost; ssim is the one step of
    equation 3.4, pgd equation 3.5 without a cost."""
    steps: Annotated[int, Field(ge=1)] = 100
    """N of Algorithm 3.1; 100 is the paper's (section 3.2)."""
    epsilon: Annotated[float, Field(gt=0)] = 0.1
    """Size of a step of the attack; .1 is the paper's (section 3.2), 10 that of ssim's one step."""
    cost_weight: Annotated[float, Field(ge=0)] = 1.0
    """Lambda, what distance costs; 1 is the paper's (section 3.2)."""
    confidence: Annotated[float, Field(ge=0)] = 0.0
    """By how much the wrong class must lead before an attack stops: a of Algorithm 3.1."""
    early_stop: bool = True
    """Algorithm 3.1, line 5: a sample that is misclassified leaves; False takes all steps."""
    warm_start: bool = False
    """Begin an attack at the last one on the same training sample, not at the sample itself."""
    t_1: Annotated[int, Field(ge=1)] = 2
    """Rounds of Algorithm 4.1; each attacks as many samples as there are. Ours."""
    t_2: Annotated[int, Field(ge=1)] = 2
    """Passes of Algorithm 4.2 over D_rob, the best one kept on validation data. Ours."""
    learning_rate: Annotated[float, Field(gt=0)] = 0.01
    """Alpha of both algorithms, of plain SGD; for a sample of mean weight. Ours."""
    batch: Annotated[int, Field(ge=1)] = 64
    """Samples that are learnt from, then attacked, at once; 1 is Algorithms 4.1 and 4.2 to the
    letter."""
    original_weight: Annotated[float, Field(gt=0)] = 1.0
    """P_i of the training samples themselves; 1 is the paper's."""
    adversarial_set: Literal["one", "each"] = "one"
    """one: theta_0 and D_rob of seed 0 serve all seeds, as in the paper; each: every seed makes its
    own."""

    def files(self, weights: WeightsFolder) -> tuple[Path, ...]:
        """Weights of the inner attack's cost."""
        return weights.present(files_of(self.attack))

    def train(self, task: GroupTask, context: Context) -> nn.Module:
        """Algorithm 4.2 on what Algorithm 4.1 made, once for all seeds."""
        seed = FIRST if self.adversarial_set == "one" else context.seed
        attack = self._problem().on(task.kind, task.shape, task.device, context.weights)
        start = task.pretrained(context, seed)
        robust = context.shared(
            "adversarial set",
            self._decided_by(context.weights),
            RobustSet(task.train, self.t_1),
            lambda inner, blank: self._generate(task, inner, start, attack, blank),
            seed,
        )
        split = robust.joined(task.train, self.original_weight)
        recipe = self._recipe(self.t_2, watched=True)
        return context.train(
            copy.deepcopy(start), split, weighted_loss(split.weight), recipe=recipe
        )

    def _generate(
        self,
        task: GroupTask,
        context: Context,
        start: Backbone,
        attack: BatchAttack,
        robust: RobustSet,
    ) -> RobustSet:
        """Algorithm 4.1."""
        train, n = task.train, len(task.train)
        model = copy.deepcopy(start)
        latest = train.x.float() if self.warm_start else None
        steps, stopped = [], []
        for k in range(1, self.t_1 + 1):
            now = robust.joined(train, self.original_weight)
            index = drawn(now.weight, n, context.generator(f"dro/round {k}")).to(task.device)
            sample = now.subset(index)
            source = robust.sources(n)[index]
            # A draw may hold a sample twice: as a split of its own it is met as often.
            round_ = Split.of(sample.inputs, sample.y, sample.b)

            def keep(model: Backbone, batch: Batch, source: Tensor = source) -> None:
                of = source[batch.index]
                begin = batch.x.float() if latest is None else latest[of]
                found = attack(model, batch.x, batch.y, begin)
                robust.append(found.x, of)
                if latest is not None:
                    latest[of] = found.x
                steps.append(found.steps)
                stopped.append(found.stopped)

            context.train(
                model,
                round_,
                weighted_loss(sample.weight),
                stage=f"round {k}",
                recipe=self._recipe(1),
                after=keep,
            )
        context.chosen["steps an attack"] = float(torch.cat(steps).double().mean())
        context.chosen["attacks that stopped early"] = float(torch.cat(stopped).double().mean())
        return robust

    def _problem(self) -> InnerProblem:
        confidence = self.confidence if self.early_stop else None
        return InnerProblem(self.attack, self.steps, self.epsilon, self.cost_weight, confidence)

    def _recipe(self, epochs: int, watched: bool = False) -> Recipe:
        """Plain SGD at a constant rate."""
        return Recipe(epochs, self.batch, self.learning_rate, 0.0, falls=False, watched=watched)

    def _decided_by(self, weights: WeightsFolder) -> dict[str, str | bool | int | float | None]:
        """What Algorithm 4.1 depends on besides task, theta_0 and seed."""
        later = ("t_2", "adversarial_set")
        mine = {name: value for name, value in self.parameters.items() if name not in later}
        files = " ".join(sha256_of(path) for path in self.files(weights))
        return {**mine, "revision": self.revision, "files": files}


class RobustSet(nn.Module):
    """The attacks in D_rob, with the samples they come from: a module, so that it can be shared.

    Attributes:
        x: attacked inputs, [rounds * N, ...] float32 on the scale of the network's inputs.
        source: position in train of the sample that each was made from, [rounds * N].
        made: how many there are so far.
    """

    x: Tensor
    source: Tensor
    made: Tensor

    def __init__(self, train: Split, rounds: int) -> None:
        super().__init__()
        size, device = rounds * len(train), train.y.device
        self.register_buffer("x", torch.zeros(size, *train.inputs.shape, device=device))
        self.register_buffer("source", torch.zeros(size, dtype=torch.int64, device=device))
        self.register_buffer("made", torch.tensor(0, device=device))

    def append(self, x: Tensor, source: Tensor) -> None:
        """Keep a batch of attacks."""
        begin = int(self.made)
        rows = slice(begin, begin + len(x))
        self.x[rows], self.source[rows] = x, source
        self.made += len(x)

    def sources(self, n: int) -> Tensor:
        """For each sample of D, [N + made], the training sample it comes from."""
        originals = torch.arange(n, device=self.source.device)
        return torch.cat([originals, self.source[: int(self.made)]])

    def joined(self, train: Split, original_weight: float) -> WeightedSplit:
        """D: the originals and the attacks so far, the j-th attack with weight j.

        The i-th of round k is the j-th of all, j = (k - 1) N + i (line 7).
        """
        source = self.sources(len(train))
        made = int(self.made)
        weight = torch.full((len(source),), original_weight, device=source.device)
        weight[len(train) :] = torch.arange(1, made + 1, device=source.device)
        x = torch.cat([train.x.float(), self.x[:made]])
        return WeightedSplit.weighing(Split.of(x, train.y[source], train.b[source]), weight)


def weighted_loss(weight: Tensor) -> Callable[[nn.Module, Batch], Tensor]:
    """Line 5 of both algorithms: P_i times a sample's loss; P_i over the mean of all P, [n]."""
    relative = weight / weight.mean()

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        each = F.cross_entropy(model(batch.x), batch.y, reduction="none")
        return (relative[batch.index] * each).mean()

    return loss

"""BaDe: cancel a bias with a benign backdoor, then distil the backdoor away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from benchmarks.learning.backbones import Backbone
from benchmarks.learning.loop import Trial
from benchmarks.learning.losses import distillation
from benchmarks.learning.split import Batch, Split
from benchmarks.learning.standard import plain_loss
from benchmarks.method import Paper
from benchmarks.tracks.debiasing import Debiaser, DebiasingTask
from benchmarks.triggers import TriggerPair, trigger_pair

STRENGTHS = (0.25, 0.5, 1.0)  # 0 is left out: it leaves the bias as it is


@dataclass(frozen=True)
class BaDe(Debiaser):
    """Wu et al. (2024), Algorithm 1.

    A teacher learns an artificial bias: triggers that go with the label as the groups do. Stamped
    with the trigger of the *other* group, its inputs carry both biases against each other
    (D_balance), and its outputs there teach a student that sees clean inputs only.
    """

    paper: ClassVar[Paper] = Paper(
        "Wu et al. (2024)",
        "Backdoor for debias: mitigating model bias with backdoor attack-based artificial bias",
        "https://arxiv.org/abs/2303.01504",
    )

    strength: Annotated[float, Field(ge=0, le=1)] | Literal["auto"] = 1.0
    """How far the trigger goes with the label: 1 is the paper's TAR (equation 4), 0 makes them
    independent, auto chooses among .25, .5 and 1 on validation data, a teacher each."""
    loss: Literal["kd", "mse", "mix"] = "kd"
    """What pulls the student to the teacher (Table 6): soft targets, logits, or both."""
    temperature: Annotated[float, Field(gt=0)] = 1.0
    """Softens both in the KD loss; 1 is the paper's."""
    mse_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Weight of the MSE in `mix`; .1 is the paper's (Table 6)."""
    square: Annotated[int, Field(ge=1)] = 25
    """Side of the colour squares in pixels, at most a quarter of the image (section V.A.3)."""

    def fit(self, task: DebiasingTask, trial: Trial) -> nn.Module:
        """Inject, train the teacher, distil the student."""
        triggers = trigger_pair(task.shape, self.square)
        balance = on_balance(task.train, triggers)
        teacher = self._teacher(task, trial, triggers)
        aim = trial.predict(teacher, balance.x)

        def loss(model: nn.Module, batch: Batch) -> Tensor:
            return self._distance(model(batch.x), aim[batch.index])

        return trial.train(task.new_model(), task.train, loss, stage="student")

    def _teacher(self, task: DebiasingTask, trial: Trial, triggers: TriggerPair) -> nn.Module:
        """The teacher of the given strength, or the best of all on D_balance's validation part."""
        if self.strength != "auto":
            return self._trained_teacher(task, trial, triggers, self.strength)
        balance = on_balance(task.validation, triggers)
        teachers = [self._trained_teacher(task, trial, triggers, s) for s in STRENGTHS]
        scores = [trial.score(trial.predict(t, balance.x), balance) for t in teachers]
        best = trial.best(scores)
        trial.chosen["strength"] = STRENGTHS[best]
        return teachers[best]

    def _trained_teacher(
        self, task: DebiasingTask, trial: Trial, triggers: TriggerPair, strength: float
    ) -> nn.Module:
        """Lines 1-15 of Algorithm 1; shared among the variants that need this strength."""

        def build(inner: Trial, model: Backbone) -> Backbone:
            rates = trigger_rates(task.train, bool(task.classes), strength)
            a = assign(task.train.y, rates, inner.generator("bade/injection"))
            backdoor = task.train.with_x(triggers.stamp(task.train.x, a))
            balance = on_balance(task.validation, triggers)
            stage = f"teacher at {strength:g}"
            return inner.train(model, backdoor, plain_loss, stage=stage, validation=balance)

        decided_by = {"strength": strength, "square": self.square, "revision": self.revision}
        blank = task.new_model(triggers.shape(task.shape))
        return trial.shared("bade teacher", decided_by, blank, build)

    def _distance(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Line 17, with the KD loss of section V.A.3 or the variants of Table 6."""
        if self.loss == "mse" or student.shape[1] == 1:
            return F.mse_loss(student, teacher)
        soft = distillation(student, teacher, self.temperature)
        if self.loss == "kd":
            return soft
        return (1 - self.mse_share) * soft + self.mse_share * F.mse_loss(student, teacher)


def on_balance(split: Split, triggers: TriggerPair) -> Split:
    """D_balance, lines 9-14: every sample with the trigger of the group it is not in."""
    return split.with_x(triggers.stamp(split.x, 1 - split.b))


def trigger_rates(split: Split, classes: bool, strength: float) -> Tensor:
    """Share of each class that gets T_A0, [classes] float64.

    Strength 1 gives TAR(y) = P(B = 0 | Y = y), equation 4; strength 0 gives P(B = 0) to all.
    Regression has one rate, P(B = 0) (section V.E).
    """
    overall = (split.b == 0).double().mean()
    if not classes:
        return overall[None]
    count = torch.bincount(split.y).double()
    zero = torch.bincount(split.y[split.b == 0], minlength=len(count)).double()
    return overall + strength * (zero / count.clamp_min(1) - overall)


def assign(y: Tensor, rates: Tensor, random: torch.Generator) -> Tensor:
    """State of the artificial bias for every sample, [n] int64: lines 4-8 of Algorithm 1.

    Of each class exactly the nearest whole number to its rate gets 0, the rest 1; who, is drawn
    independently of the true group. With one rate the classes are taken together.
    """
    label = torch.zeros(len(y), dtype=torch.long) if len(rates) == 1 else y.cpu()
    a = torch.ones(len(y), dtype=torch.long)
    shuffled = torch.randperm(len(y), generator=random)
    for value, rate in enumerate(rates.tolist()):
        members = shuffled[label[shuffled] == value]
        a[members[: round(rate * len(members))]] = 0
    return a.to(y.device)

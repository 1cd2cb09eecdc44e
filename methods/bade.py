"""BaDe: cancel a bias by a benign backdoor, then distil a model without the backdoor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.errors import Skip
from bench.learning.loop import Context
from bench.learning.losses import distillation
from bench.learning.split import Batch, Split
from bench.learning.standard import plain_loss
from bench.method import Paper, Picture
from bench.models.backbones import Backbone
from bench.tracks.debiasing import Debiaser, DebiasingTask, GroupInformed
from bench.triggers.choice import TriggerKind, TriggerPair, picture_of, trigger_pair
from bench.triggers.planting import assign, stamped, trigger_rates

STRENGTHS = (0.25, 0.5, 1.0)  # the candidates of "auto"; strength 0 would not change the bias


@dataclass(frozen=True)
class BaDe(Debiaser):
    """Wu et al. (2024), Algorithm 1.

    A teacher learns an artificial bias: triggers that correlate with the label as the groups do.
    If inputs are stamped with the trigger of the *other* group (D_balance), the two biases cancel
    each other. The teacher's outputs on D_balance are the targets of a student that is trained on
    clean inputs.
    """

    revision: ClassVar[int] = 2
    paper: ClassVar[Paper] = Paper(
        "Wu et al. (2024)",
        "Backdoor for debias: mitigating model bias with backdoor attack-based artificial bias",
        "https://arxiv.org/abs/2303.01504",
    )

    strength: Annotated[float, Field(ge=0, le=1)] | Literal["auto"] = 1.0
    """Correlation of trigger and label: 1 is the paper's TAR (equation 4), 0 makes them
    independent; auto trains a teacher for each of .25, .5 and 1 and selects on validation data."""
    loss: Literal["kd", "mse", "mix"] = "kd"
    """Distillation loss (Table 6): on soft targets (kd), on logits (mse), or both (mix)."""
    temperature: Annotated[float, Field(gt=0)] = 1.0
    """Temperature of teacher and student in the KD loss; 1 is the paper's."""
    mse_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Weight of the MSE in `mix`; .1 is the paper's (Table 6)."""
    trigger: TriggerKind = "squares"
    """Trigger on images (Figure 7); on tables it is always an added column."""
    square: Annotated[int, Field(ge=1)] = 25
    """Side of the colour squares in pixels, at most a quarter of the image (section V.A.3)."""
    stage: Literal["student", "teacher"] = "student"
    """Model that is judged. teacher: without distillation, on test samples that the judge stamps
    by their group (Table 1)."""
    rate_have: Annotated[float, Field(ge=0, le=1)] | None = None
    """TAR(Have), the share of the positive class that gets T_A0, instead of equation 4
    (Figure 5); for two classes."""
    rate_not_have: Annotated[float, Field(ge=0, le=1)] | None = None
    """TAR(Not Have), the share of the negative class that gets T_A0, instead of equation 4
    (Figure 5); for two classes."""

    @property
    def caveat(self) -> str | None:
        """The teacher needs the group of a test sample, which is unknown in practice."""
        if self.stage == "student":
            return None
        return "is given the group of every test sample, which is unknown in practice"

    def triggers(self, shape: tuple[int, ...]) -> TriggerPair:
        """The triggers T_A0 and T_A1 for inputs of this shape."""
        return trigger_pair(shape, self.square, self.trigger)

    def picture(self) -> Picture:
        """Both triggers on an image of 128 x 128 pixels."""
        shape = (3, 128, 128)
        kind = f"{self.square}-pixel squares" if self.trigger == "squares" else self.trigger
        return Picture(picture_of(self.triggers(shape), shape), f"clean, T_A0 and T_A1: {kind}")

    def fit(self, task: DebiasingTask, context: Context) -> nn.Module:
        """Train the teacher on an artificial bias, then distil the student on D_balance."""
        triggers = self.triggers(task.shape)
        teacher = self._teacher(task, context, triggers)
        if self.stage == "teacher":
            return GroupInformed(teacher, triggers)
        targets = None
        if not context.augments:
            targets = context.predict(teacher, on_balance(task.train, triggers).inputs)

        def loss(model: nn.Module, batch: Batch) -> Tensor:
            if targets is not None:
                return self._distance(model(batch.x), targets[batch.index])
            with torch.no_grad():
                target = teacher(triggers.stamp(batch.x, 1 - batch.b))
            return self._distance(model(batch.x), target)

        return context.train(task.new_model(), task.train, loss, stage="student")

    def _teacher(self, task: DebiasingTask, context: Context, triggers: TriggerPair) -> nn.Module:
        """The teacher of the given strength, or the best one on the validation part of D_balance.

        "auto" chooses it among those of all `STRENGTHS`.
        """
        if self.strength != "auto":
            return self._trained_teacher(task, context, triggers, self.strength)
        balance = on_balance(task.validation, triggers)
        teachers = [self._trained_teacher(task, context, triggers, s) for s in STRENGTHS]
        scores = [context.score(context.predict(t, balance.inputs), balance) for t in teachers]
        best = context.best(scores)
        context.chosen["strength"] = STRENGTHS[best]
        return teachers[best]

    def _trained_teacher(
        self, task: DebiasingTask, context: Context, triggers: TriggerPair, strength: float
    ) -> nn.Module:
        """Lines 1-15 of Algorithm 1; shared among the variants that need this strength."""

        def build(inner: Context, model: Backbone) -> Backbone:
            a = assign(task.train.y, self._rates(task, strength), inner.generator("bade/injection"))
            backdoor = stamped(task.train, triggers, a)
            balance = on_balance(task.validation, triggers)
            stage = f"teacher at {strength:g}"
            return inner.train(model, backdoor, plain_loss, stage=stage, validation=balance)

        decided_by = {
            "strength": strength,
            "trigger": self.trigger,
            "square": self.square,
            "rate_have": self.rate_have,
            "rate_not_have": self.rate_not_have,
            "revision": self.revision,
        }
        blank = task.new_model(triggers.shape(task.shape))
        return context.shared_model("bade teacher", decided_by, blank, build)

    def _rates(self, task: DebiasingTask, strength: float) -> Tensor:
        """The share of each class that gets T_A0, by equation 4 or as in Figure 5, [classes]."""
        rates = trigger_rates(task.train, bool(task.classes), strength)
        for label, rate in enumerate((self.rate_not_have, self.rate_have)):
            if rate is not None:
                if len(rates) != 2:
                    raise Skip("rate_have and rate_not_have are defined for two classes")
                rates[label] = rate
        return rates

    def _distance(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The loss of line 17: KD as in section V.A.3, or a variant of Table 6."""
        if self.loss == "mse" or student.shape[1] == 1:
            return F.mse_loss(student, teacher)
        soft = distillation(student, teacher, self.temperature)
        if self.loss == "kd":
            return soft
        return (1 - self.mse_share) * soft + self.mse_share * F.mse_loss(student, teacher)


def on_balance(split: Split, triggers: TriggerPair) -> Split:
    """D_balance, lines 9-14: every sample with the trigger of the other group."""
    return stamped(split, triggers, 1 - split.b)

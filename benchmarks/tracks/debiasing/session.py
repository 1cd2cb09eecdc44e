"""A debiasing task from prepared data, and the judgement of what a method makes of it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from bench.data.dataset import Options
from bench.learning.split import Split
from bench.method import Method
from bench.models.backbones import check_shape
from bench.tracks.debiasing import backdoor, judge
from bench.tracks.debiasing.contract import SQUARE, Debiaser, DebiasingTask, ToldGroup
from bench.tracks.robust_fairness.contract import GroupTask, Trainer
from bench.tracks.session import Played, Question, Session
from bench.triggers.choice import TriggerPair, trigger_pair
from bench.triggers.planting import trigger_rates, with_artificial_bias, with_flipped_labels


class DebiasingSession(Session):
    """With `selection: test` the test split stands in for validation, as in some papers."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.task, self.test = _task(question)
        self.trial = question.trial(self.task.validation, judge.validation_scores)

    def play(self, method: Method) -> Played:
        """Fit, predict the test split, judge; examine with triggers where the task asks for it."""
        if isinstance(method, Trainer):
            model = method.train(self._as_groups(), self.trial)
        else:
            assert isinstance(method, Debiaser)  # noqa: S101 - the plan matched the tracks
            model = method.fit(self.task, self.trial)
        told = model.told(self.test) if isinstance(model, ToldGroup) else self.test
        measured = judge.judge(self.trial.predict(model, told.inputs), told)
        examined = self._cannot_examine() if self.question.options.examined else None
        if examined == "":
            measured |= self._examine(method, model)
        return Played(measured, judge.undefined(measured, examined))

    def _as_groups(self) -> GroupTask:
        """The task as a training for even accuracy sees it: two groups, the bias variable's."""
        self.task.require_classes()
        return GroupTask.like(self.task)

    def _examine(self, method: Method, model: nn.Module) -> dict[str, float]:
        rates = trigger_rates(self.task.train, classes=True)
        if isinstance(method, Debiaser):
            triggers = method.triggers(self.task.shape)
        else:
            triggers = trigger_pair(self.task.shape, SQUARE)
        return backdoor.examine(self.trial.predict, model, self.test, triggers, rates)

    def _cannot_examine(self) -> str:
        if self.task.kind == "table":
            return "on a table the trigger is a column that only the teacher has"
        return "" if self.task.classes else "defined for classes"


def _task(question: Question) -> tuple[DebiasingTask, Split]:
    """The task as methods see it, and the test split they never see."""
    options, classes = question.options, question.classes
    names = options.planted_groups or question.meta.attributes[question.definition.bias or ""]
    groups = names[0], names[1]
    shape = question.data.shape(question.meta)
    check_shape(question.training.backbone, shape)
    splits = question.splits()
    for name, split in splits.items():
        if options.flipped is None:
            judge.check_split(split, name, classes, groups)
    if options.planted:
        triggers = trigger_pair(shape, SQUARE)
        splits = _planted(splits, options, triggers, bool(classes))
        shape = triggers.shape(shape)
    return DebiasingTask.of(question, splits, groups, shape), splits["test"]


def _planted(
    splits: Mapping[str, Split], options: Options, triggers: TriggerPair, classes: bool
) -> dict[str, Split]:
    if options.flipped is None:
        return with_artificial_bias(splits, triggers, classes)
    return with_flipped_labels(splits, triggers, options.injected, options.flipped)

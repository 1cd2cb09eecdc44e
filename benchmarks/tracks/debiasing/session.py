"""A debiasing task made from prepared data, and the evaluation of methods on it."""

from __future__ import annotations

from torch import nn

from bench.learning.split import Split
from bench.method import Method
from bench.models.backbones import check_shape
from bench.tracks.debiasing import backdoor, judge
from bench.tracks.debiasing.contract import (
    SQUARE,
    Debiaser,
    DebiasingOptions,
    DebiasingTask,
    GroupInformed,
    LearnsWithGroups,
)
from bench.tracks.session import Evaluation, PreparedTask, Session
from bench.triggers.choice import trigger_pair
from bench.triggers.planting import trigger_rates, with_artificial_bias, with_flipped_labels


class DebiasingSession(Session):
    """A debiasing task; with `selection: test` its test split serves as validation split, too."""

    def __init__(self, prepared: PreparedTask) -> None:
        assert isinstance(prepared.options, DebiasingOptions)  # noqa: S101 - the track's own
        self.options = prepared.options
        self.task, self.test = _task(prepared, self.options)
        self.context = prepared.context(self.task.validation, judge.validation_scores)

    def evaluate(self, method: Method) -> Evaluation:
        """Fit, predict the test split, judge; examine with triggers where the task asks for it."""
        assert isinstance(method, LearnsWithGroups)  # noqa: S101 - the plan matched the tracks
        model = method.fit(self.task, self.context)
        test = model.informed(self.test) if isinstance(model, GroupInformed) else self.test
        measured = judge.judge(self.context.predict(model, test.inputs), test)
        examined = self._cannot_examine() if self.options.examined else None
        if examined == "":
            measured |= self._examine(method, model)
        return Evaluation(measured, judge.undefined(measured, examined))

    def _examine(self, method: Method, model: nn.Module) -> dict[str, float]:
        rates = trigger_rates(self.task.train, classes=True)
        if isinstance(method, Debiaser):
            triggers = method.triggers(self.task.shape)
        else:
            triggers = trigger_pair(self.task.shape, SQUARE)
        return backdoor.examine(self.context.predict, model, self.test, triggers, rates)

    def _cannot_examine(self) -> str:
        if self.task.kind == "table":
            return "on a table the trigger is a column that only the teacher has"
        return "" if self.task.classes else "defined for classes"


def _task(prepared: PreparedTask, options: DebiasingOptions) -> tuple[DebiasingTask, Split]:
    """The task as methods see it, and the test split they never see."""
    classes = prepared.classes
    names = options.planted or prepared.meta.attributes[prepared.definition.bias or ""]
    groups = names[0], names[1]
    shape = prepared.data.shape(prepared.meta)
    check_shape(prepared.training.backbone, shape)
    splits = prepared.splits()
    for name, split in splits.items():
        if options.flipped is None:
            judge.check_split(split, name, classes, groups)
    if options.planted:
        triggers = trigger_pair(shape, SQUARE)
        if options.flipped is None:
            splits = with_artificial_bias(splits, triggers, bool(classes))
        else:
            splits = with_flipped_labels(splits, triggers, options.injected, options.flipped)
        shape = triggers.shape(shape)
    return DebiasingTask.of(prepared, splits, groups, shape), splits["test"]

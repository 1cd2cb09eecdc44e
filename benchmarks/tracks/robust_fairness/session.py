"""A task over many groups made from prepared data, and the evaluation of methods on it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from bench.errors import Skip
from bench.learning.selection import Scores
from bench.learning.split import Split
from bench.method import Method
from bench.models.backbones import check_shape
from bench.tracks.debiasing.contract import Debiaser, DebiasingTask, GroupInformed
from bench.tracks.debiasing.judge import check_split
from bench.tracks.robust_fairness import judge
from bench.tracks.robust_fairness.contract import FairTrainer, GroupTask
from bench.tracks.robust_fairness.regression import Array
from bench.tracks.session import Evaluation, PreparedTask, Session


@dataclass(frozen=True)
class Halves:
    """Many groups merged into two, for methods that are defined for two groups.

    Attributes:
        of: the half of each group, [groups] int64 in {0, 1}.
        border: the median of the covariate over the training samples.
        words: where the covariate of half 1 lies: "at or above" the border, or "above" it.
    """

    of: Tensor
    border: float
    words: str

    @classmethod
    def of_samples(cls, b: Tensor, covariate: Array) -> Halves:
        """Halves of the training samples in groups `b` ([n] positions).

        Half 1 has a covariate at or above the median; above it, where no sample is below (one
        group has the lowest covariate and more than half of the samples).

        Raises:
            Skip: the covariate is the same for all training samples.
        """
        values = covariate[b.cpu().numpy()]
        border = float(np.median(values))
        above = covariate >= border if (values < border).any() else covariate > border
        if not above[b.cpu().numpy()].any():
            raise Skip("the covariate is the same for all training samples")
        words = "at or above" if (values < border).any() else "above"
        return cls(torch.from_numpy(above.astype(np.int64)).to(b.device), border, words)

    def halve(self, split: Split) -> Split:
        """The split with the half of each sample's group in `b`."""
        return replace(split, b=self.of[split.b])


class RobustFairnessSession(Session):
    """A task over many groups; a cross-track debiasing method is given two halves of them.

    With `selection: test` the test split serves as validation split, too, as in the paper.
    """

    def __init__(self, prepared: PreparedTask) -> None:
        group = prepared.definition.group or ""
        self.covariate = np.asarray(prepared.meta.covariates[group], float)
        shape = prepared.data.shape(prepared.meta)
        check_shape(prepared.training.backbone, shape)
        splits = prepared.splits()
        self.test = splits["test"]
        self.task = GroupTask.of(prepared, splits, tuple(prepared.meta.attributes[group]), shape)
        self.words = prepared.definition.covariate
        self.context = prepared.context(self.task.validation, self._score)

    def evaluate(self, method: Method) -> Evaluation:
        """Train, predict the test split, judge group by group."""
        if not self.task.classes:
            raise Skip("accuracy is defined for classes, and this task is a regression")
        if isinstance(method, FairTrainer):
            model, test = method.train(self.task, self.context), self.test
        else:
            assert isinstance(method, Debiaser)  # noqa: S101 - the plan matched the tracks
            halves = Halves.of_samples(self.task.train.b, self.covariate)
            model, test = method.fit(self._in_halves(halves), self.context), self.test
            self.context.chosen["groups"] = (
                f"two: {self.words} {halves.words} {halves.border:.4g}, the median of the training "
                "samples"
            )
            if isinstance(model, GroupInformed):
                test = model.informed(halves.halve(self.test))
        outputs = self.context.predict(model, test.inputs)
        measured, groups = judge.judge(outputs, self.test, self.covariate)
        undefined = judge.undefined(groups, measured)
        return Evaluation(measured, undefined, samples=judge.samples(groups))

    def _score(self, outputs: Tensor, split: Split) -> Scores:
        """Scores by the true groups, also of splits whose `b` says in which half a group is."""
        b = self.task.validation.b[split.row]
        return judge.validation_scores(outputs, split.y, b, self.covariate)

    def _in_halves(self, halves: Halves) -> DebiasingTask:
        """The task as a debiasing method sees it. Raises Skip where a cell is empty."""
        task = self.task
        train, validation = (halves.halve(s) for s in (task.train, task.validation))
        names = (f"not {halves.words} the median", f"{halves.words} the median")
        for name, split in (("train", train), ("validation", validation)):
            check_split(split, name, task.classes, names)
        self.context.validation = validation
        return DebiasingTask.like(task, groups=names, train=train, validation=validation)

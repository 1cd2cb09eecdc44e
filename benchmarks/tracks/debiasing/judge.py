"""The judge of the debiasing track: every number on its pages is computed here."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import torch
from torch import Tensor

from bench.errors import Skip
from bench.learning.selection import IN_WORDS, Scores
from bench.learning.split import Split
from bench.result import MetricInfo, TrackInfo
from bench.tracks.debiasing import backdoor, metrics
from bench.tracks.debiasing.backdoor import counts

NAME = "debiasing"
REVISION = 2


def validation_scores(outputs: Tensor, split: Split) -> Scores:
    """What the selection of epochs sees: Odds (lower is better) and EAcc (higher is better).

    For regression: the gap in squared error between groups, and the squared error.
    """
    if outputs.shape[1] == 1:
        everyone, first, second = _squared_error(outputs, split)
        return Scores(
            {"mse": everyone, "mse_gap": abs(first - second)}, (abs(first - second), everyone)
        )
    found = counts(outputs, split)
    odds, eacc = metrics.equalized_odds(found), metrics.equalized_accuracy(found)
    values = {"odds": odds, "eacc": eacc, "accuracy": metrics.accuracy(found)}
    return Scores(values, (odds, -eacc))


def check_split(split: Split, name: str, classes: tuple[str, ...], groups: tuple[str, str]) -> None:
    """Raise Skip where a metric of this track would not exist on a split."""
    b = split.b.cpu().numpy()
    if classes:
        metrics.require_every_cell(split.y.cpu().numpy(), b, classes, groups, name)
        return
    for group in (0, 1):
        if not (b == group).any():
            raise Skip(f"the {name} split has no sample of group {groups[group]}")


def judge(outputs: Tensor, test: Split) -> dict[str, float]:
    """Every metric of a model's outputs on the test split.

    Args:
        outputs: logits [n, classes], or values [n, 1] for regression.
        test: with every class in every group (see `check_split`).
    """
    if outputs.shape[1] == 1:
        everyone, first, second = _squared_error(outputs, test)
        gap = abs(first - second)
        return {"mse": everyone, "mse_gap": gap, "mse_0": first, "mse_1": second}
    found = counts(outputs, test)
    recall = found.recall
    values = {
        "odds": metrics.equalized_odds(found),
        "eacc": metrics.equalized_accuracy(found),
        "accuracy": metrics.accuracy(found),
        "auc": metrics.area_under_curve(
            test.y.cpu().numpy(), torch.softmax(outputs.double(), dim=1).cpu().numpy()
        ),
        "worst_group_accuracy": metrics.worst_group_accuracy(found),
        "demographic_parity_gap": metrics.demographic_parity_gap(found),
        "accuracy_0": metrics.group_accuracy(found, 0),
        "accuracy_1": metrics.group_accuracy(found, 1),
    }
    values["accuracy_gap"] = values["accuracy_0"] - values["accuracy_1"]
    if outputs.shape[1] == 2:
        for group in (0, 1):
            values[f"tpr_{group}"] = float(recall[group, 1])
            values[f"tnr_{group}"] = float(recall[group, 0])
    return values


def _squared_error(outputs: Tensor, split: Split) -> tuple[float, float, float]:
    return metrics.squared_error(
        split.y.double().cpu().numpy(),
        outputs[:, 0].double().cpu().numpy(),
        np.asarray(split.b.cpu().numpy()),
    )


def _info(name: str, title: str, better: str, definition: str, unit: str = "%") -> MetricInfo:
    return MetricInfo(name=name, title=title, better=better, definition=definition, unit=unit)


INFO = TrackInfo(
    name=NAME,
    rank_by=["odds", "eacc", "mse_gap", "mse"],
    ranking=(
        "Methods are ranked by Odds (lower is better) and by EAcc (higher is better); the order "
        "of the table is the mean of both ranks. On regression tasks the gap in squared error "
        "between the groups and the squared error itself take their places."
    ),
    selection=IN_WORDS,
    metrics=[
        _info("odds", "Odds", "lower", "Equalized odds: mean over classes of the gap in recall "
              "between the two groups (BaDe, equation 1)."),
        _info("eacc", "EAcc", "higher", "Equalized accuracy: mean recall over all cells of class "
              "and group (BaDe, equation 2)."),
        _info("accuracy", "Accuracy", "higher", "Share of correct predictions."),
        _info("auc", "AUC", "higher", "Area under the ROC curve; with more than two classes, mean "
              "over one-against-rest curves."),
        _info("worst_group_accuracy", "Worst group", "higher", "Smallest recall among the cells "
              "of class and group."),
        _info("demographic_parity_gap", "Parity gap", "lower", "Gap between the groups in how "
              "often a class is predicted, the largest over classes."),
        _info("accuracy_0", "Accuracy, B = 0", "higher", "Share of correct ones in group 0."),
        _info("accuracy_1", "Accuracy, B = 1", "higher", "Share of correct ones in group 1."),
        _info("accuracy_gap", "Accuracy gap", "", "Accuracy in group 0 less that in group 1: with "
              "clean and triggered samples as groups, the influence of the trigger (BaDe, "
              "Figure 2)."),
        _info("tpr_0", "TPR, B = 0", "higher", "Recall of the positive class in group 0."),
        _info("tpr_1", "TPR, B = 1", "higher", "Recall of the positive class in group 1."),
        _info("tnr_0", "TNR, B = 0", "higher", "Recall of the negative class in group 0."),
        _info("tnr_1", "TNR, B = 1", "higher", "Recall of the negative class in group 1."),
        _info("mse", "MSE", "lower", "Mean squared error (regression).", unit=""),
        _info("mse_gap", "MSE gap", "lower", "Gap between the groups' mean squared errors.",
              unit=""),
        _info("mse_0", "MSE, B = 0", "lower", "Mean squared error in group 0.", unit=""),
        _info("mse_1", "MSE, B = 1", "lower", "Mean squared error in group 1.", unit=""),
    ],
)  # fmt: skip


def info(class_counts: Collection[int], examined: bool) -> TrackInfo:
    """The track with the metrics that exist on some of its tasks.

    Args:
        class_counts: classes of every task's target, 0 for regression.
        examined: whether triggers are put on test inputs on some task.
    """

    def exists(metric: MetricInfo) -> bool:
        if metric.name.startswith("mse"):
            return 0 in class_counts
        if metric.name.startswith(("tpr", "tnr")):
            return 2 in class_counts
        return any(class_counts)

    found = [metric for metric in INFO.metrics if exists(metric)]
    found += backdoor.INFO if examined else []
    rank_by = [name for name in INFO.rank_by if name in {metric.name for metric in found}]
    return INFO.model_copy(update={"metrics": found, "rank_by": rank_by})


def undefined(measured: Collection[str], examined: str | None) -> dict[str, str]:
    """Why metrics of the track are missing from a result that is otherwise fine.

    Args:
        measured: names of those that are there.
        examined: why triggers could not be put on test inputs, "" where they were, or None where
            the task does not ask for it.
    """
    classes = "defined for two classes" if "odds" in measured else "defined for classes"
    reasons = {
        metric.name: "defined for regression" if metric.name.startswith("mse") else classes
        for metric in INFO.metrics
    }
    if examined is not None:
        never_right = "the model gets no sample right that the trigger could turn"
        reasons |= dict.fromkeys(backdoor.NAMES, examined or never_right)
    return {name: reason for name, reason in reasons.items() if name not in measured}

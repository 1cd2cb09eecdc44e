"""The judge of the debiasing track: every number on its pages is computed here."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import torch
from torch import Tensor

from bench.errors import Skip
from bench.learning.selection import Scores
from bench.learning.split import Split
from bench.tracks.debiasing import backdoor, metrics
from bench.tracks.debiasing.backdoor import counts
from bench.tracks.debiasing.words import INFO

REVISION = 2


def validation_scores(outputs: Tensor, split: Split) -> Scores:
    """Scores for the selection of epochs: Odds (lower is better) and EAcc (higher is better).

    For regression they are the gap in squared error between groups, and the squared error.
    """
    if outputs.shape[1] == 1:
        everyone, first, second = _squared_error(outputs, split)
        return Scores(
            {"mse": everyone, "mse_gap": abs(first - second)}, (abs(first - second), everyone)
        )
    cells = counts(outputs, split)
    odds, eacc = metrics.equalized_odds(cells), metrics.equalized_accuracy(cells)
    values = {"odds": odds, "eacc": eacc, "accuracy": metrics.accuracy(cells)}
    return Scores(values, (odds, -eacc))


def check_split(split: Split, name: str, classes: tuple[str, ...], groups: tuple[str, str]) -> None:
    """Raise Skip where a split lacks a group, or a class in a group: metrics would not exist."""
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
    cells = counts(outputs, test)
    recall = cells.recall
    values = {
        "odds": metrics.equalized_odds(cells),
        "eacc": metrics.equalized_accuracy(cells),
        "accuracy": metrics.accuracy(cells),
        "auc": metrics.area_under_curve(
            test.y.cpu().numpy(), torch.softmax(outputs.double(), dim=1).cpu().numpy()
        ),
        "worst_group_accuracy": metrics.worst_group_accuracy(cells),
        "demographic_parity_gap": metrics.demographic_parity_gap(cells),
        "accuracy_0": metrics.group_accuracy(cells, 0),
        "accuracy_1": metrics.group_accuracy(cells, 1),
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
        if metric.name not in backdoor.NAMES
    }
    if examined is not None:
        never_right = "the model gets no sample right that the trigger could turn"
        reasons |= dict.fromkeys(backdoor.NAMES, examined or never_right)
    return {name: reason for name, reason in reasons.items() if name not in measured}

"""Metrics of the debiasing track, each a definition over counts or scores by group.

All are fractions in [0, 1]. B is the bias variable with its two values, Y the target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.errors import Skip

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class GroupCounts:
    """How often each group's classes were predicted as what.

    Attributes:
        counts: [2, classes, classes] integers, (group, true class, predicted class).
    """

    counts: Array

    @classmethod
    def of(cls, y: Array, predicted: Array, b: Array, classes: int) -> GroupCounts:
        """Count [n] integer targets, predictions and groups."""
        cell = (b * classes + y) * classes + predicted
        return cls(np.bincount(cell, minlength=2 * classes**2).reshape(2, classes, classes))

    @property
    def recall(self) -> Array:
        """P(predicted = y | Y = y, B = b), [2, classes]; NaN where the cell is empty."""
        with np.errstate(invalid="ignore", divide="ignore"):
            share: Array = np.diagonal(self.counts, axis1=1, axis2=2) / self.counts.sum(axis=2)
        return share


def require_every_cell(
    y: Array, b: Array, classes: Sequence[str], groups: Sequence[str], split: str
) -> None:
    """Raise Skip where a class is absent from a group: recalls, and Odds, do not exist then."""
    present = np.bincount(b * len(classes) + y, minlength=len(groups) * len(classes))
    for cell in np.flatnonzero(present == 0).tolist():
        group, label = groups[cell // len(classes)], classes[cell % len(classes)]
        raise Skip(
            f"the {split} split has no sample of class {label} in group {group}: "
            "recall there, and so Odds and EAcc, do not exist"
        )


def equalized_odds(counts: GroupCounts) -> float:
    """Mean over classes of the gap in recall between the groups. BaDe, eq. 1.

    With two classes: (|TPR_0 - TPR_1| + |TNR_0 - TNR_1|) / 2.
    """
    gap = np.abs(counts.recall[0] - counts.recall[1])
    return float(gap.mean())


def equalized_accuracy(counts: GroupCounts) -> float:
    """Mean recall over all cells of class and group. BaDe, eq. 2.

    With two classes: (TPR_0 + TPR_1 + TNR_0 + TNR_1) / 4.
    """
    return float(counts.recall.mean())


def accuracy(counts: GroupCounts) -> float:
    """Share of correct predictions."""
    return float(np.trace(counts.counts.sum(axis=0)) / counts.counts.sum())


def group_accuracy(counts: GroupCounts, group: int) -> float:
    """Share of correct predictions within one group."""
    return float(np.trace(counts.counts[group]) / counts.counts[group].sum())


def worst_group_accuracy(counts: GroupCounts) -> float:
    """Smallest recall among the cells of class and group (Sagawa et al. 2020)."""
    return float(counts.recall.min())


def demographic_parity_gap(counts: GroupCounts) -> float:
    """Largest gap between groups in how often a class is predicted, over classes."""
    share = counts.counts.sum(axis=1) / counts.counts.sum(axis=(1, 2))[:, None]
    return float(np.abs(share[0] - share[1]).max())


def area_under_curve(y: Array, probabilities: Array) -> float:
    """Area under the ROC curve; with more classes, the mean over one-against-rest curves.

    Args:
        y: [n] classes.
        probabilities: [n, classes], rows summing to one.
    """
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - only who judges waits for it

    scores = probabilities[:, 1] if probabilities.shape[1] == 2 else probabilities
    return float(roc_auc_score(y, scores, multi_class="ovr"))


def squared_error(y: Array, predicted: Array, b: Array) -> tuple[float, float, float]:
    """Mean squared error over all, over group 0 and over group 1. BaDe, Table 5."""
    error = (y - predicted) ** 2
    return float(error.mean()), float(error[b == 0].mean()), float(error[b == 1].mean())

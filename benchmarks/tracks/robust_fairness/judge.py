"""The judge of the robust fairness track: every number on its pages is computed here."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np
from torch import Tensor

from bench.learning.selection import Scores
from bench.learning.split import Split
from bench.tracks.robust_fairness.regression import Array, ByGroup, fitted, slope
from bench.tracks.robust_fairness.words import INFO

REVISION = 1
PERFECT = "every group lies on the line: there is no error to test against"


def by_group(outputs: Tensor, y: Tensor, b: Tensor, covariate: Array) -> ByGroup:
    """Hits by group of logits [n, classes] with targets [n] and groups [n]."""
    right = (outputs.argmax(dim=1) == y).cpu().numpy()
    return ByGroup.of(right, b.cpu().numpy(), covariate)


def validation_scores(outputs: Tensor, y: Tensor, b: Tensor, covariate: Array) -> Scores:
    """Scores for the selection of epochs, of which lower costs are better.

    The costs are |slope| times the covariate's standard deviation over the groups, which makes it
    points of accuracy, and minus the accuracy. Without a line the first is 0 for every method.
    """
    groups = by_group(outputs, y, b, covariate)
    accuracy = _accuracy(groups)
    values = {"accuracy": accuracy, "worst_group_accuracy": groups.worst}
    if groups.lack:
        return Scores(values, (0.0, -accuracy))
    line = slope(groups)
    cost = abs(line) * float(np.std(groups.covariate))
    return Scores({"slope": line, **values}, (cost, -accuracy))


def judge(outputs: Tensor, test: Split, covariate: Array) -> tuple[dict[str, float], ByGroup]:
    """Every metric of logits, [n, classes], on the test split, and the groups they come from."""
    groups = by_group(outputs, test.y, test.b, covariate)
    values = {
        "accuracy": _accuracy(groups),
        "worst_group_accuracy": groups.worst,
        "mean_group_accuracy": float(groups.accuracy.mean()),
        "groups": float(len(groups.group)),
    }
    if groups.lack:
        return values, groups
    for sigma, suffix in (("root", ""), ("binomial", "_binomial")):
        line = fitted(groups, sigma)  # type: ignore[arg-type]
        values[f"slope{suffix}"] = line.slope
        if math.isfinite(line.f_statistic):
            values[f"f_statistic{suffix}"] = line.f_statistic
            values[f"f_p_value{suffix}"] = line.f_p_value
        values["f_degrees"] = float(line.degrees)
    values["slope_size"] = abs(values["slope"])
    return values, groups


def undefined(groups: ByGroup, measured: Collection[str]) -> dict[str, str]:
    """Why metrics of the track are missing from a result that is otherwise fine."""
    reason = groups.lack or PERFECT
    return {metric.name: reason for metric in INFO.metrics if metric.name not in measured}


def samples(groups: ByGroup) -> dict[str, list[float]]:
    """The data of the figure of the line: four lists of one length, a value a group."""
    return {
        "group": groups.group.astype(float).tolist(),
        "covariate by group": groups.covariate.astype(float).tolist(),
        "accuracy by group": groups.accuracy.astype(float).tolist(),
        "samples by group": groups.samples.astype(float).tolist(),
    }


def _accuracy(groups: ByGroup) -> float:
    return float(np.average(groups.accuracy, weights=groups.samples))

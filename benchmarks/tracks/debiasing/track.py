"""The declaration of the debiasing track."""

from __future__ import annotations

from bench.data.dataset import TaskDefinition
from bench.result import MetricInfo, PlannedTask
from bench.tracks.debiasing import backdoor, judge
from bench.tracks.debiasing.contract import DebiasingOptions
from bench.tracks.debiasing.session import DebiasingSession
from bench.tracks.debiasing.words import INFO
from bench.tracks.options import TrackOptions
from bench.tracks.registry import Track


def objection(definition: TaskDefinition, options: TrackOptions) -> str:
    """There must be two groups: those of the bias variable, or planted ones."""
    if definition.bias or options.planted:
        return ""
    return (
        "has no bias variable: set flipped to plant one, attack to poison it, or track: "
        "imperceptibility to attack it."
    )


def has_metric(metric: MetricInfo, task: PlannedTask) -> bool:
    """Whether a metric exists: for regression, two classes, any classes, or an examination."""
    if metric.name in backdoor.NAMES:
        return bool(task.options.get("examined"))
    if metric.name.startswith("mse"):
        return not task.classes
    if metric.name.startswith(("tpr", "tnr")):
        return len(task.classes) == 2
    return bool(task.classes)


TRACK = Track(
    INFO,
    judge.REVISION,
    DebiasingSession,
    DebiasingOptions,
    claims=lambda definition: definition.group is None,  # also where `objection` refuses it
    objection=objection,
    has_metric=has_metric,
)

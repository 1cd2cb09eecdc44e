"""The declaration of the robust fairness track."""

from __future__ import annotations

from bench.data.dataset import TaskDefinition
from bench.tracks.options import EarlierOptions, TrackOptions
from bench.tracks.registry import Track
from bench.tracks.robust_fairness import judge
from bench.tracks.robust_fairness.session import RobustFairnessSession
from bench.tracks.robust_fairness.words import INFO


def claims(definition: TaskDefinition) -> bool:
    """Every task that names a column of many groups."""
    return definition.group is not None


def objection(definition: TaskDefinition, _: TrackOptions) -> str:
    """There must be many groups, with a covariate."""
    return "" if definition.group else "has no column of groups."


TRACK = Track(
    INFO,
    judge.REVISION,
    RobustFairnessSession,
    EarlierOptions,
    claims=claims,
    objection=objection,
)

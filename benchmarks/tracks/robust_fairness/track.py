"""The declaration of the robust fairness track."""

from __future__ import annotations

from bench.tracks.options import EarlierOptions
from bench.tracks.registry import Track
from bench.tracks.robust_fairness import judge
from bench.tracks.robust_fairness.session import RobustFairnessSession
from bench.tracks.robust_fairness.words import INFO

TRACK = Track(
    INFO,
    judge.REVISION,
    RobustFairnessSession,
    EarlierOptions,
    claims=lambda definition: definition.group is not None,
    objection=lambda definition, _: "" if definition.group else "has no column of groups.",
)

"""The declaration of the robust fairness track."""

from bench.tracks.registry import Track
from bench.tracks.robust_fairness import judge
from bench.tracks.robust_fairness.session import RobustFairnessSession

TRACK = Track(judge.REVISION, judge.info, RobustFairnessSession)

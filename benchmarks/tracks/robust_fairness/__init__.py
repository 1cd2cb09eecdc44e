"""Training, judged by how evenly accuracy is spread over many groups."""

from bench.tracks.robust_fairness.contract import FairTrainer, GroupTask

__all__ = ["FairTrainer", "GroupTask"]

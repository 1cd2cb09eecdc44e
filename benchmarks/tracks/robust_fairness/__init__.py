"""Training, judged by how evenly accuracy is spread over many groups."""

from bench.tracks.robust_fairness.contract import GroupTask, Trainer

__all__ = ["GroupTask", "Trainer"]

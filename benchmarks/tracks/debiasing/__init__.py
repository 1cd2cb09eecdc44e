"""The debiasing track: predict a target without leaning on a bias variable."""

from bench.tracks.debiasing.contract import Debiaser, DebiasingTask, GroupInformed

__all__ = ["Debiaser", "DebiasingTask", "GroupInformed"]

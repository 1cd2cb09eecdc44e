"""The debiasing track: predict a target without leaning on a bias variable."""

from bench.tracks.debiasing.contract import Debiaser, DebiasingTask, ToldGroup

__all__ = ["Debiaser", "DebiasingTask", "ToldGroup"]

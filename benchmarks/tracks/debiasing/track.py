"""The declaration of the debiasing track."""

from bench.tracks.debiasing import judge
from bench.tracks.debiasing.session import DebiasingSession
from bench.tracks.registry import Track

TRACK = Track(judge.REVISION, judge.info, DebiasingSession)

"""The declaration of the poisoning track."""

from bench.tracks.poisoning import judge
from bench.tracks.poisoning.session import PoisoningSession
from bench.tracks.registry import Track

TRACK = Track(judge.REVISION, judge.info, PoisoningSession)

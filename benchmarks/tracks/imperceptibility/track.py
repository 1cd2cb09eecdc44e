"""The declaration of the imperceptibility track."""

from bench.tracks.imperceptibility import judge
from bench.tracks.imperceptibility.session import ImperceptibilitySession
from bench.tracks.registry import Track

TRACK = Track(judge.REVISION, judge.info, ImperceptibilitySession, judge.files)

"""The declaration of the imperceptibility track."""

from __future__ import annotations

from bench.tracks.imperceptibility import judge
from bench.tracks.imperceptibility.contract import ImperceptibilityOptions
from bench.tracks.imperceptibility.session import ImperceptibilitySession
from bench.tracks.imperceptibility.words import INFO
from bench.tracks.registry import Track

TRACK = Track(
    INFO,
    judge.REVISION,
    ImperceptibilitySession,
    ImperceptibilityOptions,
    suffix=" attacked",
    files=judge.files,
    judged_with=judge.judged_with,
)

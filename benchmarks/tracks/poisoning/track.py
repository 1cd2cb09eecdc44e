"""The declaration of the poisoning track."""

from __future__ import annotations

from bench.tracks.options import EarlierOptions
from bench.tracks.poisoning import judge
from bench.tracks.poisoning.session import PoisoningSession
from bench.tracks.poisoning.words import INFO
from bench.tracks.registry import Track

TRACK = Track(INFO, judge.REVISION, PoisoningSession, EarlierOptions, attacked=True)

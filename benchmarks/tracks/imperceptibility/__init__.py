"""Attacks on classifiers, judged by how visible they are."""

from bench.tracks.imperceptibility.contract import Attacker

__all__ = ["Attacker"]

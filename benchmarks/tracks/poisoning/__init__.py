"""The poisoning track: remove a backdoor that came with the training data."""

from benchmarks.tracks.poisoning.contract import Defence, Defender, PoisoningTask
from benchmarks.tracks.poisoning.human import Human

__all__ = ["Defence", "Defender", "Human", "PoisoningTask"]

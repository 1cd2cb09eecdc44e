"""The poisoning track: remove a backdoor that came with the training data."""

from bench.tracks.poisoning.contract import Defence, Defender, PoisoningTask
from bench.tracks.poisoning.human import Human

__all__ = ["Defence", "Defender", "Human", "PoisoningTask"]

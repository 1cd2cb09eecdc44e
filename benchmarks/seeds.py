"""Random choices: each is derived from the trial's seed and the purpose it is drawn for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def seed_for(seed: int, purpose: str) -> int:
    """The seed for one purpose, in [0, 2^63): more draws for one purpose never shift another's."""
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, purpose: str) -> torch.Generator:
    """A CPU generator for one purpose, seeded by `seed_for`."""
    return torch.Generator().manual_seed(seed_for(seed, purpose))


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Seed torch's global generator within the block and restore its state afterwards.

    PyTorch initialises layers and draws dropout masks from the global generator.

    Args:
        seed: of the global generator.
        device: where a CUDA device is given, its generator is restored as well.
    """
    with torch.random.fork_rng(devices=[device] if device and device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield

"""How much a suite may stand for; docs/suites.md states it.

A slip of the keyboard (`--seeds 300000000`, a matrix too many) is told at once, before memory and
hours are gone: what lies beyond would take years to run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

LARGEST_SEED = 2**31 - 1
MOST_SEEDS = 10_000
MOST_VARIANTS = 2_000
"""Tasks of a suite, and its methods, once every matrix is written out."""
MOST_TRIALS = 100_000


def objection_to_seeds(seeds: Sequence[int]) -> str:
    """What is wrong with a list of seeds, as the rest of a sentence; empty if nothing is.

    Args:
        seeds: a list, or a range of any length.
    """
    if not seeds or len(set(seeds[: MOST_SEEDS + 1])) < len(seeds[: MOST_SEEDS + 1]):
        return "give at least one seed, and none twice"
    if seeds[MOST_SEEDS:]:
        return f"more than {MOST_SEEDS:,} seeds"
    if min(seeds) < 0 or max(seeds) > LARGEST_SEED:
        return f"a seed is a number from 0 to {LARGEST_SEED:,}"
    return ""


def variants(matrices: Iterable[Mapping[str, Sequence[Any]]]) -> int:
    """The number of entries that these matrices stand for together."""
    return sum(math.prod(len(values) for values in matrix.values()) for matrix in matrices)

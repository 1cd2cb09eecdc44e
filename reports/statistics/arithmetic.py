"""Whether results may differ in their last digits because machines compute differently."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from bench.result import Result

EQUAL_BITS = (
    "One trial gives the same numbers bit by bit whatever the number of jobs, the results folder, "
    "the hash seed, OMP_NUM_THREADS and the locale are; times are measured anew. It gives others, "
    "within rounding at first and more where training enlarges it, with another number of threads "
    "a trial, other vector instructions of the CPU (AVX2, AVX-512), another build of torch, or a "
    "GPU. Keys are the same all the same."
)
"""What decides the last digits of numbers, and what does not."""


def unlike(first: Result, second: Result) -> list[str]:
    """How the arithmetic of two results differs: "torch 2.13.0 → 2.14.1"; empty if not known to."""
    if first.environment is None or second.environment is None:
        return []
    old, new = first.environment.arithmetic, second.environment.arithmetic
    common = (name for name in old if name in new)
    return [f"{name} {old[name]} → {new[name]}" for name in common if old[name] != new[name]]


def pairs_sentence(pairs: Iterable[tuple[Result, Result]]) -> str:
    """How many pairs were computed with unlike arithmetic, and which; empty if none."""
    differences = [found for pair in pairs if (found := unlike(*pair))]
    if not differences:
        return ""
    names = ", ".join(dict.fromkeys(name for found in differences for name in found))
    pairs_are = "1 pair was" if len(differences) == 1 else f"{len(differences)} pairs were"
    return f"{pairs_are} computed with unlike arithmetic ({names}): rounding differs there."


def seeds_sentence(results: Collection[Result]) -> str:
    """What differs in the arithmetic of a task's results; empty if nothing is known to."""
    values: dict[str, set[str]] = {}
    for result in results:
        if result.environment:
            for name, value in result.environment.arithmetic.items():
                values.setdefault(name, set()).add(value)
    several = [f"{n}: {', '.join(sorted(found))}" for n, found in values.items() if len(found) > 1]
    if not several:
        return ""
    return f"Its trials were computed with unlike arithmetic ({'; '.join(several)})."

"""Mistakes of users, which the command line prints as one line with exit code 2."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches


class BenchError(Exception):
    """A mistake of the user, printed without a traceback."""


class SuiteError(BenchError):
    """A suite file that cannot be read or does not make sense."""


class DataError(BenchError):
    """Raw or prepared data that is missing, damaged or not what it should be."""


class UsageError(BenchError):
    """Command-line options that contradict each other or name something unknown."""


class Skip(Exception):  # noqa: N818 - a verdict, not an error
    """Raised by a method or a judge that does not apply to a task; the message says why."""


class Diverged(Exception):  # noqa: N818 - an outcome of training
    """The loss of a training became NaN or infinite."""


@contextmanager
def writing(place: object, kind: type[BenchError] = BenchError) -> Iterator[None]:
    """Turn what the system says against writing (a full or read-only disk) into one line.

    Args:
        place: the file or folder that is written to, for the message.
        kind: the error to raise.
    """
    try:
        yield
    except OSError as error:
        raise kind(f"{place}: cannot write here ({error.strerror or error}).") from error


MOST_LISTED = 50  # names in a message; CelebA alone poses 1,560 tasks


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """A message on an unknown name, with the nearest known name and the list of all."""
    names = sorted(known)
    lower = {other.lower(): other for other in names}
    close = get_close_matches(name.lower(), lower, n=1, cutoff=0.5)
    # difflib rates swapped letters ("baed", "rfn") low, so names of the same letters come first.
    close = [other for other in lower if sorted(other) == sorted(name.lower())] or close
    hint = f' Did you mean "{lower[close[0]]}"?' if close else ""
    listed = ", ".join(names[:MOST_LISTED]) or "none"
    more = len(names) - MOST_LISTED
    rest = f" and {more} more" if more > 0 else ""
    return f'unknown {kind} "{name}".{hint} Known: {listed}{rest}.'

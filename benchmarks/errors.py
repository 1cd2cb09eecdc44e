"""Mistakes of users, which the command line prints as one line with exit code 2."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\ufdd0-\ufdef\U000e0000-\U000e007f"
    + "".join(f"{chr(0x10000 * n + 0xFFFE)}{chr(0x10000 * n + 0xFFFF)}" for n in range(17))
    + "]"
)
"""Control characters but tab and line feed, what turns the direction of writing, surrogates and
non-characters: they change what a terminal or a page shows, or cannot be encoded."""
LONGEST_MESSAGE = 4000
LONGEST_NAME = 80
_BREAK = re.compile("[ \t]*[\t\n\x0b\x0c\r\x85\u2028\u2029]+[ \t]*")


def printable(text: str, longest: int = LONGEST_MESSAGE) -> str:
    r"""A text from outside on one line of a terminal, which obeys no character of it.

    Line breaks and tabs become spaces, other unprintable characters are escaped as Python does it
    (ESC becomes \x1b), and of a longer text only both ends are left.
    """
    if len(text) > longest:
        text = f"{text[: longest * 3 // 4]} [...] {text[-longest // 4 :]}"
    return escaped(_BREAK.sub(" ", text))


def escaped(text: str) -> str:
    """A text with its unprintable characters escaped; it may have several lines."""
    return UNPRINTABLE.sub(lambda c: c[0].encode("unicode_escape").decode("ascii"), text)


def shortened(name: str) -> str:
    """A name from outside as part of a message."""
    return printable(name, LONGEST_NAME)


class BenchError(Exception):
    """A mistake of the user, printed without a traceback.

    Its text is one printable line, whatever names of files, fields and values it quotes.
    """

    def __str__(self) -> str:
        """The message on one line."""
        return printable(super().__str__())


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
    name, names = shortened(name), sorted(known)
    lower = {other.lower(): other for other in names}
    close = get_close_matches(name.lower(), lower, n=1, cutoff=0.5)
    # difflib rates swapped letters ("baed", "rfn") low, so names of the same letters come first.
    close = [other for other in lower if sorted(other) == sorted(name.lower())] or close
    hint = f' Did you mean "{lower[close[0]]}"?' if close else ""
    listed = ", ".join(names[:MOST_LISTED]) or "none"
    more = len(names) - MOST_LISTED
    rest = f" and {more} more" if more > 0 else ""
    return f'unknown {kind} "{name}".{hint} Known: {listed}{rest}.'

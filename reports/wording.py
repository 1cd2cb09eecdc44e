"""Numbers, times and places as the pages write them."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

from bench.reports.statistics.paired import Paired
from bench.reports.statistics.seeds import Placement, Summary
from bench.result import WINDOWS_DEVICES

MINUS = "−"
LONGEST_SLUG = 120
"""Signs of a file name that a page gets."""


def decimals(value: float, unit: str) -> int:
    """Digits after the point: two for percentages, four significant ones for plain numbers.

    Plain numbers that are whole are mostly counts, and have none: 90, not 90.00.
    """
    if unit == "%":
        return 2
    if unit == "" and float(value).is_integer() and not 0 < abs(value) < 10:
        return 0
    size = 0 if value == 0 else math.floor(math.log10(abs(value)))
    if unit == "s":
        return min(max(1 - size, 0), 2)
    return min(max(3 - size, 0), 6)


def number(value: float, places: int) -> str:
    """Fixed-point with a real minus sign; never "-0.00"."""
    text = f"{abs(value):.{places}f}"
    negative = value < 0 and any(digit not in "0." for digit in text)
    return f"{MINUS}{text}" if negative else text


def signed(value: float, unit: str) -> str:
    """A difference, with its sign always written."""
    text = number(value, decimals(value, unit))
    return text if text.startswith(MINUS) or not text.strip("0.") else f"+{text}"


def published(value: float, unit: str) -> str:
    """A paper's figure: percentages with two digits, plain numbers as they were printed."""
    return number(value, 2) if unit == "%" else f"{value:.6g}".replace("-", MINUS)


def mean(summary: Summary, unit: str) -> str:
    """The mean in the shown unit, without the unit."""
    return value(summary.mean, unit)


def value(stored: float, unit: str) -> str:
    """A number of a stored unit in the shown one, without the unit."""
    scale = 100.0 if unit == "%" else 1.0
    if unit == "" and 0 < abs(stored) < 1e-5:
        return f"{stored:.2e}".replace("-", MINUS)
    return number(stored * scale, decimals(stored * scale, unit))


def half_width(summary: Summary, unit: str) -> str | None:
    """Half of the interval with the mean's digits; None for one seed."""
    if summary.half_width is None:
        return None
    scale = 100.0 if unit == "%" else 1.0
    return number(summary.half_width * scale, decimals(summary.mean * scale, unit))


def interval(summary: Summary | None, unit: str) -> str:
    """Mean and half-width in the shown unit: "2.79 ± 0.16"; "n/a" where there is no value."""
    if summary is None:
        return "n/a"
    half = half_width(summary, unit)
    return mean(summary, unit) + (f" ± {half}" if half else "")


def change(pair: Paired, unit: str) -> str | None:
    """A paired difference with its interval: "+2.79 ± 0.16"; None where there is no pair."""
    if pair.difference is None:
        return None
    scale = 100.0 if unit == "%" else 1.0
    text = signed(pair.difference * scale, unit)
    if pair.half_width is None:
        return text
    return f"{text} ± {number(pair.half_width * scale, decimals(pair.difference * scale, unit))}"


def rate(value: float) -> str:
    """Something per something, two significant digits: "0.21", "0.0034", "120"."""
    places = 1 - math.floor(math.log10(abs(value))) if value else 0
    return number(value, min(max(places, 0), 6))


def p_value(p: float) -> str:
    """A p as journals write it: "p = .004", "p < .001"."""
    digits = p_digits(p)
    text = f"p {digits}" if digits.startswith("<") else f"p = {digits}"
    return text.replace(" ", "\u00a0")  # no line of a page ends within it


def p_digits(p: float) -> str:
    """A p without its letter: ".004", "< .001"."""
    if p < 0.001:
        return "< .001"
    text = f"{p:.3f}" if p < 0.1 else f"{p:.2f}"
    # What is significant must not be rounded to 5 %.
    return (".049" if p < 0.05 <= float(text) else text).removeprefix("0")


def rank(place: Placement) -> str:
    """A place as in sport: "3", or "3 =" where it is shared."""
    return f"{place.rank} =" if place.shared else str(place.rank)


def score(value: float) -> str:
    """A mean rank with as many digits as it needs, two at most."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def moment(time: datetime) -> str:
    """A time in UTC to the minute."""
    return utc(time).strftime("%Y-%m-%d %H:%M UTC")


def utc(time: datetime) -> datetime:
    """The same time in UTC; a time without a zone is taken as UTC."""
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)


def seeds(numbers: list[int]) -> str:
    """Seeds in words, "seed 3" or "seeds 0, 1, 4"; runs of three and more are written "0–2"."""
    ordered = sorted(set(numbers))
    runs: list[list[int]] = []
    for seed in ordered:
        if runs and seed == runs[-1][-1] + 1:
            runs[-1].append(seed)
        else:
            runs.append([seed])
    parts = [f"{run[0]}–{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return f"{'seed' if len(ordered) == 1 else 'seeds'} {', '.join(parts)}"


def plural(count: int, noun: str) -> str:
    """A count with its noun: "1 trial", "2 trials"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(names: Sequence[str], most: int = 6) -> str:
    """Names with commas; beyond `most` of them only their number: "a, b and 7 more"."""
    if len(names) <= most + 1:  # "and 1 more" is no shorter than the name
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def slugs(names: list[str]) -> dict[str, str]:
    """A file name and anchor for each name: letters, digits and dashes, not long, no two alike."""
    slug_of: dict[str, str] = {}
    numbers: dict[str, int] = defaultdict(lambda: 1)
    taken: set[str] = set()
    for name in names:
        base = re.sub(r"[^a-z0-9]+", "-", name.lower())[:LONGEST_SLUG].strip("-") or "task"
        if WINDOWS_DEVICES.fullmatch(base):  # no file may have this name there
            base = f"{base}-"
        slug = base
        while slug in taken:
            numbers[base] += 1
            slug = f"{base}-{numbers[base]}"
        slug_of[name] = slug
        taken.add(slug)
    return slug_of

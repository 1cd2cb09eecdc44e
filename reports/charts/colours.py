"""Colours, shapes and dashes of charts, chosen for white and for near-black ground."""

from __future__ import annotations

from dataclasses import dataclass

PALETTE = ("#0072b2", "#d55e00", "#00875f", "#b8578f", "#6f6f6f")
"""After Okabe & Ito (2008), darkened where needed: 3:1 or more on white and on near-black."""

SHAPES = ("circle", "square", "triangle", "diamond")

DASHES = ("", "7 4", "2 3")
"""Dashes distinguish the lines beyond the twentieth, where colours and shapes begin again."""

SCALE = (
    "#00204d", "#00336f", "#39486b", "#575c6d", "#707173",
    "#8a8779", "#a69d75", "#c4b56c", "#e4cf5b", "#ffea46",
)  # fmt: skip
"""Cividis (Nuñez, Anderton & Renslow, 2018): even steps of lightness, alike for all eyes."""


@dataclass(frozen=True)
class Style:
    """Colour, shape and dashes of one entry: entries never differ by colour alone."""

    colour: str
    shape: str
    dash: str = ""


def nth_style(index: int) -> Style:
    """The style of the n-th entry; twenty differ in colour or shape, the next in their dashes."""
    lap = index // (len(PALETTE) * len(SHAPES))
    colour, shape = PALETTE[index % len(PALETTE)], SHAPES[index % len(SHAPES)]
    return Style(colour, shape, DASHES[lap % len(DASHES)])


@dataclass(frozen=True)
class ColourScale:
    """Values to colours of `SCALE`; the better end is the bright one."""

    low: float
    high: float
    better: str = ""
    """"higher", "lower" or "" for neither."""

    def colour(self, value: float) -> str:
        """The colour of a value between `low` and `high`, as #rrggbb."""
        span, turned = self.high - self.low, self.better == "lower"
        share = (value - self.low) / span if span > 0 else 1.0 - turned
        share = min(max(1 - share if turned else share, 0.0), 1.0)
        index, rest = divmod(share * (len(SCALE) - 1), 1.0)
        ends = SCALE[int(index)], SCALE[min(int(index) + 1, len(SCALE) - 1)]
        pairs = zip(*map(_channels, ends), strict=True)
        return "#" + "".join(f"{round(a + (b - a) * rest):02x}" for a, b in pairs)


def ink(ground: str) -> str:
    """Near-black or white, whichever stands out more from a ground (relative luminance of WCAG 2).

    Args:
        ground: a colour as #rrggbb.
    """
    linear = [
        share / 12.92 if (share := c / 255) <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
        for c in _channels(ground)
    ]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#111111" if (luminance + 0.05) ** 2 > 0.05 * 1.05 else "#ffffff"


def _channels(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]

"""Words from outside, as XML and HTML can hold them."""

from __future__ import annotations

import re

_UNWRITABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(0x10000 * plane + last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
    + "]"
)
"""Characters that XML or HTML have no way to write, not even escaped."""


def for_xml(text: str) -> str:
    """A text without what XML and HTML cannot hold."""
    return _UNWRITABLE.sub("", text)

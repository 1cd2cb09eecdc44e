"""What chance, a broken disk or an attacker makes of an input."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

WORDS: list[Any] = [
    None, True, -1, 0, 2**31, 2**63, 10**25, 1e-320, 1e308, float("nan"), float("inf"), "", " ",
    "\0", "\x1b[2J\x07", "\u202e", "\ufffe", "\ud800", "../../outside", "/etc/passwd", "a" * 5000,
    "\n\n", "nan", "1e999", "{{ 7*7 }}", "<script>", "%s%n", "=1+1", [], {}, [[[[]]]], {"": ""},
    ["x", "x"], {"a": {"b": {"c": 1}}}, "[" * 50,
]  # fmt: skip
"""Values that programs have stumbled over."""
NUMBERS = [b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80\0\0\0", b"\1"]
"""What fields of lengths and counts are overwritten with."""


@st.composite
def damaged(
    draw: st.DrawFn, content: bytes, words: Sequence[bytes] = (), most: int = 3, start: int = 0
) -> bytes:
    """A file with some of its bytes changed, lost, moved or repeated.

    Args:
        draw: Hypothesis's.
        content: The sound file.
        words: What may be put in at any place, beside bytes of any kind.
        most: How often it is changed; now and then it is not.
        start: The bytes before stay as they are.
    """
    data = bytearray(content)
    piece = st.one_of(
        st.binary(min_size=1, max_size=8), st.sampled_from([*NUMBERS, *words]), st.just(data[:64])
    )
    for _ in range(draw(st.integers(0, most))):
        at = draw(st.integers(min(start, len(data)), len(data)))
        length = draw(st.sampled_from([1, 2, 4, 16, 300]))
        match draw(st.sampled_from(["cut", "flip", "put in", "overwrite", "lose", "repeat"])):
            case "cut":
                del data[at:]
            case "flip" if at < len(data):
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "put in":
                data[at:at] = draw(piece)
            case "overwrite":
                new = draw(piece)
                data[at : at + len(new)] = new
            case "lose":
                del data[at : at + length]
            case "repeat":
                data[at:at] = data[at : at + length] * draw(st.integers(1, 20))
    return bytes(data)


def places(value: Any, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The ways to all parts of a value made of mappings and lists."""
    parts: Any = ()
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, list):
        parts = enumerate(value)
    for key, part in parts:
        yield (*above, key)
        yield from places(part, (*above, key))


@st.composite
def altered(draw: st.DrawFn, value: Any, most: int = 3) -> str:
    """A JSON text, which is YAML too, in which some parts are others, are missing or moved."""
    changed = copy.deepcopy(value)
    for _ in range(draw(st.integers(0, most))):
        known = list(places(changed))
        if not known:
            break
        *way, last = draw(st.sampled_from(known))
        holder = changed
        for step in way:
            holder = holder[step]
        match draw(st.sampled_from(["replace", "remove", "add", "wrap"])):
            case "replace":
                holder[last] = copy.deepcopy(draw(st.sampled_from(WORDS)))
            case "remove":
                del holder[last]
            case "add" if isinstance(holder, dict):
                name = draw(st.sampled_from(["", "x", "\x1b", "../x", "seed"]))
                holder[name] = copy.deepcopy(holder[last])
            case "add":
                holder.append(copy.deepcopy(holder[last]))
            case "wrap":
                holder[last] = [holder[last]] * draw(st.integers(1, 3))
    return json.dumps(changed, allow_nan=True)

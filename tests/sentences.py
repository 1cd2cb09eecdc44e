"""What a sentence of the product must say, whatever its wording."""

from __future__ import annotations


def assert_says(sentence: str, *parts: str) -> None:
    """The names, numbers and remedies that count stand in a sentence, in this order."""
    position = 0
    for part in parts:
        position = sentence.find(part, position)
        assert position >= 0, f"{part!r} is missing, or comes too early, in: {sentence}"
        position += len(part)

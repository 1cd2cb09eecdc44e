"""A terminal that obeys no text from outside, such as a reason, a label or a name of a file."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from bench.errors import escaped, printable


class Terminal(Console):
    """A console whose texts are escaped; rich itself passes on ESC, which could move the cursor.

    What the terminal's encoding lacks is escaped as well, so that no text ends a command.
    """

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """The segments of something to print, each of which is safe."""
        for segment in super().render(renderable, options):
            if segment.control:  # rich's own, to draw progress
                yield segment
            else:
                yield Segment(self._safe(segment.text), segment.style)

    def _safe(self, text: str) -> str:
        if text.isprintable() and text.isascii():
            return text
        encoding = self.encoding
        return escaped(text).encode(encoding, "backslashreplace").decode(encoding)


def one_line(text: object, style: str = "") -> Text:
    """A text from outside on one line."""
    return Text(printable(str(text)), style)

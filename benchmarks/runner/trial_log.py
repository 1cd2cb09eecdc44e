"""What a trial logged and was warned of: its last lines, for the page."""

from __future__ import annotations

import logging
import sys
import warnings
from collections import deque
from pathlib import Path
from typing import TextIO

LINES = 40
"""Kept of a trial: enough to see what it complained of, little enough for ten thousand files."""

LONGEST = 500
"""Characters of a line."""


class TrialLog(logging.Handler):
    """Listens to logging (INFO and above) and to warnings from `begin` to `end`.

    Others hear both as before: handlers that were there stay, warnings are still shown.
    """

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._lines: deque[str] = deque(maxlen=LINES)
        self._warnings = warnings.catch_warnings()

    def begin(self) -> TrialLog:
        """Start to listen. Warnings that an earlier trial of this process gave are given again."""
        self._warnings.__enter__()
        self._shown = warnings.showwarning
        warnings.showwarning = self._warned
        logging.getLogger().addHandler(self)
        return self

    def end(self) -> None:
        """Stop listening."""
        logging.getLogger().removeHandler(self)
        self._warnings.__exit__(*sys.exc_info())

    @property
    def text(self) -> str:
        """The last lines, oldest first."""
        return "\n".join(self._lines)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record, its traceback included."""
        self._keep(f"{record.levelname} {record.name}: {record.getMessage()}")
        if record.exc_info:
            self._keep(logging.Formatter().formatException(record.exc_info))

    def _warned(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        # The file's name alone: a page is no place for the folders of a machine.
        self._keep(f"{category.__name__} ({Path(filename).name}, line {lineno}): {message}")
        self._shown(message, category, filename, lineno, file, line)

    def _keep(self, text: str) -> None:
        self._lines.extend(line[:LONGEST] for line in text.splitlines() if line.strip())

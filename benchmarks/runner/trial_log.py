"""The last lines that a trial logged, warnings included, for its page."""

from __future__ import annotations

import logging
import sys
import warnings
from collections import deque
from pathlib import Path
from typing import TextIO

from bench.privacy import public

LINES = 40  # kept of each trial: enough for its complaints, and small in ten thousand result files
LONGEST = 500  # characters of a line


class TrialLog(logging.Handler):
    """Keeps log records (INFO and above) and warnings from `begin` to `end`.

    Other log handlers still receive the records, and warnings are still shown.
    """

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._lines: deque[str] = deque(maxlen=LINES)
        self._warnings = warnings.catch_warnings()

    def begin(self) -> TrialLog:
        """Start. Warnings that an earlier trial of this process raised are raised again."""
        self._warnings.__enter__()
        self._shown = warnings.showwarning
        warnings.showwarning = self._warned
        logging.getLogger().addHandler(self)
        return self

    def end(self) -> None:
        """Stop."""
        logging.getLogger().removeHandler(self)
        self._warnings.__exit__(*sys.exc_info())

    @property
    def text(self) -> str:
        """The last lines, oldest first."""
        return "\n".join(self._lines)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record with its traceback."""
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
        # Only the file's name, because pages must not show the folders of a machine.
        self._keep(f"{category.__name__} ({Path(filename).name}, line {lineno}): {message}")
        self._shown(public(str(message)), category, public(filename), lineno, file, line)

    def _keep(self, text: str) -> None:
        # A secret that is cut is no longer known for one.
        self._lines.extend(public(line)[:LONGEST] for line in text.splitlines() if line.strip())

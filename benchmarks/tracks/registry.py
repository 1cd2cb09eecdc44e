"""What the runner needs of a track, and how tracks are found by the name of their folder."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.result import TrackInfo
from bench.tracks.session import PreparedTask, Session


@dataclass(frozen=True)
class Track:
    """A kind of contest; the module `track` in a track's folder declares one as `TRACK`.

    Attributes:
        revision: of its judge; raise it when metrics change, and results are made anew.
        info: (classes of every task's target, whether a task asks for an examination) -> metrics.
        open: turns a prepared task into a session that evaluates methods.
        files: files whose content decides the judge's numbers, as far as they are present.
    """

    revision: int
    info: Callable[[Collection[int], bool], TrackInfo]
    open: Callable[[PreparedTask], Session]
    files: Callable[[], Sequence[Path]] = tuple


@cache
def tracks() -> dict[str, Track]:
    """Every track by name: each folder of this package whose module `track` declares one."""
    from bench import tracks as package  # noqa: PLC0415 - the package of this very module

    return {
        folder.name: importlib.import_module(f"{package.__name__}.{folder.name}.track").TRACK
        for folder in pkgutil.iter_modules(package.__path__)
        if folder.ispkg
    }

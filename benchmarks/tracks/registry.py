"""What the runner needs of a track, by the track's name."""

from __future__ import annotations

from collections.abc import Callable, Collection

from benchmarks.result import TrackInfo
from benchmarks.tracks.debiasing import judge as debiasing

TRACKS: dict[str, Callable[[Collection[int], bool], TrackInfo]] = {debiasing.NAME: debiasing.info}
REVISIONS: dict[str, int] = {debiasing.NAME: debiasing.REVISION}

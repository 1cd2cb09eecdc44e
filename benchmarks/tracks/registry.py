"""What the runner needs of a track, by the track's name."""

from __future__ import annotations

from benchmarks.result import TrackInfo
from benchmarks.tracks.debiasing import judge as debiasing

TRACKS: dict[str, TrackInfo] = {debiasing.NAME: debiasing.INFO}
REVISIONS: dict[str, int] = {debiasing.NAME: debiasing.REVISION}

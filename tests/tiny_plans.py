"""Planned tasks, as a track needs them to say which of its metrics exist."""

from __future__ import annotations

from collections.abc import Iterable

from bench.models.pretrained import MIRROR_ALONE
from bench.result import PlannedTask, Scalar, TrackInfo
from bench.tracks.registry import tracks
from tests.reports.synthetic_sweep import planned_task


def planned(track: str, classes: int, options: dict[str, Scalar] | None = None) -> PlannedTask:
    """A task whose target has so many classes; none for a regression."""
    names = [str(number) for number in range(classes)]
    return planned_task("t|b", track=track, classes=names, options=options or {})


def info_of(track: str, classes: Iterable[int] = (2,), **options: Scalar) -> TrackInfo:
    """What a plan says of a track whose tasks have these numbers of classes."""
    tasks = [planned(track, count, options) for count in classes]
    return tracks()[track].info_on(tasks, MIRROR_ALONE)

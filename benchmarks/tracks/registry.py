"""What a track declares of itself, and how tracks are found by the name of their folder."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.data.dataset import TaskDefinition
from bench.models.pretrained import WeightsFolder
from bench.plugins import UnfitError, discover
from bench.result import MetricInfo, PlannedTask, TrackInfo
from bench.tracks.options import TrackOptions
from bench.tracks.session import PreparedTask, Session


@dataclass(frozen=True)
class Track:
    """A kind of contest; the module `track` in a track's folder declares one as `TRACK`.

    Attributes:
        info: its name, words, and every metric that a task of it may have.
        revision: of its judge; raise it when metrics change, and results are made anew.
        open: turns a prepared task into a session that evaluates methods.
        options: fields of its tasks in suites, besides those of their data sets.
        attacked: whether its tasks name an attack on their training set; a clean twin stands
            beside each of them.
        claims: whether a task without an attack is of this track where the suite names no track;
            a task that two tracks claim must name one.
        objection: why a task with these options cannot be of this track, in a few words that
            follow the task's name ("has no column of groups."), or "".
        suffix: ends the names of its tasks, where another track has tasks on the same data.
        has_metric: whether a metric exists on a task.
        files: the existing files whose content decides the judge's numbers.
        judged_with: what the judge measures with, by the files of weights that exist; fills the
            {places} in the definitions of metrics.
    """

    info: TrackInfo
    revision: int
    open: Callable[[PreparedTask], Session]
    options: type[TrackOptions] = TrackOptions
    attacked: bool = False
    claims: Callable[[TaskDefinition], bool] = lambda _: False
    objection: Callable[[TaskDefinition, TrackOptions], str] = lambda _definition, _options: ""
    suffix: str = ""
    has_metric: Callable[[MetricInfo, PlannedTask], bool] = lambda _metric, _task: True
    files: Callable[[WeightsFolder], Sequence[Path]] = lambda _: ()
    judged_with: Callable[[WeightsFolder], Mapping[str, str]] | None = None

    def info_on(self, tasks: Sequence[PlannedTask], weights: WeightsFolder) -> TrackInfo:
        """The track with those metrics alone that exist on some of these tasks."""
        metrics = [m for m in self.info.metrics if any(self.has_metric(m, task) for task in tasks)]
        if self.judged_with:
            words = self.judged_with(weights)
            metrics = [
                metric.model_copy(update={"definition": metric.definition.format(**words)})
                for metric in metrics
            ]
        names = {metric.name for metric in metrics}
        rank_by = [name for name in self.info.rank_by if name in names]
        return self.info.model_copy(update={"metrics": metrics, "rank_by": rank_by})


def metric(name: str, title: str, better: str, definition: str, **further: Any) -> MetricInfo:
    """A metric, by default in percent, as a track declares it; see `MetricInfo` for the fields."""
    fields = {"unit": "%", **further}
    return MetricInfo(name=name, title=title, better=better, definition=definition, **fields)


@cache
def tracks() -> dict[str, Track]:
    """Every track by name: folders of this package and of plug-ins with a module `track`."""
    return discover("track", ["bench.tracks"], _declared)


def _declared(module: ModuleType) -> list[Track]:
    """The track that a folder declares in its module `track`, or a single file in itself."""
    name = module.__name__
    if hasattr(module, "__path__") and importlib.util.find_spec(f"{name}.track"):
        module = importlib.import_module(f"{name}.track")
    track = getattr(module, "TRACK", None)
    if not isinstance(track, Track):
        return []
    if track.info.name != name.rpartition(".")[2]:
        raise UnfitError(f'its track is called "{track.info.name}"', "Give both the same name.")
    return [track]

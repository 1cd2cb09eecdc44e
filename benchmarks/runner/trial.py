"""One trial, from data to result."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.data.dataset import Library, data_set
from bench.errors import BenchError, Diverged, Skip
from bench.heartbeat import acting_as
from bench.learning.loop import Context
from bench.models.pretrained import WeightsFolder
from bench.privacy import public
from bench.result import Cost, Result, Status
from bench.runner.plan import TrialSpec, scope
from bench.runner.provenance import environment
from bench.runner.trial_log import TrialLog
from bench.seeds import seed_for
from bench.tracks.registry import tracks
from bench.tracks.session import PreparedTask


@dataclass(frozen=True)
class Workspace:
    """Where trials run and keep things.

    Attributes:
        data: folder of raw and prepared data.
        out: folder of results.
        device: "cpu" or "cuda".
        threads: CPU threads of one trial. Not divided among trials by the number of jobs:
            convolutions round differently on one thread and on two.
    """

    data: Path
    out: Path
    device: str
    threads: int

    @property
    def cache(self) -> Path:
        """Folder of shared work."""
        return self.out / "cache"

    @property
    def weights(self) -> WeightsFolder:
        """Where files of published weights are looked for."""
        return WeightsFolder(self.data)


def run_trial(spec: TrialSpec, place: Workspace, peak_memory: Callable[[], float | None]) -> Result:
    """Run one trial; whatever goes wrong in it becomes its status and reason.

    Args:
        spec: what to run.
        place: where.
        peak_memory: MiB that this process held at most since the trial began, or None.
    """
    device = torch.device(place.device)
    started, clock = datetime.now(UTC), time.perf_counter()
    outcome: dict[str, Any]
    context: Context | None = None
    if cuda := device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    log = TrialLog().begin()
    try:
        with acting_as(f"{spec.method.label} on {spec.task.name}, seed {spec.seed}"):
            session = tracks()[spec.task.track].open(prepared(spec, place))
            context = session.context
            torch.manual_seed(seed_for(spec.seed, "everything else"))
            evaluation = session.evaluate(spec.method)
        outcome = {
            "status": Status.OK,
            "metrics": evaluation.metrics,
            "undefined": evaluation.undefined,
            "samples": evaluation.samples,
            "pictures": evaluation.pictures,
        }
    except Skip as verdict:
        outcome = {"status": Status.SKIPPED, "reason": str(verdict)}
    except Diverged as verdict:
        outcome = {"status": Status.FAILED, "reason": f"diverged: {verdict}"}
    except (MemoryError, torch.OutOfMemoryError) as error:
        outcome = {"status": Status.FAILED, "reason": f"out of memory: {_first_line(error)}"}
    except BenchError as error:
        outcome = {"status": Status.FAILED, "reason": str(error)}
    except Exception as error:  # noqa: BLE001 - a failure stays where it happened
        reason = f"{type(error).__name__}: {_first_line(error)}"
        outcome = {"status": Status.FAILED, "reason": reason, "traceback": traceback.format_exc()}
    finally:
        log.end()
    spent = context.training_seconds if context else 0.0
    own = time.perf_counter() - clock - (context.waited_seconds if context else 0.0)
    return Result(
        **blank(spec),
        **outcome,
        log=log.text,
        curves={
            name: [value if np.isfinite(value) else None for value in values]
            for name, values in (context.curves if context else {}).items()
        },
        chosen=context.chosen if context else {},
        cost=Cost(
            seconds=own,
            shared_seconds=context.shared_seconds if context else 0.0,
            peak_memory_mib=peak_memory(),
            peak_device_memory_mib=torch.cuda.max_memory_allocated(device) / 2**20
            if cuda
            else None,
            samples_per_second=context.samples_seen / spent if context and spent else None,
        ),
        environment=environment(device, place.threads),
        started=started,
        finished=datetime.now(UTC),
    )


def unfinished(spec: TrialSpec, status: Status, reason: str, started: datetime) -> Result:
    """The result of a trial whose process did not live to write one."""
    return Result(
        **blank(spec),
        status=status,
        reason=reason,
        cost=Cost(seconds=(datetime.now(UTC) - started).total_seconds()),
        started=started,
        finished=datetime.now(UTC),
    )


def blank(spec: TrialSpec) -> dict[str, Any]:
    """The fields of a result that are known before the trial runs."""
    return {
        "key": spec.key,
        "suite": spec.suite,
        "track": spec.task.track,
        "task": spec.task.name,
        "method": spec.method.label,
        "method_name": spec.method.name,
        "parameters": spec.method.parameters,
        "revision": spec.method.revision,
        "seed": spec.seed,
        "training": spec.task.training.model_dump(),
        "data_hash": spec.data_hash,
    }


def prepared(spec: TrialSpec, place: Workspace) -> PreparedTask:
    """The task with its seed and data, for its track.

    Raises:
        BenchError: the data is not prepared, or not as it was when the run was planned.
    """
    library, task = Library(place.data), spec.task
    data = data_set(task.data)
    meta = library.meta(task.data, task.options)
    parts = library.splits(task.data, task.task, task.options)
    if meta is None or meta.hash != spec.data_hash:
        raise BenchError(f"the prepared data of {task.data} changed after the run was planned")
    return PreparedTask(
        name=task.name,
        data=data,
        meta=meta,
        parts=parts,
        definition=data.tasks[task.task],
        options=task.track_options,
        training=task.training,
        attack=task.attack,
        seed=spec.seed,
        device=torch.device(place.device),
        scope=scope(task, spec.seed, spec.data_hash, place.weights),
        cache=place.cache,
        weights=place.weights,
    )


def _first_line(error: BaseException) -> str:
    # A secret that is cut is no longer known for one, so that the whole line is made public.
    return public((str(error).strip().splitlines() or [type(error).__name__])[0])[:500]

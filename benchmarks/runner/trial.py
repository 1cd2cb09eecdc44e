"""One trial, from data to result."""

from __future__ import annotations

import errno
import os
import random
import resource
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench import heartbeat
from bench.data.dataset import Library, data_set
from bench.errors import BenchError, Diverged, Skip
from bench.heartbeat import acting_as
from bench.learning.loop import Context
from bench.models.pretrained import WeightsFolder
from bench.outside.files import MIB, size
from bench.outside.json_text import LARGEST_RECORD
from bench.privacy import public
from bench.result import Cost, Result, Status, Store
from bench.runner.engine import CANNOT_WRITE_EXIT, DISK_FULL_EXIT
from bench.runner.plan import TrialSpec, scope
from bench.runner.provenance import environment
from bench.runner.trial_log import TrialLog
from bench.seeds import seed_for
from bench.tracks.registry import tracks
from bench.tracks.session import PreparedTask

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
MOST_FILES = 2**20
LONGEST_REASON = 900  # characters of one that has several lines
LONGEST_CHOICE = 10_000  # characters of what a method notes
LONGEST_LINE, MOST_LINES = 500, 100  # of a reason and a traceback


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


def work(payload: bytes, heartbeats: Path) -> int:
    """Run a trial in a process of its own and write its result; return the exit code.

    Args:
        payload: the pickled spec of the trial and its workspace.
        heartbeats: folder where the trial reports its progress, in a file named after its key.
    """
    spec, workspace = ForkingPickler.loads(payload)
    torch.set_num_threads(workspace.threads)
    torch.set_num_interop_threads(1)
    mask = os.umask(0)
    os.umask(mask)
    with heartbeat.written_to(heartbeats / spec.key):
        result = run_trial(spec, workspace)
    # A trial may have left no file descriptor free, no permission for the files that it creates, or
    # a limit to their size.
    os.umask(mask)
    os.closerange(3, min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], MOST_FILES))
    with suppress(ValueError, OSError):  # a lowered hard limit cannot be raised again
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    try:
        Store(workspace.out).write(result)
    except OSError as error:
        return DISK_FULL_EXIT if error.errno in DISK_FULL else CANNOT_WRITE_EXIT
    return 0


def resident_mib() -> float:
    """Memory in MiB that this process has held at most; a trial's process has no other trial's."""
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in KiB, or in bytes on a Mac
    return float(highest / (2**20 if sys.platform == "darwin" else 2**10))


def run_trial(spec: TrialSpec, place: Workspace) -> Result:
    """Run one trial; whatever goes wrong in it becomes its status and reason.

    Args:
        spec: what to run.
        place: where.
    """
    device = torch.device(place.device)
    started, clock = datetime.now(UTC), time.perf_counter()
    outcome: dict[str, Any]
    context: Context | None = None
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    log = TrialLog().begin()
    before = environment(device, place.threads)  # a trial may leave no file descriptor to read it
    try:
        with acting_as(f"{spec.method.label} on {spec.task.name}, seed {spec.seed}"):
            _seed_everything(spec.seed)
            session = tracks()[spec.task.track].open(prepared(spec, place))
            context = session.context
            _seed_everything(spec.seed)
            evaluation = session.evaluate(spec.method)
        outcome = {
            "status": Status.OK,
            "metrics": evaluation.metrics,
            "undefined": evaluation.undefined,
            "samples": evaluation.samples,
            "pictures": evaluation.pictures,
        }
    except BaseException as error:  # noqa: BLE001 - a failure stays where it happened
        outcome = _failure(error)
    finally:
        log.end()
    known = {
        **blank(spec),
        "log": _storable(log.text),
        "cost": _cost(context, time.perf_counter() - clock, device),
        "environment": before,
        "started": started,
        "finished": datetime.now(UTC),
    }
    try:
        return _readable(Result(**known, **outcome, **_records(context)))
    except BaseException as error:  # noqa: BLE001 - what a method recorded may be anything
        reason = f"what it left cannot be kept: {_first_line(error)}"
        return Result(**known, status=Status.FAILED, reason=reason)


def _readable(result: Result) -> Result:
    """The result. Raises ValueError where it could not be written, or not be read again."""
    text = result.model_dump_json(indent=1)
    if len(text.encode()) > LARGEST_RECORD - MIB:
        raise ValueError(f"larger than the {size(LARGEST_RECORD)} that a result may have")
    Result.model_validate_json(text)
    return result


def _seed_everything(seed: int) -> None:
    """Seed every global generator, for a method or library that draws from one of them."""
    number = seed_for(seed, "everything else")
    torch.manual_seed(number)
    np.random.seed(number % 2**32)
    random.seed(number)


def _failure(error: BaseException) -> dict[str, Any]:
    """The status and the reason of a trial that an exception ended."""
    if isinstance(error, Skip):
        return {"status": Status.SKIPPED, "reason": _brief(error)}
    if isinstance(error, Diverged):
        return {"status": Status.FAILED, "reason": f"diverged: {_brief(error)}"}
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return {"status": Status.FAILED, "reason": f"out of memory: {_first_line(error)}"}
    if isinstance(error, BenchError):
        return {"status": Status.FAILED, "reason": _brief(error)}
    # SystemExit, KeyboardInterrupt and CancelledError too: a trial's process gets no Ctrl-C.
    reason = f"{_name(error)}: {_first_line(error)}"
    return {"status": Status.FAILED, "reason": _storable(reason), "traceback": _traceback(error)}


def _traceback(error: BaseException) -> str:
    """The traceback of an exception; of a long one the first frames and the last lines."""
    try:
        lines = "".join(traceback.format_exception(error)).splitlines()
    except BaseException as fault:  # noqa: BLE001 - it asks the exception for its text, too
        lines = [f"its traceback cannot be shown ({_name(fault)})"]
    if left_out := max(0, len(lines) - MOST_LINES):
        half = MOST_LINES // 2  # the message of the exception may be the longest part
        lines = [*lines[:half], f"[{left_out} lines left out]", *lines[-half:]]
    return _storable("\n".join(_shortened(line) for line in lines))


def _records(context: Context | None) -> dict[str, Any]:
    """The curves and choices of a trial.

    Raises:
        TypeError: a curve is not of numbers.
        ValueError: a choice is a text without end.
    """
    if context is None:
        return {}
    curves = {
        name: [float(value) if np.isfinite(value) else None for value in values]
        for name, values in context.curves.items()
    }
    for name, value in context.chosen.items():
        if isinstance(value, str) and len(value) > LONGEST_CHOICE:
            raise ValueError(f"{name[:50]} is a text of {len(value):,} characters")
    return {"curves": curves, "chosen": context.chosen}


def _cost(context: Context | None, seconds: float, device: torch.device) -> Cost:
    cuda = device.type == "cuda"
    memory = {
        "peak_memory_mib": resident_mib(),
        "peak_device_memory_mib": torch.cuda.max_memory_allocated(device) / 2**20 if cuda else None,
    }
    if context is None:
        return Cost(seconds=seconds, **memory)
    try:
        spent = context.training_seconds
        return Cost(
            seconds=seconds - context.waited_seconds,
            shared_seconds=context.shared_seconds,
            samples_per_second=context.samples_seen / spent if spent else None,
            **memory,
        )
    except Exception:  # noqa: BLE001 - a method may have put anything in place of its times
        return Cost(seconds=seconds, **memory)


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
    return _shortened((_text(error).strip().splitlines() or [_name(error)])[0])


def _brief(error: BaseException) -> str:
    """The text of an exception of ours, which may have several lines, but not endless ones."""
    return public(_text(error)[: 20 * LONGEST_LINE])[:LONGEST_REASON]


def _text(error: BaseException) -> str:
    """The text of an exception; one whose text cannot be made says so."""
    try:
        return _storable(str(error))
    except BaseException as fault:  # noqa: BLE001 - __str__ may be anybody's, and raise anything
        return f"its text cannot be shown ({_name(fault)})"


def _name(error: BaseException) -> str:
    """The name of an exception's class, which a metaclass may hide."""
    try:
        return _storable(str(type(error).__name__))
    except BaseException:  # noqa: BLE001 - as in `_text`
        return "an exception without a name"


def _shortened(line: str) -> str:
    """The beginning of a line, made public before it is cut: a part of a secret is not known."""
    return public(line[: 20 * LONGEST_LINE])[:LONGEST_LINE]


def _storable(text: str) -> str:
    """A text that UTF-8 can encode: lone surrogates become their escapes."""
    return text.encode("utf-8", "backslashreplace").decode()

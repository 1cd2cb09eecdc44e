"""One trial, from data to result."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.data.dataset import Labelled, Library, Options, data_set
from benchmarks.errors import BenchError, Diverged, Skip
from benchmarks.learning.backbones import check_shape
from benchmarks.learning.inputs import inputs_on, room_on
from benchmarks.learning.loop import Trial
from benchmarks.learning.split import Split, seed_for
from benchmarks.plan import TrialSpec, scope
from benchmarks.planting import trigger_rates, with_artificial_bias, with_flipped_labels
from benchmarks.provenance import environment
from benchmarks.result import Cost, Result, Status
from benchmarks.tracks.debiasing import Debiaser, DebiasingTask, ToldGroup, backdoor
from benchmarks.tracks.debiasing import judge as debiasing
from benchmarks.tracks.debiasing.contract import SQUARE
from benchmarks.triggers import TriggerPair, trigger_pair


@dataclass(frozen=True)
class Place:
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


def run_trial(spec: TrialSpec, place: Place, peak_memory: Callable[[], float | None]) -> Result:
    """Run one trial; whatever goes wrong in it becomes its status and reason.

    Args:
        spec: what to run.
        place: where.
        peak_memory: MiB that this process held at most since the trial began, or None.
    """
    device = torch.device(place.device)
    started, clock = datetime.now(UTC), time.perf_counter()
    outcome: dict[str, Any]
    trial: Trial | None = None
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    try:
        task, test = load_task(spec, Library(place.data), device)
        trial = new_trial(spec, task, place)
        torch.manual_seed(seed_for(spec.seed, "everything else"))
        assert isinstance(spec.method, Debiaser)  # noqa: S101 - the plan matched the tracks
        model = spec.method.fit(task, trial)
        measured, missing = judged(spec, task, test, model, trial)
        outcome = {"status": Status.OK, "metrics": measured, "undefined": missing}
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
    own = time.perf_counter() - clock - (trial.waited_seconds if trial else 0.0)
    return Result(
        **blank(spec),
        **outcome,
        curves=_finite(trial.curves) if trial else {},
        chosen=trial.chosen if trial else {},
        cost=Cost(
            seconds=own,
            shared_seconds=trial.shared_seconds if trial else 0.0,
            peak_memory_mib=peak_memory(),
            peak_device_memory_mib=_device_memory(device),
            samples_per_second=_throughput(trial),
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


def load_task(
    spec: TrialSpec, library: Library, device: torch.device
) -> tuple[DebiasingTask, Split]:
    """The task as the method sees it, and the test split it never sees.

    With `selection: test` the test split stands in for the validation split, as in some papers.
    """
    data, asked = data_set(spec.task.data), spec.task
    meta = library.meta(asked.data, asked.options)
    labelled = library.splits(asked.data, asked.task, asked.options)
    if meta is None or meta.hash != spec.data_hash:
        raise BenchError(f"the prepared data of {asked.data} changed after the run was planned")
    definition = data.tasks[asked.task]
    classes = tuple(meta.attributes[definition.target])
    groups = asked.options.planted_groups or meta.attributes[definition.bias or ""]
    first, second = groups
    shape = data.shape(meta)
    check_shape(asked.training.backbone, shape)
    splits = _on(device, labelled)
    for name, split in splits.items():
        if asked.options.flipped is None:
            debiasing.check_split(split, name, classes, (first, second))
    if asked.options.planted:
        triggers = trigger_pair(shape, SQUARE)
        splits, shape = (
            _planted(splits, asked.options, triggers, bool(classes)),
            triggers.shape(shape),
        )
    chosen_on = "test" if asked.training.selection == "test" else "validation"
    task = DebiasingTask(
        name=asked.name,
        kind=data.kind,
        shape=shape,
        classes=classes,
        groups=(first, second),
        train=splits["train"],
        validation=splits[chosen_on],
        backbone=asked.training.backbone,
        seed=spec.seed,
        device=device,
        weights=asked.training.weights,
    )
    return task, splits["test"]


def judged(
    spec: TrialSpec, task: DebiasingTask, test: Split, model: nn.Module, trial: Trial
) -> tuple[dict[str, float], dict[str, str]]:
    """Every metric of a trained model, and why the others of its track do not exist."""
    told = model.told(test) if isinstance(model, ToldGroup) else test
    measured = debiasing.judge(trial.predict(model, told.inputs), told)
    examined = _cannot_examine(task) if spec.task.options.examined else None
    if examined == "":
        assert isinstance(spec.method, Debiaser)  # noqa: S101 - the plan matched the tracks
        rates = trigger_rates(task.train, classes=True)
        triggers = spec.method.triggers(task.shape)
        measured |= backdoor.examine(trial.predict, model, test, triggers, rates)
    return measured, debiasing.undefined(measured, examined)


def _cannot_examine(task: DebiasingTask) -> str:
    if task.kind == "table":
        return "on a table the trigger is a column that only the teacher has"
    return "" if task.classes else "defined for classes"


def new_trial(spec: TrialSpec, task: DebiasingTask, place: Place) -> Trial:
    """What the method is given besides its task."""
    return Trial(
        seed=spec.seed,
        training=spec.task.training,
        device=task.device,
        validation=task.validation,
        score=debiasing.validation_scores,
        scope=scope(spec.task, spec.seed, spec.data_hash),
        cache=place.cache,
    )


def _on(device: torch.device, parts: Mapping[str, Labelled]) -> dict[str, Split]:
    """Splits on the device: inputs as far as there is room for them, the rest on disk."""
    room, splits = room_on(device), {}
    for name, part in parts.items():
        inputs, room = inputs_on(part.x, device, room)
        y, b = (torch.from_numpy(np.array(array)).to(device) for array in (part.y, part.b))
        splits[name] = Split.of(inputs, y, b)
    return splits


def _planted(
    splits: Mapping[str, Split], options: Options, triggers: TriggerPair, classes: bool
) -> dict[str, Split]:
    if options.flipped is None:
        return with_artificial_bias(splits, triggers, classes)
    return with_flipped_labels(splits, triggers, options.injected, options.flipped)


def _throughput(trial: Trial | None) -> float | None:
    if trial is None or not trial.training_seconds:
        return None
    return trial.samples_seen / trial.training_seconds


def _finite(curves: dict[str, list[float]]) -> dict[str, list[float | None]]:
    return {
        name: [value if np.isfinite(value) else None for value in values]
        for name, values in curves.items()
    }


def _device_memory(device: torch.device) -> float | None:
    return torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else None


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:500]

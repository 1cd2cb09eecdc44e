"""What precedes a sweep: the checks of its options, its data, and its plan.

These functions need torch, the tracks and the methods. `bench.runner.sweep` calls them in a process
of their own, so that the process that schedules trials stays small.
"""

from __future__ import annotations

from collections.abc import Iterable
from multiprocessing.reduction import ForkingPickler
from typing import Literal, cast

import torch
from rich.console import Console

from bench.attacks.poisoning.contract import attacks
from bench.data.dataset import Library, data_sets, prepared_name
from bench.errors import UsageError
from bench.heartbeat import acting_as
from bench.method import methods
from bench.outside.terminal import Terminal, one_line
from bench.result import Store
from bench.runner import plan as planning
from bench.runner.engine import Job
from bench.runner.plan import Selected
from bench.runner.provenance import environment
from bench.runner.sweep import PlannedSweep, SweepRequest
from bench.runner.trial import Workspace, blank
from bench.suites.reader import find_suite, read_suite
from bench.suites.tasks import TaskSpec
from bench.tracks.registry import tracks


def know_everything() -> None:
    """Find every track, method, attack and data set, plug-ins too: this imports their modules.

    It also finds out once what the results say of their environment.
    """
    for find in (tracks, methods, attacks, data_sets):
        find()
    environment(torch.device("cpu"), 1)


def checked(request: SweepRequest) -> None:
    """Raise UsageError or SuiteError if the options of a sweep are invalid; touch nothing."""
    _selected(request)
    choose_device(request.device)


def planned(request: SweepRequest, prepares: bool) -> PlannedSweep:
    """Plan a sweep.

    Args:
        request: the options of the sweep.
        prepares: whether to prepare the data that is not prepared yet, which may take long, and to
            compare what is prepared with its digests.

    Raises:
        BenchError: the request is invalid, or its data cannot be obtained.
    """
    library, store = Library(request.data), Store(request.out)
    selected = _selected(request)
    with acting_as(f"bench --suite {request.suite}"):
        if prepares:
            prepare(selected, library, Terminal())
        sweep = planning.sweep(selected, library, store, request.command)
        if prepares:
            verify((spec.task for spec in sweep.to_do), library)
    device = choose_device(request.device)
    # A trial may change its working folder, and must still find what it shares with others.
    data, out = request.data.absolute(), request.out.absolute()
    workspace = Workspace(data, out, device, request.threads)
    jobs = [
        Job(blank(spec), bytes(ForkingPickler.dumps((spec, workspace)))) for spec in sweep.to_do
    ]
    return PlannedSweep(
        plan=sweep.plan,
        jobs=jobs,
        taken=sweep.taken,
        finished=sweep.finished,
        retried=sweep.retried,
        kept=sweep.kept,
        device=device,
    )


def _selected(request: SweepRequest) -> Selected:
    suite = read_suite(find_suite(request.suite), request.settings)
    return planning.select(suite, request.tasks, request.methods, request.seeds)


def choose_device(name: str) -> Literal["cpu", "cuda"]:
    """The device of a name; auto is a GPU if there is one. Raises UsageError if it is missing."""
    if name not in ("auto", "cpu", "cuda"):
        raise UsageError(f'--device: "{name}" is not one of auto, cpu and cuda.')
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: torch finds no GPU here. Use --device cpu.")
    return cast("Literal['cpu', 'cuda']", name)


def prepare(selected: Selected, library: Library, console: Console) -> None:
    """Prepare the data of the selected tasks that is not prepared yet, or from other raw files."""
    for name, task in {prepared_name(t.data, t.options): t for t in selected.tasks}.items():
        before = library.meta(task.data, task.options)
        if before is None:
            # There is no spinner, because decoding pictures shows a progress bar of its own.
            console.print(one_line(f"Preparing {name}."))
        meta = library.ensure(task.data, task.options)
        if before is None or meta.hash != before.hash:
            console.print(one_line(f"Prepared {name}: {sum(meta.sizes.values()):,} samples."))


def verify(tasks: Iterable[TaskSpec], library: Library) -> None:
    """Compare the prepared data of tasks with its digests, each copy once.

    Raises:
        DataError: a file is not as it was written.
    """
    copies = {prepared_name(task.data, task.options): task for task in tasks}
    for task in copies.values():
        library.verify(task.data, task.options)

"""A sweep from the command line to the pages: plan, run, log, report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Literal, cast

import torch
from rich.console import Console
from rich.text import Text

from bench.data.dataset import Library, prepared_name
from bench.disk.files import temporary_folder
from bench.disk.locking import exclusive
from bench.errors import UsageError
from bench.heartbeat import acting_as
from bench.listening import interrupted_by_sigterm
from bench.result import Plan, Result, Status, Store
from bench.runner import engine as local
from bench.runner import plan as planning
from bench.runner.plan import Selected, Sweep
from bench.runner.progress import Progress, duration
from bench.runner.provenance import cores
from bench.runner.trial import Workspace
from bench.suites.reader import find_suite, read_suite
from bench.suites.tasks import TaskSpec
from bench.tracking.tracker import Tracker, TrackingUnavailable, default_uri

INTERRUPTED, TERMINATED = 130, 143


@dataclass(frozen=True)
class SweepRequest:
    """The options of `bench --suite`."""

    suite: str
    methods: Sequence[str]
    tasks: Sequence[str]
    seeds: Sequence[int]
    settings: Mapping[str, Mapping[str, Any]]
    jobs: int
    threads: int
    timeout: float | None
    memory_limit: float | None
    device: str
    fail_fast: bool
    dry_run: bool
    track: bool
    report: bool
    out: Path
    site: Path
    data: Path
    tracking_uri: str | None
    command: str


def run(request: SweepRequest, console: Console) -> int:
    """Run a sweep and return its exit code.

    It is 0 if all went well, 1 if a trial failed, 130 after Ctrl-C and 143 after SIGTERM.

    Raises:
        BenchError: the request is invalid, or its data cannot be obtained.
    """
    suite = read_suite(find_suite(request.suite), request.settings)
    selected = planning.select(suite, request.tasks, request.methods, request.seeds)
    library, store = Library(request.data), Store(request.out)
    device = choose_device(request.device)
    if request.dry_run:
        show_plan(planning.sweep(selected, library, store, request.command), store, console)
        return 0
    busy = f"another bench run is using {request.out}. Wait for it, or choose another --out."
    with (
        acting_as(f"bench --suite {request.suite}"),
        exclusive(request.out / ".lock", request.out, busy),
        interrupted_by_sigterm(_terminate),
    ):
        try:
            prepare(selected, library, console)
            sweep = planning.sweep(selected, library, store, request.command)
            verify((trial.task for trial in sweep.to_do), library)
            store.write_plan(sweep.plan)
            for result in sweep.taken:
                store.write(result)
            console.print(_counts(sweep))
            log = _Log(request, console)
            results = _run_trials(request, sweep, device, console, log)
            _conclude(request, sweep.plan, store, console, log)
        except KeyboardInterrupt:
            console.print("Interrupted. Finished trials are kept: the same command resumes.")
            return INTERRUPTED
        except Terminated:
            console.print("Terminated. Finished trials are kept: the same command resumes.")
            return TERMINATED
        finally:
            store.clean()  # temporary files of writers that were killed, now or earlier
    return _exit_code(sweep.plan, store, results, console)


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
    """Prepare the data of the selected tasks that is not prepared yet."""
    for task in selected.tasks:
        if library.meta(task.data, task.options) is None:
            name = prepared_name(task.data, task.options)
            # There is no spinner, because decoding pictures shows a progress bar of its own.
            console.print(f"Preparing {name}.")
            meta = library.ensure(task.data, task.options)
            console.print(f"Prepared {name}: {sum(meta.sizes.values()):,} samples.")


def verify(tasks: Iterable[TaskSpec], library: Library) -> None:
    """Compare the prepared data of tasks with its digests, each copy once.

    Raises:
        DataError: a file is not as it was written.
    """
    copies = {prepared_name(task.data, task.options): task for task in tasks}
    for task in copies.values():
        library.verify(task.data, task.options)


def show_plan(sweep: Sweep, store: Store, console: Console) -> None:
    """Print every trial of a plan with its state.

    Trials on data that is not prepared have no key yet, because keys depend on the data's content.
    """
    unknown = {task.name: task for task in sweep.plan.tasks if task.data_hash is None}
    to_do = {spec.key for spec in sweep.to_do}
    taken = {result.key for result in sweep.taken}
    for trial in sweep.plan.trials:
        result = store.read(sweep.plan.suite, trial.key)
        state = "to do" if trial.key in to_do else "elsewhere" if trial.key in taken else "kept"
        if result:
            state = f"{result.status}, again" if trial.key in to_do else str(result.status)
        key = "-" * 8 if trial.task in unknown else trial.key[:8]
        console.print(
            Text(f"{key}  {state:14}{trial.task} · {trial.method} · seed {trial.seed}"),
            soft_wrap=True,
        )
    for name in dict.fromkeys(task.data for task in unknown.values()):
        line = f"{name} is not prepared yet, so its finished trials are unknown."
        console.print(line, highlight=False, soft_wrap=True)
    console.print(_counts(sweep))


def _counts(sweep: Sweep) -> str:
    plan = sweep.plan
    parts = [f"{sweep.finished} finished", f"{len(sweep.to_do)} to do"]
    if sweep.taken:
        parts.insert(1, f"{len(sweep.taken)} from other suites")
    if sweep.retried:
        parts.append(f"{sweep.retried} of them failed before and are tried again")
    if sweep.kept:
        parts.append(f"{sweep.kept} of earlier runs stay on the page")
    seeds = len({trial.seed for trial in plan.trials})
    counts = (len(plan.tasks), "task"), (len(plan.methods), "method"), (seeds, "seed")
    size = ", ".join(counted(number, thing) for number, thing in counts)
    return f"{plan.suite}: {size}: {', '.join(parts)}."


def counted(number: int, thing: str) -> str:
    """A number with its noun: "1 task", "2 tasks"."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _run_trials(
    request: SweepRequest, sweep: Sweep, device: str, console: Console, log: _Log
) -> list[Result]:
    default = 1 if device == "cuda" else cores()
    jobs = max(1, min(request.jobs or default, len(sweep.to_do)))
    workspace = Workspace(request.data, request.out, device, request.threads)
    limits = local.Limits(request.timeout, request.memory_limit)
    results: list[Result] = []
    if not sweep.to_do:
        return results
    with (
        temporary_folder("bench-") as folder,
        Progress(console, len(sweep.to_do), jobs, folder) as progress,
    ):
        for result in local.run(
            sweep.to_do, workspace, jobs, limits, progress.started, folder, request.fail_fast
        ):
            results.append(result)
            progress.finished(result)
            log(partial(Tracker.log, plan=sweep.plan, result=result))
    total = sum(result.cost.seconds for result in results)
    console.print(f"{counted(len(results), 'trial')}, {duration(total)} of work.", highlight=False)
    return results


class _Log:
    """Logs a sweep to MLflow. An unavailable server is reported once and stops nothing."""

    def __init__(self, request: SweepRequest, console: Console) -> None:
        self.console, self.enabled, self.unavailable = console, request.track, False
        self.tracker = Tracker(request.tracking_uri or default_uri(request.out), request.out)

    def __call__(self, act: Callable[[Tracker], None], *, retry: bool = False) -> None:
        """Do something with the tracker; after a failure only with `retry`."""
        if not self.enabled or (self.unavailable and not retry):
            return
        try:
            act(self.tracker)
        except TrackingUnavailable as error:
            if not self.unavailable:
                self.console.print(Text(f"{error}", "yellow"), soft_wrap=True)
            self.unavailable = True


def _conclude(request: SweepRequest, plan: Plan, store: Store, console: Console, log: _Log) -> None:
    results = list(store.read_all(plan.suite, (trial.key for trial in plan.trials)))
    # What is missing is logged at the end, because the server may be available again.
    log(lambda tracker: tracker.log_all(plan, results), retry=True)
    if request.report:
        from bench.reports.site import build  # noqa: PLC0415 - imports pandas and statsmodels

        build(request.out, request.site)
        log(lambda tracker: tracker.attach(plan, request.site))
        page = request.site / plan.suite / "index.html"
        console.print(f"Open {page}", highlight=False, markup=False, soft_wrap=True)


def _exit_code(plan: Plan, store: Store, results: list[Result], console: Console) -> int:
    failed = sum(result.status in (Status.FAILED, Status.TIMEOUT) for result in results)
    missing = sum(store.read(plan.suite, trial.key) is None for trial in plan.trials)
    if failed:
        console.print(Text(f"{counted(failed, 'trial')} failed; the page says why.", "red"))
    if missing:
        console.print(Text(f"{counted(missing, 'trial')} not run.", "yellow"))
    return 1 if failed else 0


class Terminated(BaseException):
    """SIGTERM arrived, from `docker stop` or a scheduler; handlers of `Exception` let it pass."""


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated

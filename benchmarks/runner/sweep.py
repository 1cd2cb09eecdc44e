"""A sweep from the command line to the pages: plan, run, log, report."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any, Literal, cast

import torch
from filelock import FileLock, Timeout
from rich.console import Console
from rich.text import Text

from bench.data.dataset import Library, prepared_name
from bench.errors import BenchError, UsageError
from bench.result import Plan, Result, Status, Store
from bench.runner import engine as local
from bench.runner import plan as planning
from bench.runner.plan import Selected, Sweep
from bench.runner.progress import Progress, duration
from bench.runner.provenance import cores
from bench.runner.trial import Workspace
from bench.suites.reader import find_suite, read_suite
from bench.tracking.tracker import Tracker, TrackingUnavailable, default_uri

INTERRUPTED, TERMINATED = 130, 143


@dataclass(frozen=True)
class SweepRequest:
    """What the command line asked for, by its options."""

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


def run(asked: SweepRequest, console: Console) -> int:
    """Do it and return the exit code: 0 all well, 1 some trials failed.

    Raises:
        BenchError: the request makes no sense, or its data is not to be had.
    """
    suite = read_suite(find_suite(asked.suite), asked.settings)
    selected = planning.select(suite, asked.tasks, asked.methods, asked.seeds)
    library, store = Library(asked.data), Store(asked.out)
    device = choose_device(asked.device)
    if asked.dry_run:
        show_plan(planning.sweep(selected, library, store, asked.command), store, console)
        return 0
    with _only_one(asked.out), _ended_by_sigterm():
        try:
            prepare(selected, library, console)
            found = planning.sweep(selected, library, store, asked.command)
            store.write_plan(found.plan)
            for result in found.taken:
                store.write(result)
            console.print(_counts(found))
            log = _Log(asked, found.plan, console)
            ended = _run_trials(asked, found, device, console, log)
            _conclude(asked, found.plan, store, console, log)
        except KeyboardInterrupt:
            console.print("Interrupted. Finished trials are kept: the same command resumes.")
            return INTERRUPTED
        except Terminated:
            console.print("Terminated. Finished trials are kept: the same command resumes.")
            return TERMINATED
        finally:
            store.clean()  # what killed writers left, in this run or an earlier one
    return _verdict(found.plan, store, ended, console)


def choose_device(name: str) -> Literal["cpu", "cuda"]:
    """With auto, a GPU where there is one. Raises UsageError for one that is not there."""
    if name not in ("auto", "cpu", "cuda"):
        raise UsageError(f'--device: "{name}" is none of auto, cpu and cuda.')
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: torch finds no GPU here. Use --device cpu.")
    return cast("Literal['cpu', 'cuda']", name)


def prepare(selected: Selected, library: Library, console: Console) -> None:
    """Prepare whatever data of the selected tasks is not prepared yet."""
    for task in selected.tasks:
        if library.meta(task.data, task.options) is None:
            name = prepared_name(task.data, task.options)
            # No spinner: decoding pictures shows a bar of its own.
            console.print(f"Preparing {name}.")
            meta = library.prepare(task.data, task.options)
            console.print(f"Prepared {name}: {sum(meta.sizes.values()):,} samples.")


def show_plan(sweep: Sweep, store: Store, console: Console) -> None:
    """Print every trial of a plan and how it stands.

    Keys count the content of the data, so trials on data that is not prepared have none yet.
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
        line = f"{name} is not prepared yet, so trials of it that are finished are not known."
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
    """1 task, 2 tasks."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _run_trials(
    asked: SweepRequest, sweep: Sweep, device: str, console: Console, log: _Log
) -> list[Result]:
    default = 1 if device == "cuda" else cores()
    jobs = max(1, min(asked.jobs or default, len(sweep.to_do)))
    place = Workspace(asked.data, asked.out, device, asked.threads)
    limits = local.Limits(asked.timeout, asked.memory_limit)
    ended: list[Result] = []
    if not sweep.to_do:
        return ended
    with (
        TemporaryDirectory(prefix="bench-") as folder,
        Progress(console, len(sweep.to_do), jobs, Path(folder)) as progress,
    ):
        for result in local.run(
            sweep.to_do, place, jobs, limits, progress.started, Path(folder), asked.fail_fast
        ):
            ended.append(result)
            progress.finished(result)
            log.one(result)
    total = sum(result.cost.seconds for result in ended)
    console.print(f"{counted(len(ended), 'trial')}, {duration(total)} of work.", highlight=False)
    return ended


class _Log:
    """MLflow during a sweep: told once where it is away, and never in the way."""

    def __init__(self, asked: SweepRequest, plan: Plan, console: Console) -> None:
        self.plan, self.console = plan, console
        self.tracker = Tracker(asked.tracking_uri or default_uri(asked.out), asked.out)
        self.wanted = asked.track
        self.away = False

    def one(self, result: Result) -> None:
        """Log a result as it comes; once the server was found away, wait for the end."""
        if self.wanted and not self.away:
            self._try(lambda: self.tracker.log(self.plan, result))

    def everything(self, results: list[Result]) -> None:
        """Log what is missing: by now the server may be back."""
        if self.wanted:
            self._try(lambda: self.tracker.log_all(self.plan, results))

    def pages(self, site: Path) -> None:
        """Keep the suite's page beside its runs, once it is built."""
        if self.wanted and not self.away:
            self._try(lambda: self.tracker.attach(self.plan, site))

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except TrackingUnavailable as error:
            if not self.away:
                self.console.print(Text(f"{error}", "yellow"), soft_wrap=True)
            self.away = True


def _conclude(asked: SweepRequest, plan: Plan, store: Store, console: Console, log: _Log) -> None:
    found = list(store.read_all(plan.suite, (trial.key for trial in plan.trials)))
    log.everything(found)
    if asked.report:
        from bench.reports.site import build  # noqa: PLC0415 - imports pandas and statsmodels

        build(asked.out, asked.site)
        log.pages(asked.site)
        page = asked.site / plan.suite / "index.html"
        console.print(f"Open {page}", highlight=False, markup=False, soft_wrap=True)


def _verdict(plan: Plan, store: Store, ended: list[Result], console: Console) -> int:
    bad = [result for result in ended if result.status in (Status.FAILED, Status.TIMEOUT)]
    missing = sum(store.read(plan.suite, trial.key) is None for trial in plan.trials)
    if bad:
        console.print(Text(f"{counted(len(bad), 'trial')} failed; the page says why.", "red"))
    if missing:
        console.print(Text(f"{counted(missing, 'trial')} not run.", "yellow"))
    return 1 if bad else 0


class Terminated(BaseException):
    """SIGTERM arrived: `docker stop`, or a cluster's scheduler. No handler of errors may eat it."""


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    def end(number: int, frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _only_one(out: Path) -> Iterator[None]:
    """Two sweeps in one folder would run trials twice."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / ".lock", timeout=0)
        lock.acquire()
    except Timeout as error:
        raise BenchError(
            f"another bench run is using {out}. Wait for it, or give this one another --out."
        ) from error
    except OSError as error:
        raise BenchError(f"{out}: cannot write here ({error.strerror}).") from error
    try:
        yield
    finally:
        lock.release()

"""A sweep from the command line to the pages: plan, run, log, report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Self

from rich.console import Console
from rich.text import Text

from bench.disk.files import temporary_folder
from bench.disk.locking import exclusive
from bench.errors import UsageError
from bench.heartbeat import acting_as
from bench.listening import interrupted_by_sigterm
from bench.outside.terminal import one_line
from bench.result import Plan, Result, Status, Store
from bench.runner.engine import Engine, Job, Limits
from bench.runner.progress import Progress, duration
from bench.runner.provenance import cores
from bench.runner.template import Template
from bench.tracking.background import Background, attach_pages, log_suite
from bench.tracking.tracker import TrackingUnavailable

INTERRUPTED, TERMINATED = 130, 143


PREPARATION = "bench.runner.preparation"
USED_BY_TRIALS = (
    "torch._dynamo", "torch._inductor.utils", "torch.onnx", "sklearn.cluster", "sklearn.manifold",
    "sklearn.decomposition", "sklearn.linear_model", "statsmodels.formula.api",
    "PIL.PngImagePlugin",
)  # fmt: skip
"""Modules that trials load when they need them; loaded before, they cost no trial any time."""


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


@dataclass(frozen=True)
class PlannedSweep:
    """The plan that the pages account for, and the trials that are still to run.

    Attributes:
        jobs: the trials to run.
        taken: results of the same trials from other suites of the folder, under this suite's names.
        finished: the number of trials that have a final result here.
        retried: how many of the jobs have a result that is not final.
        kept: trials of earlier runs that stay on the page.
        device: "cpu" or "cuda".
    """

    plan: Plan
    jobs: Sequence[Job]
    taken: Sequence[Result]
    finished: int
    retried: int
    kept: int
    device: str


def run(request: SweepRequest, console: Console) -> int:
    """Run a sweep and return its exit code.

    It is 0 if all went well, 1 if a trial failed, 130 after Ctrl-C and 143 after SIGTERM.

    Raises:
        BenchError: the request is invalid, its data cannot be obtained, or results cannot be
            written.
    """
    store = Store(request.out)
    with Template() as template:
        template.prepare([PREPARATION], [f"{PREPARATION}:know_everything"])
        if request.dry_run:
            show_plan(template.call(f"{PREPARATION}:planned", request, False), store, console)
            return 0
        template.call(f"{PREPARATION}:checked", request)
        busy = f"another bench run is using {request.out}. Wait for it, or choose another --out."
        with (
            acting_as(f"bench --suite {request.suite}"),
            exclusive(request.out / ".lock", request.out, busy),
            _in_order(store, console) as code,
        ):
            sweep = template.call(f"{PREPARATION}:planned", request, True)
            store.write_plan(sweep.plan)
            for result in sweep.taken:
                store.write(result)
            console.print(_counts(sweep), highlight=False, markup=False)
            with _Log(request, console) as log:
                outcomes = _run_trials(request, sweep, template, console, log)
                _conclude(request, sweep.plan, template, console, log)
            code.append(_exit_code(sweep.plan, store, outcomes, console))
    return code[-1]


@contextmanager
def _in_order(store: Store, console: Console) -> Iterator[list[int]]:
    """Turn Ctrl-C and SIGTERM into a sentence and an exit code, appended to the list."""
    codes: list[int] = []
    with interrupted_by_sigterm(_terminate):
        try:
            yield codes
        except KeyboardInterrupt:
            console.print("Interrupted. Finished trials are kept: the same command resumes.")
            codes.append(INTERRUPTED)
        except Terminated:
            console.print("Terminated. Finished trials are kept: the same command resumes.")
            codes.append(TERMINATED)
        finally:
            store.clean()  # temporary files of writers that were killed, now or earlier


def show_plan(sweep: PlannedSweep, store: Store, console: Console) -> None:
    """Print every trial of a plan with its state.

    Trials on data that is not prepared have no key yet, because keys depend on the data's content.
    """
    unknown = {task.name: task for task in sweep.plan.tasks if task.data_hash is None}
    to_do = {job.key for job in sweep.jobs}
    taken = {result.key for result in sweep.taken}
    for trial in sweep.plan.trials:
        result = store.read(sweep.plan.suite, trial.key)
        state = "to do" if trial.key in to_do else "elsewhere" if trial.key in taken else "kept"
        if result:
            state = f"{result.status}, again" if trial.key in to_do else str(result.status)
        key = "-" * 8 if trial.task in unknown else trial.key[:8]
        console.print(
            one_line(f"{key}  {state:14}{trial.task} · {trial.method} · seed {trial.seed}"),
            soft_wrap=True,
        )
    for name in dict.fromkeys(task.data for task in unknown.values()):
        line = f"{name} is not prepared yet, so its finished trials are unknown."
        console.print(line, highlight=False, soft_wrap=True)
    console.print(_counts(sweep), highlight=False, markup=False)


def _counts(sweep: PlannedSweep) -> str:
    plan = sweep.plan
    parts = [f"{sweep.finished} finished", f"{len(sweep.jobs)} to do"]
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
    request: SweepRequest, sweep: PlannedSweep, template: Template, console: Console, log: _Log
) -> Sequence[Status]:
    """Run the trials, show and log them, and return how they ended."""
    if not sweep.jobs:
        return ()
    default = 1 if sweep.device == "cuda" else cores()
    at_once = max(1, min(request.jobs or default, len(sweep.jobs)))
    limits = Limits(request.timeout, request.memory_limit)
    template.prepare([*USED_BY_TRIALS, PREPARATION], [f"{PREPARATION}:know_everything"])
    _check_memory(request.memory_limit, template)
    outcomes: list[Status] = []
    seconds = 0.0
    store = Store(request.out)
    with (
        temporary_folder("bench-") as folder,
        Progress(console, len(sweep.jobs), sweep.plan.tracks, folder) as progress,
    ):
        engine = Engine(template, store, limits, progress.started, folder)
        for result in engine.run(sweep.jobs, at_once, request.fail_fast):
            outcomes.append(result.status)
            seconds += result.cost.seconds
            progress.finished(result)
            log(result)
    trials = counted(len(outcomes), "trial")
    console.print(f"{trials}, {duration(seconds)} of work.", highlight=False)
    return outcomes


def _check_memory(limit: float | None, template: Template) -> None:
    needed = template.call("bench.runner.trial:resident_mib") if limit else 0.0
    if limit and needed > limit:
        raise UsageError(
            f"--memory-limit {limit:g}: a trial's process holds {needed:.0f} MiB before the trial "
            "begins. Allow more, as a rule some 500 MiB more than that."
        )


class _Log:
    """Logs a sweep to MLflow. An unavailable server is reported once, at the end.

    The process that logs starts when the first trial may, and ends with this block.
    """

    def __init__(self, request: SweepRequest, console: Console) -> None:
        self.console = console
        self.background = Background(request.tracking_uri, request.out) if request.track else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.background:
            self.background.stop()

    def __call__(self, result: Result) -> None:
        """Have a trial logged that ended; this returns at once."""
        if self.background:
            self.background.trial(result.suite, result.key)

    def conclude(self, act: Callable[[Background], None]) -> None:
        """Do something that takes its time; after a failure nothing more is tried."""
        if self.background is None:
            return
        try:
            act(self.background)
        except TrackingUnavailable as error:
            self.console.print(one_line(error, "yellow"), soft_wrap=True)
            self.background.stop()
            self.background = None


def _conclude(
    request: SweepRequest, plan: Plan, template: Template, console: Console, log: _Log
) -> None:
    # What is missing is logged at the end, because the server may be available again.
    log.conclude(lambda background: log_suite(background, Store(request.out), plan, console))
    if request.report:
        # In a process of its own, because pandas and statsmodels take as much memory as the rest.
        template.call("bench.reports.site:build", request.out, request.site)
        log.conclude(lambda background: attach_pages(background, plan, request.site))
        page = request.site / plan.suite / "index.html"
        console.print(f"Open {page}", highlight=False, markup=False, soft_wrap=True)


def _exit_code(plan: Plan, store: Store, outcomes: Sequence[Status], console: Console) -> int:
    failed = sum(status in (Status.FAILED, Status.TIMEOUT) for status in outcomes)
    missing = sum(not store.path(plan.suite, trial.key).exists() for trial in plan.trials)
    if failed:
        console.print(Text(f"{counted(failed, 'trial')} failed; the page says why.", "red"))
    if missing:
        console.print(Text(f"{counted(missing, 'trial')} not run.", "yellow"))
    return 1 if failed else 0


class Terminated(BaseException):
    """SIGTERM arrived, from `docker stop` or a scheduler; handlers of `Exception` let it pass."""


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated

"""`bench label`: opens a task of a suite and serves the page."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.text import Text

from bench.data.dataset import Library
from bench.errors import BenchError, Skip, UsageError, unknown
from bench.heartbeat import acting_as
from bench.labelling.server import Endpoints, addresses, application, serve
from bench.labelling.session import Labelling, locked
from bench.labelling.showing import SampleView, published, sample_view, spectrum_of
from bench.listening import bound
from bench.method import Method, make, method_class
from bench.runner import plan as planning
from bench.runner.preparation import choose_device, prepare, verify
from bench.runner.trial import Workspace, prepared
from bench.seeds import seed_for
from bench.suites.reader import Suite, find_suite, read_suite
from bench.suites.tasks import TaskSpec
from bench.tracks.poisoning.session import PoisoningSession
from bench.tracks.poisoning.tagging import Asks
from bench.tracks.registry import tracks


@dataclass(frozen=True)
class LabelRequest:
    """The options of `bench label`."""

    suite: str
    task: str
    method: str
    seed: int
    settings: Sequence[str]
    overrides: Mapping[str, Mapping[str, Any]]
    tags: Path
    data: Path
    out: Path
    device: str
    threads: int
    host: str
    port: int


def label(request: LabelRequest, console: Console) -> None:
    """Serve the page until Ctrl-C.

    Raises:
        BenchError: the request is invalid, or its data cannot be obtained.
    """
    suite = read_suite(find_suite(request.suite), request.overrides)
    task, method = the_task(suite, request.task), the_method(suite, request.method)
    listener = bound(request.host, request.port)  # fails before minutes of work
    doing = acting_as(f"bench label {request.suite}")
    with listener, doing, locked(request.tags):
        labelling, show = opened(request, suite, task, method, console)
        afterwards = shlex.join(command_afterwards(request, task, method))
        token, names = secrets.token_urlsafe(), addresses(request.host, listener.getsockname()[1])
        queue = labelling.queue
        most = sum(min(queue.most, len(cluster.rows)) for cluster in queue.clusters)
        listener.listen()  # early requests wait for the server and are not refused
        console.print(
            f"{len(queue.clusters)} clusters, at most {most:,} inspections; "
            f"{labelling.step:,} are in {request.tags} already.",
            highlight=False, markup=False, soft_wrap=True,
        )  # fmt: skip
        console.print(
            Text(f"Open http://{names[0]}/?token={token}  (Ctrl-C ends it)"), soft_wrap=True
        )
        serve(application(Endpoints(labelling, show, afterwards), token, names), listener)
    further = f"Then run: {afterwards}"
    if labelling.next_sample:
        further = f"The same command continues. {further}"
    console.print(Text(f"{labelling.step:,} tags are in {request.tags}. {further}"), soft_wrap=True)


def opened(
    request: LabelRequest, suite: Suite, task: TaskSpec, method: Method, console: Console
) -> tuple[Labelling, Callable[[int], SampleView]]:
    """The queue with its answers so far, and a function that shows a row of the training set."""
    torch.set_num_threads(request.threads)  # as in a trial, because rounding depends on it
    selected = planning.Selected(suite, (task,), (method,), (request.seed,))
    library = Library(request.data)
    prepare(selected, library, console)
    verify(selected.tasks, library)
    device = choose_device(request.device)
    workspace = Workspace(request.data, request.out, device, request.threads)
    spec = the_trial(suite, task, method, request.seed, workspace)
    console.print(f"Opening {task.name}, seed {request.seed}.", highlight=False, markup=False)
    prepared_task = prepared(spec, workspace)
    try:
        session = tracks()[task.track].open(prepared_task)
        assert isinstance(session, PoisoningSession)  # noqa: S101 - `the_task` chose the track
        assert isinstance(method, Asks)  # noqa: S101 - checked by `the_method`
        torch.manual_seed(seed_for(request.seed, "everything else"))
        queue = method.queue(session.task, session.context)
    except Skip as verdict:
        raise BenchError(f"{task.name}: {verdict}.") from verdict
    samples, spectrum = published(prepared_task), spectrum_of(prepared_task)

    def show(row: int) -> SampleView:
        return sample_view(samples, row, spectrum)

    return Labelling(request.tags, queue, request.seed, spec.data_hash), show


def the_trial(
    suite: Suite, task: TaskSpec, method: Method, seed: int, workspace: Workspace
) -> planning.TrialSpec:
    """The trial whose training set is labelled, with the key that `bench` gives it."""
    meta = Library(workspace.data).meta(task.data, task.options)
    return planning.spec(suite.name, task, method, seed, meta, workspace.weights)


def the_task(suite: Suite, name: str) -> TaskSpec:
    """A poisoned task by its name, or by a part of the name that no other one has.

    Raises:
        UsageError: no task or several tasks match.
    """
    tasks = {t.name: t for t in suite.tasks if tracks()[t.track].open is PoisoningSession}
    if not tasks:
        raise UsageError(f"{suite.name} has no task with an attack: nothing to label.")
    if name in tasks:
        return tasks[name]
    matches = [task for known, task in tasks.items() if name in known]
    if not matches:
        raise UsageError("--task: " + unknown("task", name, tasks))
    if len(matches) > 1:
        raise UsageError(
            f"--task: choose one of {', '.join(shlex.quote(task.name) for task in matches)}."
        )
    return matches[0]


def the_method(suite: Suite, name: str) -> Method:
    """A method that asks a person about samples, by its name or label.

    Raises:
        UsageError: several methods match, or the method asks nobody.
    """
    method_class(name.partition("[")[0])
    selected = planning.select(suite, named=[name]).methods
    matches = [method for method in selected if method.label == name] or selected
    if len(matches) > 1:
        raise UsageError(
            f"--method: choose one of {', '.join(shlex.quote(method.label) for method in matches)}."
        )
    [method] = matches
    if not isinstance(method, Asks):
        raise UsageError(f"--method: {method.name} does not ask a person about samples.")
    return method


def command_afterwards(request: LabelRequest, task: TaskSpec, method: Method) -> list[str]:
    """The command that runs the method with the tags, on their task and seed."""
    defaults = {field.name: field.default for field in fields(method)}
    changed = {name: value for name, value in method.parameters.items() if value != defaults[name]}
    recorded = {"annotator": "recorded", "tags": str(request.tags)}
    changed |= {name: value for name, value in recorded.items() if name in defaults}
    words = ["bench", "--suite", request.suite, "--tasks", task.name]
    words += ["--seeds", f"{request.seed}-{request.seed}"]
    words += ["--methods", make(method.name, changed).label]
    return words + [word for setting in request.settings for word in ("--set", setting)]

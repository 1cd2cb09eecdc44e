"""`bench label`: from the name of a suite to the address of a page."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.text import Text

from bench.data.dataset import Library
from bench.errors import BenchError, Skip, UsageError, unknown
from bench.labelling.server import Endpoints, addresses, application, serve
from bench.labelling.session import Labelling, locked
from bench.labelling.showing import SampleView, published, sample_view, spectrum_of
from bench.listening import bound
from bench.method import Method, make, method_class
from bench.runner import plan as planning
from bench.runner.sweep import choose_device, prepare
from bench.runner.trial import Workspace, prepared
from bench.seeds import seed_for
from bench.suites.reader import Suite, find_suite, read_suite
from bench.suites.tasks import TaskSpec
from bench.tracks.poisoning.session import PoisoningSession
from bench.tracks.poisoning.tagging import Asks, Queue
from bench.tracks.registry import tracks


@dataclass(frozen=True)
class LabelRequest:
    """What the command line asked for, by its options."""

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


def label(wanted: LabelRequest, console: Console) -> None:
    """Serve the page until Ctrl-C.

    Raises:
        BenchError: the request makes no sense, or its data is not to be had.
    """
    suite = read_suite(find_suite(wanted.suite), wanted.overrides)
    task, method = the_task(suite, wanted.task), the_method(suite, wanted.method)
    listening = bound(wanted.host, wanted.port)  # before minutes of work
    with listening, locked(wanted.tags):
        labelling, show = opened(wanted, suite, task, method, console)
        afterwards = shlex.join(command_afterwards(wanted, task, method))
        token, names = secrets.token_urlsafe(), addresses(wanted.host, listening.getsockname()[1])
        queue = labelling.queue
        listening.listen()  # who opens the address at once waits, and is not refused
        console.print(
            f"{len(queue.clusters)} clusters, at most {_most(queue):,} inspections; "
            f"{labelling.step:,} are in {wanted.tags} already.",
            highlight=False, markup=False, soft_wrap=True,
        )  # fmt: skip
        console.print(
            Text(f"Open http://{names[0]}/?token={token}  (Ctrl-C ends it)"), soft_wrap=True
        )
        serve(application(Endpoints(labelling, show, afterwards), token, names), listening)
    further = f"Then run: {afterwards}"
    if labelling.next_sample:
        further = f"The same command continues. {further}"
    console.print(Text(f"{labelling.step:,} tags are in {wanted.tags}. {further}"), soft_wrap=True)


def opened(
    wanted: LabelRequest, suite: Suite, task: TaskSpec, method: Method, console: Console
) -> tuple[Labelling, Any]:
    """The queue with its answers so far, and what makes a row of the training set visible."""
    torch.set_num_threads(wanted.threads)  # as in a trial: more of them round differently
    selected = planning.Selected(suite, (task,), (method,), (wanted.seed,))
    prepare(selected, Library(wanted.data), console)
    place = Workspace(wanted.data, wanted.out, choose_device(wanted.device), wanted.threads)
    spec = the_trial(suite, task, method, wanted.seed, place)
    console.print(f"Opening {task.name}, seed {wanted.seed}.", highlight=False, markup=False)
    asked = prepared(spec, place)
    try:
        session = tracks()[task.track].open(asked)
        assert isinstance(session, PoisoningSession)  # noqa: S101 - `the_task` chose the track
        assert isinstance(method, Asks)  # noqa: S101 - `the_method` looked
        torch.manual_seed(seed_for(wanted.seed, "everything else"))
        queue = method.queue(session.task, session.context)
    except Skip as verdict:
        raise BenchError(f"{task.name}: {verdict}.") from verdict
    samples, spectrum = published(asked), spectrum_of(asked)

    def show(row: int) -> SampleView:
        return sample_view(samples, row, spectrum)

    return Labelling(wanted.tags, queue, wanted.seed, spec.data_hash), show


def the_trial(
    suite: Suite, task: TaskSpec, method: Method, seed: int, place: Workspace
) -> planning.TrialSpec:
    """The trial whose training set is labelled, with the key that `bench` gives it."""
    meta = Library(place.data).meta(task.data, task.options)
    return planning.spec(suite.name, task, method, seed, meta, place.weights)


def the_task(suite: Suite, name: str) -> TaskSpec:
    """A poisoned task by its name, or by a part of the name that no other one has.

    Raises:
        UsageError: none, or several.
    """
    tasks = {t.name: t for t in suite.tasks if tracks()[t.track].open is PoisoningSession}
    if not tasks:
        raise UsageError(f"{suite.name} has no task with an attack: nothing to label.")
    if name in tasks:
        return tasks[name]
    found = [task for known, task in tasks.items() if name in known]
    if not found:
        raise UsageError("--task: " + unknown("task", name, tasks))
    if len(found) > 1:
        raise UsageError(
            f"--task: choose one of {', '.join(shlex.quote(task.name) for task in found)}."
        )
    return found[0]


def the_method(suite: Suite, name: str) -> Method:
    """A method that asks a person, by its name or label.

    Raises:
        UsageError: none, or several.
    """
    method_class(name.partition("[")[0])
    selected = planning.select(suite, wanted=[name]).methods
    found = [method for method in selected if method.label == name] or selected
    if len(found) > 1:
        raise UsageError(
            f"--method: choose one of {', '.join(shlex.quote(method.label) for method in found)}."
        )
    [method] = found
    if not isinstance(method, Asks):
        raise UsageError(f"--method: {method.name} asks nobody about samples.")
    return method


def command_afterwards(wanted: LabelRequest, task: TaskSpec, method: Method) -> list[str]:
    """The command that runs the method on the tags: they are of one task and one seed."""
    known = {field.name: field.default for field in fields(method)}
    given = {name: value for name, value in method.parameters.items() if value != known[name]}
    recorded = {"annotator": "recorded", "tags": str(wanted.tags)}
    given |= {name: value for name, value in recorded.items() if name in known}
    words = ["bench", "--suite", wanted.suite, "--tasks", task.name]
    words += ["--seeds", f"{wanted.seed}-{wanted.seed}"]
    words += ["--methods", make(method.name, given).label]
    return words + [word for setting in wanted.settings for word in ("--set", setting)]


def _most(queue: Queue) -> int:
    return sum(min(queue.most, len(cluster.rows)) for cluster in queue.clusters)

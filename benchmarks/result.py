"""What a trial leaves behind, what a sweep planned, and the folder that keeps both.

Everything that reads results (the planner, MLflow, the pages) reads these types and nothing else.

On disk, under the `--out` folder:

    <suite>/plan.json            the sweep as last planned: every trial the pages must account for
    <suite>/trials/<key>.json    one file a finished trial, written atomically
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat

from bench.errors import BenchError
from bench.outside.json_text import read_record
from bench.privacy import public, public_name

SCHEMA = 1
LONGEST_NAME = 150
"""Bytes of a name that files get; file systems allow 255, and temporary names are longer."""
WINDOWS_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


def file_name(name: str) -> str:
    """A name as it is, if a file or folder of any system may have it.

    Raises:
        ValueError: the name is empty or too long, leads to another folder, or is reserved.
    """
    forbidden = next((sign for sign in name if _no_file_may_have(sign)), "")
    if not name.strip():
        raise ValueError("is empty")
    if forbidden:
        raise ValueError(f"holds {forbidden!r}, which no name of a file may")
    if name.startswith((".", " ")) or name.endswith((".", " ")):
        raise ValueError("begins or ends with a dot or a space")
    if WINDOWS_DEVICES.fullmatch(name):
        raise ValueError("is the name of a device on Windows")
    if len(name.encode()) > LONGEST_NAME:
        raise ValueError(f"is longer than {LONGEST_NAME} bytes")
    return name


def _no_file_may_have(sign: str) -> bool:
    return sign in '/\\:*?"<>|' or unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp")


def _address(url: str | None) -> str | None:
    """A web address; anything else that a page would have to link to is left out."""
    return url if url and url.startswith(("https://", "http://")) else None


def _public_scalar(value: Scalar) -> Scalar:
    return public_name(value) if isinstance(value, str) else value


def _aware(moment: datetime) -> datetime:
    """A moment with its time zone: UTC where it has none."""
    if not 1970 <= moment.year < 9999:
        raise ValueError("is no time of a computer's")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Scalar = str | bool | int | float | None
PublicScalar = Annotated[Scalar, AfterValidator(_public_scalar)]
PublicName = Annotated[str, AfterValidator(public_name)]
PublicText = Annotated[str, AfterValidator(public)]
"""Texts that are published hold no credentials and no folders (see `bench.privacy`)."""
FileName = Annotated[str, AfterValidator(file_name)]
"""A name that becomes part of a path."""
Moment = Annotated[datetime, AfterValidator(_aware)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Base64 = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/=\s]*$")]


class Record(BaseModel):
    """Base of everything written to disk: unknown keys are errors, NaN is never a number."""

    model_config = ConfigDict(
        extra="forbid", ser_json_inf_nan="null", use_attribute_docstrings=True
    )


class Status(StrEnum):
    """How a trial ended."""

    OK = "ok"
    FAILED = "failed"
    TIMEOUT = "timeout"
    SKIPPED = "skipped"

    @property
    def is_final(self) -> bool:
        """Whether starting again leaves this trial alone; failures and time-outs are retried."""
        return self in (Status.OK, Status.SKIPPED)


class Cost(Record):
    """What a trial took. `shared_seconds` is work built once and charged to all who need it."""

    seconds: FiniteFloat = 0.0
    shared_seconds: FiniteFloat = 0.0
    peak_memory_mib: FiniteFloat | None = None
    peak_device_memory_mib: FiniteFloat | None = None
    samples_per_second: FiniteFloat | None = None
    """Training throughput: samples that all its stages saw, divided by their time."""

    @property
    def total_seconds(self) -> float:
        """Seconds a user would wait who ran this method alone."""
        return self.seconds + self.shared_seconds


class Environment(Record):
    """Where and from what source a trial ran."""

    git_sha: str
    git_dirty: bool
    versions: dict[str, str]
    platform: PublicText
    processor: PublicText
    cores: int
    threads: int
    device: str
    capability: str = ""
    """The vector instructions that torch computes with on the CPU: AVX2, AVX512 and so on; empty in
    older results."""

    @property
    def arithmetic(self) -> dict[str, str]:
        """What decides the last digits of numbers, by its name; what is unknown is left out."""
        facts = {
            "device": self.device,
            "torch": self.versions.get("torch", ""),
            "threads": str(self.threads),
            "CPU capability": self.capability,
        }
        return {name: value for name, value in facts.items() if value}


class ResultPicture(Record):
    """A picture that a trial left: an image before and after, say."""

    png: Base64
    """The PNG file in base64."""
    caption: PublicText


class Result(Record):
    """One method on one task with one seed. `metrics` holds finite numbers only."""

    schema_version: int = SCHEMA
    key: FileName
    suite: FileName
    track: str
    task: PublicName
    method: PublicName
    """Its name on the page: bade, or bade[strength=auto]."""
    method_name: str
    """The name of its file: bade."""
    parameters: dict[str, PublicScalar]
    revision: int
    seed: Seed
    training: dict[str, PublicScalar]
    data_hash: str
    status: Status
    reason: PublicText | None = None
    traceback: PublicText | None = None
    log: PublicText = ""
    """The last lines of its log and its warnings."""
    metrics: dict[str, FiniteFloat] = {}
    undefined: dict[str, PublicText] = {}
    """Why a metric does not exist here, by the metric's name."""
    curves: dict[str, list[FiniteFloat | None]] = {}
    samples: dict[str, list[FiniteFloat]] = {}
    """One value a sample by metric, for box plots and distributions."""
    pictures: list[ResultPicture] = []
    """Pictures of a few samples before and after."""
    chosen: dict[str, PublicScalar] = {}
    """What was selected: the epoch, the strength, and so on."""
    cost: Cost = Cost()
    environment: Environment | None = None
    started: Moment
    finished: Moment


class MetricInfo(Record):
    """A metric as the pages need it: its name in words, its unit and which way is better."""

    name: str
    title: str
    unit: str
    """One of "%" (stored as a fraction), "s", or "" for a plain number."""
    better: str
    """One of "higher", "lower", or "" where neither is better."""
    definition: str
    formula: str = ""
    """Its formula; empty where words say it all, and in older plans."""
    headline: bool = False
    """Whether the command line shows it when a trial ends."""


class CrossQuestion(Record):
    """A question beyond the ranking that a track's tasks answer about methods of some track.

    Methods of another track are asked where they run on this one's tasks; methods of this track
    are asked for metrics that concern another.
    """

    title: str
    sentence: str
    """What an answer means."""
    home: str
    """The track of the methods' contract."""
    metrics: list[str]
    """Names of the metrics, in the order of columns."""


class TrackInfo(Record):
    """A track's metrics in page order, and the words that pages need of it.

    `rank_by` names the metrics on which methods get a rank.
    """

    name: FileName
    metrics: list[MetricInfo]
    rank_by: list[str]
    stand_ins: dict[str, str] = {}
    """By metric that may rank, the metric whose absence makes it rank."""
    decides: str = ""
    """The metric of `rank_by` that orders a task's methods; empty for their mean rank."""
    ranking: str
    """The rule of ranking, in words."""
    selection: str
    """The rule by which epochs and thresholds are chosen."""
    reference: str | None = None
    """The name of the plain method to beat, if there is one; None in older plans."""
    bias_title: str = ""
    """What a page calls the bias variable of a task; empty: it is not shown."""
    figures: list[str] = []
    """Kinds of figures that need what only this track's judge keeps."""
    questions: list[CrossQuestion] = []

    @property
    def times(self) -> frozenset[str]:
        """Names of the metrics that are times: they differ from run to run of one trial."""
        return frozenset(metric.name for metric in self.metrics if metric.unit == "s")


class FigureInfo(Record):
    """A picture or table of a suite's page, beyond the leaderboard of each task.

    A *coordinate* is a method's parameter, a task's option or a training setting, looked up in
    this order: `temperature`, `correlation`, `backbone`.

    - line: `values` over the numeric coordinate `x`, a line a method (less `x`) and task, with
      95 % bands.
    - heat: one map a metric of `values` and task, over the coordinates `x` and `y`.
    - pairs: tasks that differ in the coordinate `x` (true or false) alone make a point each:
      `values` where it is false against `values` where it is true.
    - table: a row a metric of `values`, a column a method, for each task.
    - pictures: the pictures that methods bring along, with `values` below.
    - box, cumulative: quartiles, or the cumulative distribution, of the single samples behind
      `values`.
    - profile: `values` that differ in the number at the end of their names, over that number.
    - strips: the pictures that trials left, with `values` below.
    - groups: accuracy by group over the groups' covariate, with its line.
    - slopes: the slopes of such lines over seeds, a box a method, with tests between methods.
    """

    kind: Literal[
        "line",
        "heat",
        "pairs",
        "table",
        "pictures",
        "box",
        "cumulative",
        "profile",
        "strips",
        "groups",
        "slopes",
    ]
    title: str
    note: str = ""
    x: str = ""
    y: str = ""
    values: list[str] = Field(min_length=1)
    methods: list[PublicName] = []
    """Names or labels of the methods that it shows; empty for all."""


class PlannedTask(Record):
    """A task of a sweep, with all that the pages say about its data."""

    name: PublicName
    track: str
    data: str
    data_title: str
    data_hash: str | None
    official: bool
    """Whether the raw files are known to be the official ones."""
    comparable: bool = True
    """Whether they could be compared with those."""
    target: str
    bias: str
    classes: list[str]
    groups: list[str]
    sizes: dict[str, int]
    notes: list[PublicText]
    training: dict[str, PublicScalar]
    question: str = ""
    """The task as the suite names it: target|bias."""
    options: dict[str, PublicScalar] = {}
    """The options of the data set and of the attack."""
    conditions: dict[str, PublicScalar] = {}
    """Options that differ from their defaults, and training settings that the suite varies."""
    published: str | None = None
    """The rows of reports/boards/published.csv that answer it, as dataset/task, or None."""
    covariate: str = ""
    """In words, what accuracy by group should not depend on."""


class Hyperparameter(Record):
    """A field of a method: what it may be, what it is where nobody sets it, what it does."""

    name: str
    kind: str
    """Its type in words, such as float >= 0."""
    default: Scalar
    text: str


class PlannedMethod(Record):
    """A method of a sweep."""

    label: PublicName
    name: str
    track: FileName
    summary: str
    about: list[str] = []
    """Paragraphs with what readers must know of it."""
    paper: str
    url: Annotated[str | None, AfterValidator(_address)]
    parameters: dict[str, PublicScalar]
    revision: int
    caveat: str | None = None
    """What makes its numbers incomparable with others, or None."""
    hyperparameters: list[Hyperparameter] = []
    home: str = ""
    """The track of its contract; empty where it is `track`."""
    kind: str = ""
    """One of "method", "baseline", or "elsewhere" for a plug-in."""
    picture: Base64 | None = None
    """A PNG file in base64 that shows its triggers, or None."""
    caption: str | None = None
    """What the picture shows."""


class PlannedTrial(Record):
    """One cell of the sweep."""

    key: FileName
    task: PublicName
    method: PublicName
    seed: Seed


class Plan(Record):
    """A sweep: what a suite's page must account for, finished or not."""

    schema_version: int = SCHEMA
    suite: FileName
    title: str
    description: str
    sweep: str
    """Identity of the sweep in MLflow: a hash of the suite, its data and its settings."""
    command: PublicText
    tracks: list[TrackInfo]
    tasks: list[PlannedTask]
    methods: list[PlannedMethod]
    trials: list[PlannedTrial]
    figures: list[FigureInfo] = []


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader, a crash or a power cut sees the old content or the new one.

    Raises:
        OSError: it cannot be written; the error's `filename` is the path. The old file stands.
    """
    encoded = content.encode() if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(encoded)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o644)  # mkstemp's 0600 would hide results from a shared group
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        fsync_folder(path.parent)
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def fsync_folder(folder: Path) -> None:
    """Have the names of a folder's files survive a power cut, where the system can do that."""
    with suppress(OSError):  # some file systems refuse it for folders
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


R = TypeVar("R", bound=Record)


class Store:
    """The results of all suites in one folder.

    Names in it are data: a suite, a key or a link that leads out of the folder is a mistake.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def suites(self) -> list[str]:
        """Names of the suites that have a plan here."""
        folders = (path.parent for path in self.root.glob("[!.]*/plan.json"))
        return sorted(self.place(folder.name).name for folder in folders)

    def place(self, suite: str, *parts: str) -> Path:
        """The path of something in a suite's folder.

        Raises:
            BenchError: a name is none of a file, or a link leads out of the folder of results.
        """
        path = self.root.joinpath(suite, *parts)
        for name in (suite, *parts):
            try:
                file_name(name.removesuffix(".json"))
            except ValueError as error:
                raise BenchError(f"{_brief(path)}: the name {error}. Move it away.") from error
        steps = (path, *path.parents[: len(parts)])
        if any(s.is_symlink() for s in steps) and self.root.resolve() not in path.resolve().parents:
            raise BenchError(f"{path}: a link that leads out of {self.root}. Move it away.")
        return path

    def path(self, suite: str, key: str) -> Path:
        """Where the result of a trial stands or will stand."""
        return self.place(suite, "trials", f"{key}.json")

    def write(self, result: Result) -> Path:
        """Keep a result, also in place of what cannot be read.

        A finished one is never overwritten by an unfinished one.
        """
        own = self.place(result.suite, "trials") / f"{result.key}.json"
        if own.is_symlink():
            own.unlink()  # nothing of ours is a link there, and it may lead anywhere
        path = self.path(result.suite, result.key)
        old = None if result.status.is_final else self.readable(result.suite, result.key)
        if old and old.status.is_final:
            return path
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)  # nothing of ours is a folder there
        write_atomically(path, result.model_dump_json(indent=1) + "\n")
        return path

    def read(self, suite: str, key: str) -> Result | None:
        """The result of a trial, or None where there is none yet."""
        path = self.path(suite, key)
        result = _load(path, Result)
        return result and _own(path, result, suite=suite, key=key)

    def readable(self, suite: str, key: str) -> Result | None:
        """The result of a trial, or None where there is none that can be read."""
        with suppress(BenchError):
            return self.read(suite, key)
        return None

    def keys(self, suite: str) -> list[str]:
        """Keys of all results of a suite, also of those that its plan no longer asks for."""
        return sorted(path.stem for path in self.place(suite, "trials").glob("[!.]*.json"))

    def read_all(self, suite: str, keys: Iterable[str]) -> Iterator[Result]:
        """The results that exist among `keys`, in their order."""
        for key in keys:
            if result := self.read(suite, key):
                yield result

    def elsewhere(self, suite: str, key: str) -> Iterator[Result]:
        """What other suites have of the same trial; what is damaged is their affair."""
        for path in sorted(self.root.glob(f"*/trials/{key}.json")):
            if path.parts[-3] != suite:
                with suppress(BenchError):
                    yield from self.read_all(path.parts[-3], [key])

    def clean(self) -> None:
        """Remove what writers left behind that were killed in the middle of a write."""
        for stale in self.root.rglob(".*.tmp"):
            stale.unlink(missing_ok=True)

    def write_plan(self, plan: Plan) -> None:
        """Keep the plan of a suite's sweep."""
        text = plan.model_dump_json(indent=1) + "\n"
        write_atomically(self.place(plan.suite, "plan.json"), text)

    def read_plan(self, suite: str) -> Plan | None:
        """The last plan of a suite, or None."""
        path = self.place(suite, "plan.json")
        plan = _load(path, Plan)
        if plan and (fault := _incoherence(plan)):
            raise BenchError(f"{path}: {fault}. Move the file away and run the suite again.")
        return plan and _own(path, plan, suite=suite)


AWAY = "Move the file away and run the suite again."
REPEAT = "Run the suite again, or move the file away: its trial is then run anew."


def _load(path: Path, kind: type[R]) -> R | None:
    """A file as a record, or None where there is none."""
    if not path.exists():
        return None
    return read_record(path, kind, REPEAT if kind is Result else AWAY)


def _own(path: Path, record: R, **names: str) -> R:
    """The record, if it says the same names as its place."""
    for field, expected in names.items():
        if getattr(record, field) != expected:
            raise BenchError(
                f'{path}, {field}: "{_brief(getattr(record, field))}" does not belong here; its '
                f'place says "{expected}". Move the file away.'
            )
    return record


def _incoherence(plan: Plan) -> str:
    """What a plan names and does not list, or lists twice; empty where there is no such thing."""
    tracks = [track.name for track in plan.tracks]
    tasks = {task.name: task.track for task in plan.tasks}
    methods = [(method.track, method.label) for method in plan.methods]
    listed: dict[str, list[object]] = {
        "tracks": [*tracks], "tasks": [task.name for task in plan.tasks],
        "methods": [*methods], "trials": [trial.key for trial in plan.trials],
    }  # fmt: skip
    for field, names in listed.items():
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            return f"{field}: {_brief(twice[0])} is listed twice"
    if unknown := [track for track in tasks.values() if track not in tracks]:
        return f'tasks: the track "{_brief(unknown[0])}" is not listed'
    known = set(methods)
    for trial in plan.trials:
        if trial.task not in tasks:
            return f'trials: the task "{_brief(trial.task)}" is not listed'
        if (tasks[trial.task], trial.method) not in known:
            return f'trials: the method "{_brief(trial.method)}" is not listed'
    return ""


def _brief(value: object) -> str:
    """A value from a file for a message, in one line that is not too long."""
    text = "".join(sign if sign.isprintable() else "?" for sign in str(value))
    return text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}…"


def digest(parts: Mapping[str, Any]) -> str:
    """24 hex digits of the SHA-256 of `parts` as canonical JSON (96 bits: no collisions)."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:24]

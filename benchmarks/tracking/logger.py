"""The process that logs a sweep to MLflow: `python -m bench.tracking.logger`.

It is started and spoken to by `bench.tracking.background`. It reads commands from its standard
input, a JSON object a line, and the results from their files; it answers on its standard output.
When the other end closes, even by kill -9, it ends at once.

Every step has one deadline, by an alarm: the time limits of HTTP libraries begin anew with every
byte that a server sends. What even an alarm does not interrupt, such as looking up a host's name,
the parent ends by killing this process.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any

from bench.errors import BenchError
from bench.result import Plan, Result, Store
from bench.tracking.experiment import Steps
from bench.tracking.runs import TRIAL
from bench.tracking.tracker import SuiteLog, Tracker, cause_of

MOST_AT_ONCE = 25
"""Trials that are logged before the next command is looked at."""
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 60.0
"""Seconds until a server that failed is tried again; they double until the longest."""
EVERY_SECONDS = 0.2  # between reports of progress
MOST_MEMORY = 2 * 2**30  # bytes: an answer without end would take the machine's
PR_SET_PDEATHSIG = 1
Command = dict[str, Any]
Act = Callable[[SuiteLog], None]


class Late(BaseException):
    """A step took longer than its deadline; handlers of `Exception` let it pass."""


class Kept:
    """The results of a plan, read from their files one by one each time they are iterated over."""

    def __init__(self, store: Store, plan: Plan) -> None:
        self.store, self.plan = store, plan

    def __iter__(self) -> Iterator[Result]:
        return self.store.read_all(self.plan.suite, (trial.key for trial in self.plan.trials))


class Logger:
    """Logs what it is told to, and goes on when it cannot.

    Args:
        uri: The store.
        out: The results folder.
        seconds: The deadline of a step.
        say: Sends an answer to the parent.
        receive: The next command, or None where none comes within the seconds given.
    """

    def __init__(
        self,
        uri: str,
        out: Path,
        seconds: float,
        say: Callable[..., None],
        receive: Callable[[float | None], Command | None],
    ) -> None:
        self.say, self.receive, self.seconds = say, receive, seconds
        self.store = Store(out)
        self.tracker = Tracker(uri, out, Steps(self._within_limit, self._done))
        self.suite: SuiteLog | None = None
        self.waiting: list[str] = []
        """Keys of trials that are not logged yet."""
        self.logged: set[str] = set()
        """Keys of the suite's trials that are."""
        self.shown, self.said = 0, 0.0
        self.pause, self.again = FIRST_PAUSE, 0.0

    def run(self) -> None:
        """Do what is commanded, until the other end closes."""
        suite = ""
        while True:
            patience = max(0.0, self.again - time.monotonic()) if self.waiting else None
            command = self.receive(patience)
            if command is None:
                self._catch_up(suite)
                continue
            if command["suite"] != suite:
                suite = command["suite"]
                self.logged.clear()  # a key may stand in several suites
            if key := command.get("trial"):
                self.waiting.append(key)
            elif pages := command.get("pages"):
                self._answer(suite, partial(SuiteLog.attach, site=Path(pages)))
            else:
                self.waiting.clear()
                self._answer(suite, self._log_all)

    def _catch_up(self, name: str) -> None:
        """Log a portion of the trials that wait; after a failure there is a pause."""
        portion = self.waiting[:MOST_AT_ONCE]
        if self._attempt(name, lambda log: log.log(list(self.store.read_all(name, portion)))):
            self.again = time.monotonic() + self.pause
            self.pause = min(2 * self.pause, LONGEST_PAUSE)
        else:
            del self.waiting[: len(portion)]
            self.pause = FIRST_PAUSE
            self._report()

    def _log_all(self, log: SuiteLog) -> None:
        self.shown = 0
        results: Iterable[Result] = Kept(self.store, log.plan)
        if next(iter(results), None) is None:
            return
        if not log.is_current():
            log = self.suite = self._open(log.plan.suite)
        log.log_all(results)

    def _answer(self, name: str, act: Act) -> None:
        cause = self._attempt(name, act)
        self.say(answer=cause, logged=len(self.logged), shown=self.shown)

    def _attempt(self, name: str, act: Act) -> str:
        """Do something with a suite; why it failed, or an empty text.

        What fails with what was known of MLflow is tried once more after MLflow was read again:
        runs, or the whole experiment, may have been deleted since.
        """
        while True:
            known = self.suite is not None and self.suite.plan.suite == name
            try:
                log = self.suite if self.suite and known else self._open(name)
                self.suite = log
                act(log)
            except Late:
                self.suite = None
                return f"no answer within {self.seconds:g} seconds"
            except Exception as error:  # noqa: BLE001 - MLflow and its stores raise dozens of types
                self.suite = None
                if not known:
                    return cause_of(error)
            else:
                return ""

    def _open(self, name: str) -> SuiteLog:
        plan = self.store.read_plan(name)
        if plan is None:
            raise BenchError(f"{self.store.root / name}: there is no plan")
        return self.tracker.open(plan)

    @contextmanager
    def _within_limit(self) -> Iterator[None]:
        """Raise `Late` when the block takes too long, again and again until it ends."""
        signal.setitimer(signal.ITIMER_REAL, self.seconds, 1.0)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _done(self, places: Iterable[tuple[str, str]]) -> None:
        """Count what a step brought up to date, and report it now and then."""
        shown = list(places)
        self.shown += len(shown)
        self.logged.update(key for kind, key in shown if kind == TRIAL)
        if time.monotonic() - self.said > EVERY_SECONDS:
            self._report()

    def _report(self) -> None:
        self.said = time.monotonic()
        self.say(logged=len(self.logged), shown=self.shown)


def main() -> None:
    """Log what the parent process commands."""
    end_with_parent(int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C ends
    signal.signal(signal.SIGALRM, _late)
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    with suppress(ValueError):  # the limit may be lower already
        resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, most))
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)  # what libraries print must not stand among the answers
        commands: SimpleQueue[Command] = SimpleQueue()
        threading.Thread(target=_read, args=(commands,), daemon=True).start()

        def say(**answer: Any) -> None:
            print(json.dumps(answer), file=answers, flush=True)

        def receive(seconds: float | None) -> Command | None:
            with suppress(Empty):
                return commands.get(timeout=seconds)
            return None

        settings = commands.get()
        import mlflow  # noqa: F401, PLC0415 - takes seconds, which no deadline should count

        say(ready=True)
        out, seconds = Path(settings["out"]), float(settings["seconds"])
        Logger(settings["uri"], out, seconds, say, receive).run()


def end_with_parent(parent: int) -> None:
    """Have the kernel end this process when its parent is gone, where it is Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _read(commands: SimpleQueue[Command]) -> None:
    """Pass commands on as they come; when the parent is gone, end in the midst of anything."""
    for line in sys.stdin:
        commands.put(json.loads(line))
    os._exit(0)


def _late(number: int, frame: FrameType | None) -> None:
    raise Late


if __name__ == "__main__":
    main()

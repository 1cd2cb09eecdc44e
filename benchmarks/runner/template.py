"""A warm process that starts fresh ones: every trial gets a process of its own within milliseconds.

Importing torch, the tracks and the methods takes seconds. The template imports them once and then
forks: each child has everything imported, has run nothing, and shares no memory with another child,
so that nothing that one changes (a default dtype, the working folder, random state, open files) is
there for the next. Where forking is unsafe (everywhere but on Linux), a child is a new process that
imports for itself.

The template runs no method and no tensor operation: it has no thread pool and no GPU context that
a fork would break. The parent process needs neither torch nor the methods, and stays small.

Nothing outlives its parent. The kernel kills a child when the template dies, and the template when
the parent dies (on Linux; elsewhere the template notices that its pipe is closed). When a child
ends, the template kills what it left running.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib import import_module
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any, NoReturn, Self

import psutil

from bench.disk.files import temporary_folder
from bench.ending import print_traceback
from bench.errors import BenchError
from bench.plugins import Problem, adopt, unreported

FORKS = sys.platform == "linux"
PR_SET_PDEATHSIG, PR_SET_NAME, PR_SET_CHILD_SUBREAPER = 1, 15, 36  # numbers of prctl(2)
TEMPLATE, CHILD = "bench-template", "bench-trial"
"""What `ps` and `top` call these processes on Linux."""
NO_ROOM_EXIT = 75
"""Exit code of a call whose answer found no room (EX_TEMPFAIL of sysexits.h)."""
FAULT_EXIT = 70
"""Exit code of a child in which something failed that is not the trial's."""
ANSWER = "bench.runner.template:answer"
SECONDS_TO_END = 5.0
ATTEMPTS = 3
KEEP_FREED = {
    "MALLOC_MMAP_THRESHOLD_": str(2**25),  # the highest that glibc takes; larger blocks are mapped
    "MALLOC_TRIM_THRESHOLD_": str(2**30),  # bytes: more than a step of a small network frees
}
"""What lets glibc keep memory that a training step frees for the next one; others ignore it.

Without it, every step of a small network gives its memory back and faults it in again: half of its
processor time, as `python -m bench.speed.memory` measures.
"""
ENVIRONMENT = {
    **KEEP_FREED,
    # Asks the driver's library for the number of GPUs, without the context that a fork would break.
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
}
"""Environment variables of the template and its children, unless the user has set them."""


class Fault(RuntimeError):  # noqa: N818 - what it is, not what went wrong
    """Something of ours failed in a child; the message is its traceback."""


class TemplateDied(BenchError):  # noqa: N818 - an event that is handled by a new template
    """The template is gone, and with it every child.

    Args:
        how: how it ended, as in "was killed by SIGKILL".
    """

    def __init__(self, how: str) -> None:
        super().__init__(
            f"the process that starts trials {how}, and so did those that replaced it."
        )
        self.how = how


@dataclass(frozen=True)
class Call:
    """A function to call in a child.

    Attributes:
        function: its module and name, as in "bench.runner.trial:work".
        arguments: its arguments, pickled by `packed`: only the child imports what they need.
    """

    function: str
    arguments: bytes


@dataclass(frozen=True)
class Begun:
    """A child runs.

    Attributes:
        job: the number under which it was started.
        pid: its process.
    """

    job: int
    pid: int


@dataclass(frozen=True)
class Ended:
    """A child ended, with an exit code as Python's `subprocess` has it: negative for a signal."""

    job: int
    code: int


@dataclass(frozen=True)
class _Start:
    job: int
    call: Call


@dataclass(frozen=True)
class _Signal:
    job: int
    number: int


@dataclass(frozen=True)
class _Import:
    """Modules to import, and functions to call once, each "module:name", before further forks."""

    modules: Sequence[str]
    functions: Sequence[str]


@dataclass(frozen=True)
class _Imported:
    """The imports are done, or failed with this traceback."""

    fault: str | None = None


def packed(*arguments: object) -> bytes:
    """Arguments of a call, for `Call`."""
    return bytes(ForkingPickler.dumps(arguments))


class Template:
    """The parent's end: starts children in the template and hears of their ends.

    Args:
        variables: environment variables for the template, unless the user has set them.
    """

    def __init__(self, variables: Mapping[str, str] = ENVIRONMENT) -> None:
        self._variables = variables
        self._jobs = 0
        self._imports = _Import((), ())
        self._waiting: list[Begun | Ended] = []
        self._begin()

    def _begin(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, os.getpid()))
        with environment(self._variables):
            self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the template and all its children; a second time it does nothing."""
        if self._connection.closed:
            return
        self._connection.close()
        self._process.join(SECONDS_TO_END)
        if self._process.is_alive():
            self._process.kill()  # and with it, by the kernel, its children
            self._process.join()
        self._process.close()

    def kill(self) -> None:
        """Kill the template and, by the kernel, its children; the next call notices."""
        self._process.kill()

    def wake(self) -> None:
        """Continue a template that a child has stopped."""
        with suppress(psutil.Error):
            process = psutil.Process(self._process.pid)
            if process.status() == psutil.STATUS_STOPPED:
                process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Begin anew after `TemplateDied`, with the same imports.

        Raises:
            TemplateDied: it died again and again before they were done.
        """
        for attempt in range(ATTEMPTS):
            self.close()
            self._begin()
            try:
                self._import()
            except TemplateDied:
                if attempt == ATTEMPTS - 1:
                    raise
            else:
                return

    def prepare(self, modules: Sequence[str], functions: Sequence[str]) -> None:
        """Import modules and call functions in the template, and wait for it.

        Raises:
            Fault: one of them raised an exception.
            TemplateDied: it did not survive this.
        """
        self._imports = _Import(tuple(modules), tuple(functions))
        try:
            self._import()
        except TemplateDied:
            self.restart()

    def _import(self) -> None:
        self._send(self._imports)
        while not isinstance(event := self._receive(), _Imported):
            if isinstance(event, Begun | Ended):
                self._waiting.append(event)
        if event.fault:
            raise Fault(event.fault)

    def start(self, call: Call) -> int:
        """Start a child and return its number. Raises TemplateDied."""
        self._jobs += 1
        self._send(_Start(self._jobs, call))
        return self._jobs

    def signal(self, job: int, number: int = signal.SIGKILL) -> None:
        """Send a signal to a child and all that it started; does nothing if it has ended."""
        self._send(_Signal(job, number))

    def events(self, seconds: float | None) -> Iterator[Begun | Ended]:
        """What happened, waiting for at most so many seconds if nothing has. Raises TemplateDied.

        Args:
            seconds: None waits without a limit.
        """
        while self._waiting:
            yield self._waiting.pop(0)
            seconds = 0.0
        while wait([self._connection], seconds):
            event = self._receive()
            if isinstance(event, Begun | Ended):
                yield event
            seconds = 0.0

    def call(self, function: str, *arguments: object) -> Any:
        """Run a function in a child and return its value.

        Ctrl-C interrupts the child in order, as it would interrupt the function itself.

        Args:
            function: its module and name, as in "bench.runner.preparation:planned".
            *arguments: its arguments; they and the value are pickled.

        Raises:
            BenchError: what the function raised; or its process was killed again and again.
            OSError: what the function raised.
            Fault: another exception, or an end of its process without any.
        """
        death = ""
        for _ in range(ATTEMPTS):
            try:
                outcome = self._answer_of(function, arguments)
            except TemplateDied as error:
                death = error.how
                self.restart()
                continue
            if not isinstance(outcome, int):
                return outcome.value_or_error()
            death = how_it_ended(outcome)
            if outcome >= 0:
                raise Fault(f"{function}: its process {death}")
        raise BenchError(
            f"the process of {function} {death} {ATTEMPTS} times, by hand or "
            "because the machine ran out of memory. Finished trials are kept."
        )

    def _answer_of(self, function: str, arguments: tuple[object, ...]) -> _Answer | int:
        """What came of a call, or the exit code of its process if that left no answer."""
        with temporary_folder("bench-") as folder:
            file = folder / "answer"
            job = self.start(Call(ANSWER, packed(file, function, arguments)))
            try:
                code = self._end_of(job)
            except BaseException:  # Ctrl-C or SIGTERM
                with suppress(TemplateDied):
                    self.signal(job, signal.SIGINT)
                    self._end_of(job, SECONDS_TO_END)
                raise
            if code == NO_ROOM_EXIT:
                raise BenchError(
                    f"{folder.parent}: cannot write here; the disk may be full. Make room, or name "
                    "another folder for temporary files in TMPDIR."
                )
            if code != 0:
                return code
            answer: _Answer = ForkingPickler.loads(file.read_bytes())
            return answer

    def _end_of(self, job: int, seconds: float | None = None) -> int:
        """Wait for the end of a child: its exit code, or 0 if nothing happens for so long."""
        while True:
            events = list(self.events(seconds))
            for event in events:
                if isinstance(event, Ended) and event.job == job:
                    return event.code
            if not events:
                return 0

    def _send(self, message: object) -> None:
        try:
            self._connection.send(message)
        except OSError as error:
            raise TemplateDied(self._how_it_ended()) from error

    def _receive(self) -> Begun | Ended | _Imported:
        try:
            event: Begun | Ended | _Imported = self._connection.recv()
        except (EOFError, OSError) as error:
            raise TemplateDied(self._how_it_ended()) from error
        return event

    def _how_it_ended(self) -> str:
        self._process.join(SECONDS_TO_END)
        return how_it_ended(self._process.exitcode)


def how_it_ended(code: int | None) -> str:
    """The end of a process in words: "was killed by SIGKILL", "ended with exit code 3"."""
    if code is not None and code < 0:
        try:
            return f"was killed by {signal.Signals(-code).name}"
        except ValueError:  # a real-time signal has no name
            return f"was killed by signal {-code}"
    return f"ended with exit code {code}"


@contextmanager
def environment(defaults: Mapping[str, str]) -> Iterator[None]:
    """Set variables for child processes that start meanwhile; what the user has set stays."""
    added = {name: value for name, value in defaults.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


@dataclass(frozen=True)
class _Answer:
    value: Any = None
    mistake: str | None = None
    fault: str | None = None
    of_the_system: tuple[Any, ...] | None = None
    """Arguments of the OSError behind a fault, if there is one: a disk may be full."""
    problems: Sequence[Problem] = ()

    def value_or_error(self) -> Any:
        """Return the value, or raise what the function raised."""
        adopt(self.problems)
        if self.mistake is not None:
            raise BenchError(self.mistake)
        if self.fault is not None:
            fault = Fault(self.fault)
            if self.of_the_system is not None:
                raise OSError(*self.of_the_system) from fault
            raise fault
        return self.value


def answer(file: Path, function: str, arguments: tuple[Any, ...]) -> int:
    """Call a function and write what came of it to a file, in a child that `Template.call` starts.

    Returns:
        The exit code: 0, or 130 if Ctrl-C interrupted the function.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        outcome = _Answer(_function(function)(*arguments))
    except BenchError as error:
        outcome = _Answer(mistake=str(error))
    except OSError as error:
        cause = (error.errno, error.strerror, error.filename)
        outcome = _Answer(fault=traceback.format_exc(), of_the_system=cause)
    except Exception:  # noqa: BLE001 - the parent raises it again
        outcome = _Answer(fault=traceback.format_exc())
    except KeyboardInterrupt:
        return 130
    try:
        file.write_bytes(bytes(ForkingPickler.dumps(replace(outcome, problems=unreported()))))
    except OSError:
        return NO_ROOM_EXIT
    return 0


def _function(name: str) -> Callable[..., Any]:
    module, _, attribute = name.partition(":")
    function: Callable[..., Any] = getattr(import_module(module), attribute)
    return function


def _serve(connection: Connection, parent: int) -> None:
    """The template's own loop: runs until the parent closes its end or dies."""
    _name(TEMPLATE)
    _die_with(parent)
    _reap_descendants()
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches the whole group; the parent reacts
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    woken, wakes = _pipe()
    signal.signal(signal.SIGCHLD, lambda *_: None)  # with a handler, Python writes to `wakes`
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    children = _Children((connection.fileno(), woken, wakes))
    try:
        while True:
            ready = wait([connection, woken])
            if woken in ready:
                os.read(woken, 4096)
            for ended in children.ended():
                connection.send(ended)
            if connection in ready and (reply := children.obey(connection.recv())):
                connection.send(reply)
    except (EOFError, OSError):  # the parent is gone, or has no more use for its template
        children.kill()
    _leave(0)


class _Children:
    """The children of this template.

    Args:
        private: file descriptors of the template that a child must not have.
    """

    def __init__(self, private: Sequence[int]) -> None:
        self._private = private
        self._jobs: dict[int, int] = {}  # process -> number of the job
        self._own: set[int] = set()  # what plug-ins started while they were imported

    def obey(self, message: _Start | _Signal | _Import) -> Begun | _Imported | None:
        """Do what the parent asks for, and return what it is to know of it."""
        if isinstance(message, _Start):
            pid = _fork(message.call, self._private) if FORKS else _spawn(message.call)
            self._jobs[pid] = message.job
            return Begun(message.job, pid)
        if isinstance(message, _Signal):
            for pid in (pid for pid, job in self._jobs.items() if job == message.job):
                _kill_group(pid, message.number)
            return None
        try:
            for module in message.modules:
                import_module(module)
            for function in message.functions:
                _function(function)()
        except Exception:  # noqa: BLE001 - the parent raises it again
            return _Imported(traceback.format_exc())
        self._own = {*_children()} - {*self._jobs}
        return _Imported()

    def ended(self) -> Iterator[Ended]:
        """The children that ended since the last call. What they left running is killed."""
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            pid = ended.si_pid
            if pid in self._jobs:
                _kill_group(pid, signal.SIGKILL)  # before its number may become another's
            _, status = os.waitpid(pid, 0)
            if pid in self._jobs:
                yield Ended(self._jobs.pop(pid), os.waitstatus_to_exitcode(status))
            for orphan in {*_children()} - {*self._jobs} - self._own:
                with suppress(ProcessLookupError):
                    os.kill(orphan, signal.SIGKILL)

    def kill(self) -> None:
        """Kill them all."""
        for pid in self._jobs:
            _kill_group(pid, signal.SIGKILL)


def _pipe() -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends


def _fork(call: Call, private: Sequence[int]) -> int:
    """A child that runs a call, as a copy of this process."""
    sys.stdout.flush()
    sys.stderr.flush()
    template = os.getpid()
    if pid := os.fork():
        return pid
    code = FAULT_EXIT
    try:
        _name(CHILD)
        _die_with(template)
        _reap_descendants()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number in private:
            os.close(number)
        code = _run(call)
    except BaseException as error:  # noqa: BLE001 - nothing of the template's loop may run in a child
        print_traceback(error)
    finally:
        _leave(code)


def _spawn(call: Call) -> int:
    process = multiprocessing.get_context("spawn").Process(target=_new, args=(call,))
    process.start()
    if process.pid is None:
        raise RuntimeError("a process that was started has no number")
    return process.pid


def _new(call: Call) -> NoReturn:
    code = FAULT_EXIT
    try:
        code = _run(call)
    except BaseException as error:  # noqa: BLE001 - as in `_fork`
        print_traceback(error)
    _leave(code)


def _leave(code: int) -> NoReturn:
    """End the process without what a trial registered to run at its end, which might not end."""
    try:
        for stream in (sys.stdout, sys.stderr):
            with suppress(BaseException):  # closed, or replaced by the trial with anything
                stream.flush()
    finally:
        os._exit(code)


def _run(call: Call) -> int:
    """Run a call in a session of its own, without a terminal to read from."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    code = _function(call.function)(*ForkingPickler.loads(call.arguments))
    return int(code or 0)


def _name(process: str) -> None:
    if FORKS:
        ctypes.CDLL(None).prctl(PR_SET_NAME, process.encode())


def _reap_descendants() -> None:
    """Become the parent of what a child detaches from itself, once that child has ended.

    A child does the same for itself, so that what it detached is not mistaken for left behind
    while it still runs. Only Linux has this.
    """
    if FORKS:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def _children() -> list[int]:
    """The processes whose parent this one is, on Linux."""
    if not FORKS:
        return []
    listed = Path(f"/proc/self/task/{os.getpid()}/children")
    if listed.exists():  # the kernel may be built without it
        return [int(pid) for pid in listed.read_text(encoding="ascii").split()]
    return [child.pid for child in psutil.Process().children()]


def _kill_group(pid: int, number: int) -> None:
    """Send a signal to a child and to what it started; it may not lead its group yet."""
    for send in (os.killpg, os.kill):
        with suppress(ProcessLookupError, PermissionError):
            send(pid, number)


def _die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent dies; it may have died already."""
    if FORKS:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)

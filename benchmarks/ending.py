"""How a command ends: its exit code, and a fault of ours told apart from a mistake of a user.

Every command of this project ends in `conclude`: `bench` itself and each `python -m bench.NAME`.
"""

from __future__ import annotations

import errno
import os
import select
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from typing import NoReturn

from bench.errors import BenchError, escaped, printable
from bench.privacy import masked, public


class ExitCode(IntEnum):
    """What the exit codes of `bench` mean; the README lists them."""

    OK = 0
    FAILED = 1
    """Trials failed (or a comparison with --fail-on-worse found something worse)."""
    USAGE = 2
    """A mistake of the user, or a machine that cannot do it, such as a full disk."""
    FAULT = 70
    """A fault of bench: EX_SOFTWARE of BSD's sysexits.h."""
    INTERRUPTED = 130
    """Ctrl-C: 128 + SIGINT, as a shell counts."""
    CLOSED = 141
    """The reader of the output went away, as in `bench list | head -1`: 128 + SIGPIPE."""
    TERMINATED = 143
    """128 + SIGTERM."""


OF_THE_MACHINE = {
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG,
    errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EFBIG, errno.EIO, errno.ESTALE, errno.EMFILE,
    errno.ENFILE,
}  # fmt: skip
"""Errors of a disk or a path that no program can prevent: one line about the file says it all."""


def conclude(command: Callable[[], object]) -> NoReturn:
    """Run a command and end the process with its exit code.

    Args:
        command: Returns the exit code, or None for 0.
    """
    sys.exit(exit_code(command))


def conclude_typer(function: Callable[..., object]) -> NoReturn:
    """`conclude` a function whose parameters are the options of a command line."""
    import typer  # noqa: PLC0415 - errors of importing it are to be told as faults, too

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(function)
    conclude(lambda: app(standalone_mode=False))


def exit_code(command: Callable[[], object]) -> int:
    """Run a command; print why it ended where it did not end well."""
    try:
        code = command()
        if sys.stdout is not None:
            sys.stdout.flush()  # otherwise a closed pipe is met where nobody handles it
    except BaseException as error:  # noqa: BLE001 - nothing may end a command with Python's code 1
        return _explained(error)
    return code if isinstance(code, int) else ExitCode.OK


def _explained(error: BaseException) -> int:
    """The exit code of an error, which is printed: in a line, or as a fault with a traceback."""
    code, line = _verdict(error)
    if code == ExitCode.CLOSED:
        _discard_output()
        return code
    # Where even stderr is gone, or no package can be imported, the code must do.
    with suppress(Exception, SystemExit):
        if code == ExitCode.FAULT:
            print_traceback(error)
        complain(line)
    return code


def _verdict(error: BaseException) -> tuple[int, str]:
    """Exit code and line of an error."""
    if isinstance(error, BenchError):
        return ExitCode.USAGE, str(error)
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED, "interrupted."
    if _is_closed_output(error):
        return ExitCode.CLOSED, ""
    if message := _of_the_command_line(error):
        return ExitCode.USAGE, message
    if isinstance(error, OSError) and error.errno in OF_THE_MACHINE:
        place = f"{error.filename}: " if error.filename else ""
        return ExitCode.USAGE, f"{place}{error.strerror}."
    return ExitCode.FAULT, (
        f"this is a fault of bench and none of yours ({type(error).__name__}, shown above). Please "
        "report it, with the lines above, as an issue of the repository that bench came from."
    )


def _of_the_command_line(error: BaseException) -> str:
    """The message of an error about options or arguments, empty for any other error."""
    typer = sys.modules.get("typer.exceptions")
    if typer is None or not isinstance(error, typer.TyperException):
        return ""
    return " ".join(error.format_message().split())


def complain(message: str, colour: str = "red") -> None:
    """Print a line on stderr, in colour where that is a terminal."""
    from bench.outside.terminal import Terminal  # noqa: PLC0415 - rich may be what is broken

    console = Terminal(stderr=True)
    text = f"bench: {printable(masked(message))}"
    console.print(text, style=colour, highlight=False, markup=False, soft_wrap=True)


def print_traceback(error: BaseException) -> None:
    """Print the traceback of a fault on stderr, without credentials and folders."""
    text = "".join(traceback.format_exception(error))
    text = escaped(public(text))  # it will stand in a report
    encoding = sys.stderr.encoding or "utf-8"
    sys.stderr.write(text.encode(encoding, "backslashreplace").decode(encoding))


def _is_closed_output(error: BaseException) -> bool:
    """Whether an error means that the reader of standard output or standard error is gone.

    A pipe that breaks may also be one to a worker or a server, which is a fault.
    """
    if isinstance(error, SystemExit):  # rich and typer end so where output meets a broken pipe
        return isinstance(error.__context__, BrokenPipeError)
    if not isinstance(error, BrokenPipeError):
        return False
    poll = select.poll()
    for number in (1, 2):
        poll.register(number, 0)  # POLLERR and POLLNVAL are always told
    return any(event & (select.POLLERR | select.POLLNVAL) for _, event in poll.poll(0))


def _discard_output() -> None:
    """Send what is still to be written nowhere, so that Python does not fail on it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(nowhere, number)
    os.close(nowhere)

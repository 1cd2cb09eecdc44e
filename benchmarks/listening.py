"""What local servers share: a socket to listen on, and an orderly end on SIGTERM."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from bench.errors import UsageError, shortened

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - compared only
"""Addresses that mean all interfaces -> the local address of such a server."""


def bound(host: str, port: int) -> socket.socket:
    """A socket bound to an address; port 0 takes any free port.

    Raises:
        UsageError: the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    # Allows a port that is in TIME_WAIT after an earlier server was ended.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except socket.gaierror as error:
        listener.close()
        raise UsageError(f"--host: {shortened(host)} is no address ({error.strerror}).") from error
    except UnicodeError as error:  # a part of a name may have 63 characters, and none is empty
        listener.close()
        raise UsageError(f"--host: {shortened(host)} is no address.") from error
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"cannot listen on {shortened(host)}:{port} ({reason}). Choose another port with "
            "--port, or another address with --host."
        ) from error
    return listener


@contextmanager
def interrupted_by_sigterm(
    handler: Callable[[int, FrameType | None], Any] = signal.default_int_handler,
) -> Iterator[None]:
    """Treat SIGTERM (`kill`, `docker stop`) like Ctrl-C, or as a handler of one's own does.

    So no server keeps running, and a sweep ends in order.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

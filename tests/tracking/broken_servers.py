"""Servers on loopback that misbehave, each in a way of its own."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tests.tracking.tracking_examples import free_port

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
Way = Callable[[Any, bytes], None]


def read_request(connection: Any) -> bytes:
    """The head of a request and what of its body came with it."""
    request = b""
    while b"\r\n\r\n" not in request and (part := connection.recv(2**16)):
        request += part
    return request


def answer(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


def hang(connection: Any, request: bytes) -> None:
    while connection.recv(2**16):
        continue


def drip_the_body(connection: Any, request: bytes) -> None:
    connection.sendall(HEAD)
    while True:
        connection.sendall(b" ")
        time.sleep(0.2)


def drip_the_head(connection: Any, request: bytes) -> None:
    for byte in HEAD:
        connection.sendall(bytes([byte]))
        time.sleep(0.2)


def answer_late(connection: Any, request: bytes) -> None:
    time.sleep(3)
    connection.sendall(answer("200 OK", b"{}"))


def fail(connection: Any, request: bytes) -> None:
    connection.sendall(answer("500 Internal Server Error", b"no"))


def ask_for_patience(connection: Any, request: bytes) -> None:
    connection.sendall(answer("429 Too Many Requests", b"", "Retry-After: 3600"))


def redirect(connection: Any, request: bytes) -> None:
    path = request.split()[1].decode()
    connection.sendall(answer("307 Temporary Redirect", b"", f"Location: {path}"))


def answer_garbage(connection: Any, request: bytes) -> None:
    connection.sendall(b"\x00\xff" * 500)


def answer_no_json(connection: Any, request: bytes) -> None:
    connection.sendall(answer("200 OK", b"<html>Log in first</html>"))


def answer_nothing_known(connection: Any, request: bytes) -> None:
    connection.sendall(answer("200 OK", b"{}", "Content-Type: application/json"))


def answer_another_kind(connection: Any, request: bytes) -> None:
    connection.sendall(answer("200 OK", b"[1, 2]", "Content-Type: application/json"))


def answer_without_end(connection: Any, request: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        connection.sendall(b"[" * 2**16)
        time.sleep(0.01)


def close_at_once(connection: Any, request: bytes) -> None:
    return


def close_half_way(connection: Any, request: bytes) -> None:
    connection.sendall(HEAD + b"{")


WAYS: dict[str, Way] = {way.__name__: way for way in (
    hang, drip_the_body, drip_the_head, answer_late, fail, ask_for_patience, redirect,
    answer_garbage, answer_no_json, answer_nothing_known, answer_another_kind, answer_without_end,
    close_at_once, close_half_way,
)}  # fmt: skip
NOBODY = {
    "refused": lambda: f"http://127.0.0.1:{free_port()}",
    "no such host": lambda: "http://mlflow.invalid",
    "no such port": lambda: "http://127.0.0.1:99999",
    "no route": lambda: "http://192.0.2.1",
}
"""Addresses where nobody answers."""


@contextmanager
def listening(way: Way) -> Iterator[str]:
    """A server that treats every request in one way; its address."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                way(self.request, read_request(self.request))

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 50

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()

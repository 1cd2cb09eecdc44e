"""The server of the page: a few addresses, all of them behind the guard."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Collection
from importlib.resources import files
from urllib.parse import parse_qs

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp

from bench.labelling.guard import Guard
from bench.labelling.page import Page, named
from bench.labelling.session import Labelling
from bench.labelling.showing import Shown
from bench.listening import EVERYWHERE, interrupted_by_sigterm
from bench.tracks.poisoning.human import UNSURE

LARGEST_FORM = 4096  # bytes; ours are below a hundred
STATIC = {"style.css": "text/css", "label.js": "text/javascript", "icon.svg": "image/svg+xml"}


class Desk:
    """What the addresses of the page do.

    All of it is coroutines that never wait between reading and writing `labelling`: one answer at
    a time.

    Args:
        labelling: what was said, and what is asked.
        show: row of the training set -> the sample as a person sees it.
        afterwards: the command that makes use of the answers.
    """

    def __init__(self, labelling: Labelling, show: Callable[[int], Shown], afterwards: str) -> None:
        self.labelling, self.show = labelling, show
        self.html = Page(labelling, afterwards).html

    async def page(self) -> Response:
        """The page as it stands."""
        return HTMLResponse(self.html(self._current()))

    async def picture(self, step: int) -> Response:
        """The picture of the sample that is shown after so many answers."""
        return Response(self._media(step).picture, media_type="image/png")

    async def sound(self, step: int) -> Response:
        """Its sound."""
        return Response(self._media(step).sound, media_type="audio/wav")

    async def answer(self, request: Request) -> Response:
        """Note an answer; one to a sample that is no longer shown changes nothing."""
        form = await _form(request)
        said = _said(form, self.labelling.queue.classes)
        if said is None:
            return self._fault(f'There is no class "{form.get("name", "")}".', 422)
        return self._changed(lambda: self.labelling.answer(_step(form), said))

    async def undo(self, request: Request) -> Response:
        """Take the last answer back."""
        form = await _form(request)
        return self._changed(lambda: self.labelling.undo(_step(form)))

    def _changed(self, change: Callable[[], bool]) -> Response:
        try:
            change()
        except OSError as error:
            path = self.labelling.path
            return self._fault(f"Not kept: {path} cannot be written ({error.strerror}).", 500)
        return RedirectResponse("/", status_code=303)

    def _fault(self, message: str, status: int) -> Response:
        return HTMLResponse(self.html(self._current(), message), status)

    def _current(self) -> Shown | None:
        asked = self.labelling.asked
        return self.show(asked.row) if asked else None

    def _media(self, step: int) -> Shown:
        found = self._current()
        if found is None or step != self.labelling.step:
            raise HTTPException(404)  # of an answered sample: the page has moved on
        return found


def application(desk: Desk, token: str, addresses: Collection[str]) -> ASGIApp:
    """The page's application, behind its guard.

    Args:
        desk: what it does.
        token: what a browser must bring.
        addresses: what it may call this server, `127.0.0.1:5001`.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.add_api_route("/", desk.page)
    app.add_api_route("/picture.png", desk.picture)
    app.add_api_route("/sound.wav", desk.sound)
    app.add_api_route("/answer", desk.answer, methods=["POST"])
    app.add_api_route("/undo", desk.undo, methods=["POST"])
    for name, media_type in STATIC.items():
        app.add_api_route(f"/{name}", _static(name, media_type))
    return Guard(app, token, addresses)


def _static(name: str, media_type: str) -> Callable[[], Awaitable[Response]]:
    """One of our own few files, read once: no request ever names a path."""
    content = (files("bench.labelling") / "static" / name).read_bytes()

    async def static() -> Response:
        return Response(content, media_type=media_type)

    return static


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form, the last value of each."""
    if request.headers.get("content-type", "").partition(";")[0] != (
        "application/x-www-form-urlencoded"
    ):
        raise HTTPException(415)
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM:
            raise HTTPException(413)
    fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=10)
    return {name: values[-1] for name, values in fields.items()}


def _step(form: dict[str, str]) -> int:
    step = form.get("step", "")
    return int(step) if step.isdecimal() and len(step) < 10 else -1


def _said(form: dict[str, str], classes: tuple[str, ...]) -> str | None:
    """A button's class by its number, or one that was typed; None for neither."""
    tag = form.get("tag")
    if tag is None:
        return named(form.get("name", ""), classes)
    if tag == UNSURE:
        return UNSURE
    by_number = {str(number): name for number, name in enumerate(classes)}
    return by_number.get(tag)


def addresses(host: str, port: int) -> list[str]:
    """What a browser may call a server that listens there, the one to print first."""
    own = EVERYWHERE.get(host, host)
    names = [f"[{own}]" if ":" in own else own]
    if host in EVERYWHERE or own in ("127.0.0.1", "::1", "localhost"):
        names += [name for name in ("localhost", "127.0.0.1") if name not in names]
    return [f"{name}:{port}" for name in names]


def server(app: ASGIApp) -> uvicorn.Server:
    """A server that runs until its `should_exit` is set, or until Ctrl-C."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,  # it would hold the token
        server_header=False,
        proxy_headers=False,  # nobody may say that a request came from elsewhere
        ws="none",
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


def serve(app: ASGIApp, listening: socket.socket) -> None:
    """Serve until Ctrl-C."""
    try:
        with interrupted_by_sigterm():
            server(app).run(sockets=[listening])
    except KeyboardInterrupt:
        return

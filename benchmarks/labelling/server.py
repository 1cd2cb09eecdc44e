"""The page and its web server: a few addresses, all of them behind the guard."""

from __future__ import annotations

import socket
import string
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from importlib.resources import files
from urllib.parse import parse_qs

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.types import ASGIApp

from bench.labelling.guard import Guard
from bench.labelling.session import Labelling
from bench.labelling.showing import SampleView
from bench.listening import EVERYWHERE, interrupted_by_sigterm
from bench.tracks.poisoning.human import UNSURE

LARGEST_FORM = 4096  # bytes; the page's own forms have less than a hundred
MOST_FIELDS = 10  # they have two
STATIC = {"style.css": "text/css", "label.js": "text/javascript", "icon.svg": "image/svg+xml"}


RESERVED = "up"  # keys of "unsure" and "play"
KEYS = "1234567890" + "".join(key for key in string.ascii_lowercase if key not in RESERVED)


@dataclass(frozen=True)
class Choice:
    """A button: its label, the value that it sends, and its key, or "" if no key is left."""

    name: str
    value: str
    key: str


def choices(classes: Sequence[str]) -> tuple[Choice, ...]:
    """A button for each class. Classes named by one letter or digit have it as their key."""
    keys = [name.lower() for name in classes]
    if not (set(keys) <= set(KEYS) and len(set(keys)) == len(keys)):
        keys = [*KEYS[: len(classes)], *[""] * (len(classes) - len(KEYS))]
    return tuple(
        Choice(name, str(value), key)
        for value, (name, key) in enumerate(zip(classes, keys, strict=True))
    )


def typed_class(text: str, classes: Sequence[str]) -> str | None:
    """The class that was typed, in any case, or "unsure"; None if there is no such class."""
    known = {name.casefold(): name for name in (UNSURE, *classes)}
    return text if text in classes else known.get(text.strip().casefold())


class Endpoints:
    """The responses of the page's addresses.

    All methods are coroutines that never wait between reading and writing `labelling`, so answers
    are processed one at a time.

    Args:
        labelling: the answers so far, and the sample to inspect next.
        show: row of the training set -> the sample as a person sees it.
        afterwards: the command that uses the answers.
    """

    def __init__(
        self, labelling: Labelling, show: Callable[[int], SampleView], afterwards: str
    ) -> None:
        self.labelling, self.show, self.afterwards = labelling, show, afterwards
        self.choices = choices(labelling.queue.classes)
        environment = Environment(
            loader=PackageLoader("bench.labelling"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.template = environment.get_template("page.html.j2")

    async def page(self) -> Response:
        """The page with the next sample."""
        return self._page()

    async def picture(self, step: int) -> Response:
        """The picture of the sample that is shown after `step` answers."""
        return Response(self._media(step).picture, media_type="image/png")

    async def sound(self, step: int) -> Response:
        """The sound of the sample that is shown after `step` answers."""
        return Response(self._media(step).sound, media_type="audio/wav")

    async def answer(self, request: Request) -> Response:
        """Record an answer; one about a sample that is no longer shown changes nothing."""
        form = await _form(request)
        answer = _answer(form, self.labelling.queue.classes)
        if answer is None:
            return self._page(f'There is no class "{form.get("name", "")}".', 422)
        return self._changed(lambda: self.labelling.answer(_step(form), answer))

    async def undo(self, request: Request) -> Response:
        """Take back the last answer."""
        form = await _form(request)
        return self._changed(lambda: self.labelling.undo(_step(form)))

    def _changed(self, change: Callable[[], bool]) -> Response:
        try:
            change()
        except OSError as error:
            path = self.labelling.path
            return self._page(f"Not saved: {path} cannot be written ({error.strerror}).", 500)
        return RedirectResponse("/", status_code=303)

    def _page(self, fault: str = "", status: int = 200) -> Response:
        """The page with the next sample, and why the last answer was not accepted."""
        labelling = self.labelling
        html = self.template.render(
            queue=labelling.queue,
            sample=labelling.next_sample,
            inspections=labelling.inspections,
            step=labelling.step,
            last=next(reversed(labelling.tags.values()), ""),
            view=self._current(),
            fault=fault,
            choices=self.choices,
            typed=not self.choices[-1].key,
            unsure=UNSURE,
            file=str(labelling.path),
            afterwards=self.afterwards,
        )
        return HTMLResponse(html, status)

    def _current(self) -> SampleView | None:
        sample = self.labelling.next_sample
        return self.show(sample.row) if sample else None

    def _media(self, step: int) -> SampleView:
        view = self._current()
        if view is None or step != self.labelling.step:
            raise HTTPException(404)  # the sample has been answered
        return view


def application(endpoints: Endpoints, token: str, addresses: Collection[str]) -> ASGIApp:
    """The web application behind its guard.

    Args:
        endpoints: the responses of its addresses.
        token: the token that a browser must send.
        addresses: the names that a browser may use for this server, like `127.0.0.1:5001`.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.add_api_route("/", endpoints.page)
    app.add_api_route("/picture.png", endpoints.picture)
    app.add_api_route("/sound.wav", endpoints.sound)
    app.add_api_route("/answer", endpoints.answer, methods=["POST"])
    app.add_api_route("/undo", endpoints.undo, methods=["POST"])
    for name, media_type in STATIC.items():
        app.add_api_route(f"/{name}", _static(name, media_type))
    return Guard(app, token, addresses)


def _static(name: str, media_type: str) -> Callable[[], Awaitable[Response]]:
    """The response with a file of this package; it is read once, so no request names a path."""
    content = (files("bench.labelling") / "static" / name).read_bytes()

    async def static() -> Response:
        return Response(content, media_type=media_type)

    return static


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form, with the last value of each."""
    if request.headers.get("content-type", "").partition(";")[0] != (
        "application/x-www-form-urlencoded"
    ):
        raise HTTPException(415)
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM:
            raise HTTPException(413)
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=MOST_FIELDS)
    except ValueError as error:  # more fields than that
        raise HTTPException(400) from error
    return {name: values[-1] for name, values in fields.items()}


def _step(form: dict[str, str]) -> int:
    step = form.get("step", "")
    return int(step) if step.isdecimal() and len(step) < 10 else -1


def _answer(form: dict[str, str], classes: tuple[str, ...]) -> str | None:
    """The class of the button that was pressed, or the one that was typed; None if unknown."""
    tag = form.get("tag")
    if tag is None:
        return typed_class(form.get("name", ""), classes)
    if tag == UNSURE:
        return UNSURE
    by_number = {str(number): name for number, name in enumerate(classes)}
    return by_number.get(tag)


def addresses(host: str, port: int) -> list[str]:
    """The names that a browser may use for a server on this address; the first is printed."""
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
        access_log=False,  # it would contain the token
        server_header=False,
        proxy_headers=False,  # they could claim that a request came from another address
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

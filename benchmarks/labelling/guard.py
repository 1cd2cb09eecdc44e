"""Who may talk to the page: the browser that was given the token, from the page itself."""

from __future__ import annotations

from collections.abc import Collection
from secrets import compare_digest

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Not no-referrer: browsers would then send "Origin: null" with our own forms.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
READING = ("GET", "HEAD")


class Guard:
    """Stands before the application: nothing gets past it without the token.

    Another page open in the same browser can send requests here, under our name (DNS rebinding) or
    from its own origin; other users of this machine can as well. The first are told by the headers
    Host and Origin, all of them lack the token. It comes once in the address that the terminal
    shows, and is then kept in a cookie that no script can read and no other site can send.
    """

    def __init__(self, app: ASGIApp, token: str, addresses: Collection[str]) -> None:
        self.app, self.token, self.addresses = app, token, frozenset(addresses)
        port = next(iter(self.addresses)).rpartition(":")[2]
        self.cookie = f"bench_label_{port}"  # browsers keep one jar for all ports of a host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer for the application, or let it answer."""
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        answer = self._judged(Request(scope)) or self.app
        await answer(scope, receive, send_guarded)

    def _judged(self, request: Request) -> Response | None:
        """A refusal, or the way in for one who brings the token, or None: let through."""
        if reason := self._foreign(request):
            return _refused(reason)
        token = request.query_params.get("token")
        brought = token is not None and request.method in READING
        if not self._right(token if brought else request.cookies.get(self.cookie)):
            return _refused("Wrong token. Open the address that bench label printed.")
        if not brought:
            return None
        welcome = RedirectResponse("/", status_code=303)  # the token leaves the address bar
        welcome.set_cookie(self.cookie, self.token, httponly=True, samesite="strict")
        return welcome

    def _foreign(self, request: Request) -> str:
        """Why this does not come from our page, or nothing."""
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        if host not in self.addresses:
            return "This server has another name."
        if origin is None and request.method not in READING:
            return "A change needs an Origin."
        if origin not in (None, f"http://{host}"):
            return "Requests from other pages are refused."
        return ""

    def _right(self, token: str | None) -> bool:
        return token is not None and compare_digest(token.encode(), self.token.encode())


def _refused(reason: str) -> Response:
    return PlainTextResponse(reason + "\n", status_code=403)

"""Access control of the page: only a browser with the token, and only from the page itself."""

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
    # With no-referrer, browsers would send "Origin: null" with the page's own forms.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
READING = ("GET", "HEAD")


class Guard:
    """Middleware that refuses requests without the token or from another page.

    Another page in the same browser can send requests here, under this server's name (DNS
    rebinding) or from its own origin, and so can other users of this machine. The headers Host and
    Origin give other pages away, and all of them lack the token. The token comes once, in the
    address that the terminal shows, and is then kept in a cookie that no script can read and no
    other site can send.
    """

    def __init__(self, app: ASGIApp, token: str, addresses: Collection[str]) -> None:
        self.app, self.token, self.addresses = app, token, frozenset(addresses)
        port = next(iter(self.addresses)).rpartition(":")[2]
        self.cookie = f"bench_label_{port}"  # browsers share cookies between the ports of a host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse or redirect a request, or pass it to the application."""
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        response = self._check(Request(scope)) or self.app
        await response(scope, receive, send_guarded)

    def _check(self, request: Request) -> Response | None:
        """A refusal, a redirect that sets the cookie, or None to pass the request on."""
        reason, token = self._foreign(request), request.query_params.get("token")
        in_address = token is not None and request.method in READING
        sent = token if in_address else request.cookies.get(self.cookie)
        if not reason and (sent is None or not compare_digest(sent.encode(), self.token.encode())):
            reason = "Wrong token. Open the address that bench label printed."
        if reason:
            return PlainTextResponse(f"{reason}\n", status_code=403)
        if not in_address:
            return None
        redirect = RedirectResponse("/", status_code=303)  # removes the token from the address bar
        redirect.set_cookie(self.cookie, self.token, httponly=True, samesite="strict")
        return redirect

    def _foreign(self, request: Request) -> str:
        """Why a request cannot come from the page itself; empty if it can."""
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        if host not in self.addresses:
            return "This server has another name."
        if origin is None and request.method not in READING:
            return "A change needs the header Origin."
        if origin not in (None, f"http://{host}"):
            return "Requests from other pages are refused."
        return ""

"""The console as an ASGI application: a page, and what it shows as JSON.

Its address is a secret of the operator's: whoever has the key may see everything here, and change nothing. The key
stands behind the `#` of the address, which browsers send to nobody; the page keeps it for its tab, and sends it as a
bearer token. A cookie would be sent to all other ports of this host too.
"""

from __future__ import annotations

import hmac
import json
import re
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, Protocol

from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sekisho.console.shown import event_shown, summary_shown
from sekisho.model import SekishoError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from sekisho.console.logs import Reading
    from sekisho.console.tally import Tally

SPANS: Final[Mapping[str, tuple[int, int]]] = {"1h": (3_600, 60), "6h": (21_600, 300), "24h": (86_400, 900)}
"""The spans of the page in seconds, each with that of a column."""

LOOK_BYTES_MAX: Final = 4_096
EVENTS_SHOWN: Final = 40
EVENTS_FOUND: Final = 100

_HOST: Final = re.compile(rb"(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]{1,5})?")
_POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    b"form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
_FILES: Final = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/console.js": ("console.js", "text/javascript; charset=utf-8"),
    "/console.css": ("console.css", "text/css; charset=utf-8"),
}


class Unknown(SekishoError):  # noqa: N818 - an answer, not a mistake of the program
    """What was looked for cannot be looked up. The message says why, and repeats nothing of it."""


class Service(Protocol):
    """The running service, as an operator's commands see it."""

    @property
    def standing(self) -> dict[str, Any]:
        """In force, for JSON; `problem` says why it cannot be read, and is empty if it can; `note` says more."""
        ...

    async def look(self, kind: str, value: str) -> tuple[dict[str, Any], str, str]:
        """Look up an account or an address.

        Returns what `sekisho look --json` prints of it, and the digests by which events name the account and the
        address, each of which may be empty. Raises `Unknown`.
        """
        ...


class Console:
    """The application.

    Args:
        tally: the events that were read; its owner adds to it.
        service: what is asked about the service.
        key: that the page's address holds; ASCII.
        clock_s: Unix time.
        reading: of the log, into the tally.
        name: of the service.
    """

    def __init__(
        self,
        tally: Tally,
        service: Service,
        key: str,
        *,
        clock_s: Callable[[], float],
        reading: Reading,
        name: str,
    ) -> None:
        self._tally = tally
        self._service = service
        self._key = key.encode()
        self._clock_s = clock_s
        self._reading = reading
        self._name = name
        routes = [Route(path, _file(*file)) for path, file in _FILES.items()]
        routes.append(Route("/state", self._state))
        routes.append(Route("/look", self._look, methods=["POST"]))
        self._app = Starlette(routes=routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        await _answer(self._app, scope, receive, _with_headers(send))

    async def _state(self, request: Request) -> Response:
        if not self._has_key(request):
            return _keyless()
        span_s, step_s = SPANS.get(request.query_params.get("span", ""), SPANS["1h"])
        door = request.query_params.get("door", "")
        summary = self._tally.summary(self._clock_s(), span_s, step_s, door)
        notable = list(self._tally.notable)[: -EVENTS_SHOWN - 1 : -1]
        return JSONResponse(
            {
                "name": self._name,
                "now": int(self._clock_s()),
                "log": self._log_shown(),
                "standing": self._service.standing,
                **summary_shown(summary),
                "events": [event_shown(event) for event in notable],
            }
        )

    def _log_shown(self) -> dict[str, Any]:
        return {
            "newest": self._tally.newest_us // 1_000_000,
            "done": round(self._reading.log.done, 3),
            "unread": self._reading.log.unread,
            "problem": self._reading.problem,
        }

    async def _look(self, request: Request) -> Response:
        if not self._has_key(request):
            return _keyless()
        kind, value = await _asked(request)
        if kind not in {"account", "address"} or not value:
            return _problem("type an account or an address", 422)
        try:
            found, account, address = await self._service.look(kind, value)
        except Unknown as unknown:
            return _problem(str(unknown), 422)
        events = self._tally.about(account, address, EVENTS_FOUND)
        return JSONResponse({**found, "events": [event_shown(event) for event in events]})

    def _has_key(self, request: Request) -> bool:
        given = request.headers.get("authorization", "").encode("latin-1")
        return hmac.compare_digest(given, b"Bearer " + self._key)


async def _answer(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    # An attacker's page whose name resolves to this address later (DNS rebinding) would read it as its own.
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if len(hosts) == 1 and _HOST.fullmatch(hosts[0]):
        await app(scope, receive, send)
    else:
        await PlainTextResponse("Open the address that the command has printed.\n", 421)(scope, receive, send)


def _with_headers(send: Send) -> Send:
    async def sends(message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *_HEADERS]}
        await send(message)

    return sends


def _problem(text: str, status: int) -> Response:
    return JSONResponse({"problem": text}, status)


def _keyless() -> Response:
    return _problem("this needs the key of the address that the command has printed", 401)


def _file(name: str, content_type: str) -> Callable[[Request], Awaitable[Response]]:
    body = resources.files(__package__).joinpath(name).read_bytes()

    async def answer(_: Request) -> Response:
        return Response(body, headers={"content-type": content_type})

    return answer


async def _asked(request: Request) -> tuple[str, str]:
    """The kind and the value that a request looks for; empty ones where it cannot be read."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LOOK_BYTES_MAX:
            return "", ""
    try:
        asked = json.loads(body)
        kind, value = asked["kind"], asked["value"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return "", ""
    return (kind, value.strip()) if isinstance(kind, str) and isinstance(value, str) else ("", "")

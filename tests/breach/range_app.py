"""The range API as an application for an HTTP/2 server: ETags, checksums, compression, and planned faults.

`hibp_server` serves the client of single ranges on a bare socket; this serves the client that fetches all of them.
"""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
from base64 import b64encode
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from hashlib import md5
from typing import TYPE_CHECKING, Any, NamedTuple

from hypercorn.asyncio import serve
from hypercorn.config import Config

from tests.talking import CERTIFICATE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sekisho.asgi.types import Message, Receive, Scope, Send
    from tests.breach.ranges import Ranges

Headers = dict[str, str]


class Asked(NamedTuple):
    """A request as it arrived."""

    prefix: str
    headers: Headers
    http_version: str
    port: int  # the client's port, which tells connections apart
    at: float  # by the test's clock


class Reply(NamedTuple):
    """The reply to send. `cut` bytes are announced and withheld."""

    status: int
    headers: Headers
    body: bytes
    cut: int = 0


Fault = Callable[[Reply], Awaitable[Reply]]


class RangeApp:
    """Answers `/range/{prefix}` from `ranges`.

    Attributes:
        ranges: may be exchanged while it serves, as when the service publishes anew.
        faults: what befalls the next answers for a prefix, in order; `"*"` for whichever come next.
        lasting: what befalls every answer for a prefix, as far as no fault is left; `"*"` for all.
        asked: what came, in order.
    """

    def __init__(
        self,
        ranges: Ranges,
        *,
        padding: int = 0,
        compressed: bool = True,
        validator: str = "etag",
        checksum: str = "base64",
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """`validator` is `etag`, `last-modified` or empty; `checksum` is `base64`, `hex` or empty."""
        self.ranges = ranges
        self.faults: dict[str, list[Fault]] = {}
        self.lasting: dict[str, Fault] = {}
        self.asked: list[Asked] = []
        self._padding = padding
        self._compressed = compressed
        self._validator = validator
        self._checksum = checksum
        self._clock = clock

    @property
    def prefixes(self) -> list[str]:
        """The prefixes asked for, in order."""
        return [asked.prefix for asked in self.asked]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        prefix = scope["path"].rpartition("/")[2]
        self.asked.append(Asked(prefix, headers, scope["http_version"], scope["client"][1], self._clock()))
        reply = self._reply(prefix, headers)
        if fault := self._fault(prefix):
            reply = await fault(reply)
        await _send(reply, send)

    def _fault(self, prefix: str) -> Fault | None:
        for name in (prefix, "*"):
            if planned := self.faults.get(name):
                return planned.pop(0)
        return self.lasting.get(prefix) or self.lasting.get("*")

    def _reply(self, prefix: str, asked: Headers) -> Reply:
        body = self.ranges.body(prefix, padding=self._padding)
        digest = md5(body, usedforsecurity=False)
        headers = {"content-type": "text/plain", "set-cookie": "__bm=follow-me; Path=/"}
        if self._validator == "etag":
            headers["etag"] = f'"0x{digest.hexdigest()[:15].upper()}"'
        elif self._validator:
            headers["last-modified"] = f"Sun, 22 Nov 2020 20:{digest.digest()[0] % 60:02}:00 GMT"
        if self._validator and headers[self._validator] in {asked.get("if-none-match"), asked.get("if-modified-since")}:
            return Reply(304, headers, b"")
        if self._checksum:
            headers["content-md5"] = (
                digest.hexdigest() if self._checksum == "hex" else b64encode(digest.digest()).decode()
            )
        if self._compressed and "gzip" in asked.get("accept-encoding", ""):
            return Reply(200, headers | {"content-encoding": "gzip"}, gzip.compress(body, mtime=0))
        return Reply(200, headers, body)


def _plain(app: RangeApp) -> Any:
    """Convert the server's own message types."""
    return app


async def _send(reply: Reply, send: Send) -> None:
    headers = {"content-length": str(len(reply.body))} | reply.headers
    start: Message = {
        "type": "http.response.start",
        "status": reply.status,
        "headers": [(name.encode(), value.encode()) for name, value in headers.items() if value],
    }
    await send(start)
    await send({"type": "http.response.body", "body": reply.body[: len(reply.body) - reply.cut]})


@asynccontextmanager
async def range_service(app: RangeApp, *, secure: bool = False) -> AsyncIterator[str]:
    """The URL of a real server: HTTP/2 by ALPN if `secure`, else HTTP/1.1."""
    end = asyncio.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.errorlog = config.accesslog = None
    config.graceful_timeout = 0.1
    if secure:
        config.certfile = config.keyfile = str(CERTIFICATE)
    server = asyncio.ensure_future(serve(_plain(app), config, shutdown_trigger=end.wait))
    try:
        yield f"http{'s' * secure}://127.0.0.1:{listener.getsockname()[1]}/range/"
    finally:
        end.set()
        # From Python 3.12 on a server waits for its last connection; a held reply would hold it for ever.
        while _holding:
            _holding.pop().set()
        await server
        listener.detach()


def trusting() -> ssl.SSLContext:
    """A TLS context that trusts that server."""
    return ssl.create_default_context(cafile=CERTIFICATE)


# Faults.


def status(code: int, **headers: str) -> Fault:
    """Another status, without the body. `retry_after="3"` for headers."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}

    async def fault(reply: Reply) -> Reply:
        return Reply(code, told, b"")

    return fault


def instead(body: bytes, **headers: str) -> Fault:
    """200 with another body, described as right unless `headers` differ."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}

    async def fault(reply: Reply) -> Reply:
        return Reply(200, {"content-md5": b64encode(md5(body).digest()).decode()} | told, body)

    return fault


def rewritten(change: Callable[[bytes], bytes], *, told: bool = True) -> Fault:
    """The range's text changed and uncompressed; with a fitting checksum if `told`, else with none."""

    async def fault(reply: Reply) -> Reply:
        body = change(gzip.decompress(reply.body))
        return Reply(200, {"content-md5": b64encode(md5(body).digest()).decode()} if told else {}, body)

    return fault


async def cut_short(reply: Reply) -> Reply:
    return reply._replace(cut=len(reply.body) // 2)


async def cut_gzip(reply: Reply) -> Reply:
    """Gzip cut so that its own trailer alone shows it."""
    headers = {name: value for name, value in reply.headers.items() if name != "content-md5"}
    return Reply(200, headers, reply.body[: len(reply.body) // 2])


async def wrong_checksum(reply: Reply) -> Reply:
    return reply._replace(headers=reply.headers | {"content-md5": b64encode(bytes(16)).decode()})


async def dead(reply: Reply) -> Reply:
    """An application that raises; the server makes it an error or a closed connection."""
    raise ConnectionResetError


_holding: list[asyncio.Event] = []


def held(event: asyncio.Event, arrived: Callable[[], object] = lambda: None) -> Fault:
    """No answer before `event`."""

    async def fault(reply: Reply) -> Reply:
        _holding.append(event)
        arrived()
        await event.wait()
        return reply

    return fault

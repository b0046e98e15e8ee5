"""Sends one request over TLS, and reads one small answer in full and in time, or fails.

anyio's streams carry it on any event loop (uvloop's connections take no `happy_eyeballs_delay`), and `http.client`
parses the answer in memory. A full HTTP client would be the largest dependency of a guard that rarely needs one.
Streams can be cancelled, and have one deadline for name resolution, connection, handshake and answer together; `urllib`
in a thread has neither. Not supported: redirects (the operator decides which server receives a secret), proxies, and
kept connections.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from http.client import HTTPException, HTTPResponse, IncompleteRead
from io import BytesIO
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from anyio import BrokenResourceError, EndOfStream, aclose_forcefully, connect_tcp

from sekisho.model import SekishoError
from sekisho.settings.urls import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from anyio.abc import ByteReceiveStream, ByteStream

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})

_VERBS = {"GET": "read", "HEAD": "ask", "POST": "post to"}
_NEXT_ADDRESS_S = 0.25  # RFC 8305: a host whose IPv6 address does not answer must not use up the whole limit


# `ValueError`: an invalid host name or length. The last two: the server hung up during the handshake.
_NO_ANSWER = (OSError, HTTPException, ValueError, BrokenResourceError, EndOfStream)


class PostFault(SekishoError):  # noqa: N818 - a result; the caller turns it into "could not tell"
    """There is no answer that can be trusted.

    Attributes:
        reason: a text for operators; contains nothing of the request, and of the answer no more than its status.
        status: the answer's, if it is the reason; otherwise 0.
    """

    def __init__(self, reason: str, status: int = 0) -> None:
        self.reason = reason
        self.status = status
        super().__init__(reason)


class _Exchange:
    """Requests to one URL, each on a connection of its own. `query`: whether the URL may have one."""

    def __init__(self, method: str, url: str, *, answer_bytes_max: int, query: bool) -> None:
        if not _fit(url) or ("?" in url and not query):
            raise ValueError(f"a URL to {_VERBS[method]} must be https://host[:port][/path]")
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._answer_bytes_max = answer_bytes_max
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._head = (
            f"{method} {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: sekisho\r\n"
            "Accept: application/json\r\nAccept-Encoding: identity\r\nConnection: close\r\n"
        )

    async def run(
        self, headers: Mapping[str, str], body: bytes, read: Callable[[bytes], bytes | None], limit_s: float
    ) -> bytes:
        """Send a request, and return what `read` finds in the answer. Raises `PostFault`."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        data = f"{self._head}{lines}\r\n".encode() + body
        try:
            async with asyncio.timeout(limit_s):
                return await self._exchanged(data, read)
        except _NO_ANSWER as error:
            raise PostFault(_words(error)) from None

    async def _exchanged(self, data: bytes, read: Callable[[bytes], bytes | None]) -> bytes:
        stream = await self._connected()
        try:
            await stream.send(data)
            return await self._answer(stream, read)
        except EndOfStream:
            raise PostFault("cut short") from None
        finally:
            await aclose_forcefully(stream)  # the exchange is over; an orderly close could take for ever

    async def _connected(self) -> ByteStream:
        if self._tls is None:
            return await connect_tcp(self._host, self._port, happy_eyeballs_delay=_NEXT_ADDRESS_S)
        return await connect_tcp(
            self._host,
            self._port,
            ssl_context=self._tls,
            tls_standard_compatible=False,  # the answer's length shows whether it is complete, not the end of TLS
            happy_eyeballs_delay=_NEXT_ADDRESS_S,
        )

    async def _answer(self, stream: ByteReceiveStream, read: Callable[[bytes], bytes | None]) -> bytes:
        received = b""
        while True:
            received += await stream.receive(self._answer_bytes_max + 1 - len(received))
            if len(received) > self._answer_bytes_max:
                raise PostFault("too long")
            if (found := read(received)) is not None:
                return found


class HttpsGet:
    """Reads one URL.

    Args:
        url: https, perhaps with a query; http is allowed only for loopback addresses.
        answer_bytes_max: limit of the answer in bytes, headers included; a longer one is a fault.

    Raises:
        ValueError: another URL. The text contains no part of it.
    """

    def __init__(self, url: str, *, answer_bytes_max: int) -> None:
        self._exchange = _Exchange("GET", url, answer_bytes_max=answer_bytes_max, query=True)

    async def fetch(self, *, limit_s: float) -> bytes:
        """Return the body of the answer.

        Raises:
            PostFault: no complete answer with status 200 arrived within `limit_s` seconds.
        """
        return await self._exchange.run({}, b"", _whole, limit_s)


class HttpsHead:
    """Asks one URL for the head of an answer, by a method that changes nothing (RFC 9110, section 9.2.1).

    Args:
        url: as of `HttpsPost`, with or without a query.
        answer_bytes_max: limit of the head in bytes; a longer one is a fault.

    Raises:
        ValueError: another URL. The text contains no part of it.
    """

    def __init__(self, url: str, *, answer_bytes_max: int) -> None:
        self._exchange = _Exchange("HEAD", url, answer_bytes_max=answer_bytes_max, query=True)

    async def status(self, *, limit_s: float) -> int:
        """Return the answer's status. Raises `PostFault` if there is no answer within `limit_s` seconds."""
        return int(await self._exchange.run({}, b"", _status, limit_s))


class HttpsPost:
    """Posts to one URL.

    Args:
        url: https; http is allowed only for loopback addresses, because the body contains a secret.
        content_type: the body's media type.
        answer_bytes_max: limit of the answer in bytes, headers included; a longer one is a fault.
        query: whether the URL may have a query.

    Raises:
        ValueError: another URL. The text contains no part of it.
    """

    def __init__(self, url: str, *, content_type: str, answer_bytes_max: int, query: bool = False) -> None:
        self._exchange = _Exchange("POST", url, answer_bytes_max=answer_bytes_max, query=query)
        self._content_type = content_type

    async def ask(self, body: bytes, *, limit_s: float, headers: Mapping[str, str] = NO_HEADERS) -> bytes:
        """Post, and return the body of the answer. `headers`: see `tell`.

        Raises:
            PostFault: no complete answer with status 200 arrived within `limit_s` seconds.
        """
        return await self._posted(body, headers, _whole, limit_s)

    async def tell(self, body: bytes, headers: Mapping[str, str], *, limit_s: float) -> None:
        """Post, and read only the head of the answer.

        Args:
            body: the body to post.
            headers: further headers. Names and values must be our own: a client's could inject a header.
            limit_s: limit for the whole exchange, in seconds.

        Raises:
            PostFault: no answer with a status from 200 to 299 arrived within `limit_s`.
        """
        await self._posted(body, headers, _taken, limit_s)

    async def _posted(
        self, body: bytes, headers: Mapping[str, str], read: Callable[[bytes], bytes | None], limit_s: float
    ) -> bytes:
        own = {"Content-Type": self._content_type, **headers, "Content-Length": str(len(body))}
        return await self._exchange.run(own, body, read, limit_s)


def _fit(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(
            (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or "")))
            and parts.hostname
            and parts.port != 0
            and not (parts.username or parts.password or parts.fragment)
            and re.fullmatch("[!-~]+", url)
        )
    except ValueError:  # an invalid port; the text of the error would quote it
        return False


class _Held:
    """Stands in for the socket that `HTTPResponse` reads."""

    def __init__(self, received: bytes) -> None:
        self._received = received

    def makefile(self, _mode: str) -> BytesIO:
        return BytesIO(self._received)


def _whole(received: bytes) -> bytes | None:
    """Return the body, or None if a part of it is still missing."""
    if (response := _response(received)) is None:
        return None
    if response.status != 200:
        raise PostFault(f"status {response.status}", response.status)
    if response.length is None and not response.chunked:
        # The end of the connection would be the end of the answer: a broken connection would look like a short answer.
        raise PostFault("the end of the answer is not marked")
    # Every piece parses the answer anew. An incomplete one is skipped early, or many small pieces would cost quadratic
    # time.
    if response.chunked and not received.endswith(b"\r\n\r\n"):
        return None
    try:
        return response.read()
    except IncompleteRead:
        return None


def _taken(received: bytes) -> bytes | None:
    """Return an empty body if the head reports success; None if a part of the head is still missing."""
    if (response := _response(received)) is None:
        return None
    if not 200 <= response.status <= 299:
        raise PostFault(f"status {response.status}", response.status)
    return b""


def _status(received: bytes) -> bytes | None:
    """Return the status in decimal digits; None if a part of the head is still missing."""
    response = _response(received)
    return None if response is None else b"%d" % response.status


def _response(received: bytes) -> HTTPResponse | None:
    """Parse the head; None if a part of it is still missing."""
    if b"\r\n\r\n" not in received:
        return None
    held: Any = _Held(received)
    response = HTTPResponse(held)
    response.begin()
    return response


def _words(error: Exception) -> str:
    kinds: dict[type[Exception] | tuple[type[Exception], ...], str] = {
        TimeoutError: "too slow",
        ssl.SSLError: "no TLS that can be trusted",
        (OSError, BrokenResourceError, EndOfStream): "no connection",
        HTTPException: "no HTTP",
    }
    return next((words for kind, words in kinds.items() if isinstance(error, kind)), "no HTTP")

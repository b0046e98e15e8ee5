"""One body, posted over TLS; one small answer, whole and in time, or none.

anyio's streams carry it, on any event loop (uvloop's connections take no `happy_eyeballs_delay`), and `http.client`
reads it, from memory: a client of its own would be the largest dependency of a guard that asks a question now and then.
Streams can be cancelled and have one deadline for name, connection, handshake and answer together; `urllib` in a thread
has none of the three. What it leaves out: redirects (who is told a secret is the operator's choice), proxies, and
connections that are kept.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from http.client import HTTPException, HTTPResponse, IncompleteRead
from io import BytesIO
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from anyio import BrokenResourceError, EndOfStream, aclose_forcefully, connect_tcp

from sekisho.model import SekishoError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from anyio.abc import ByteReceiveStream, ByteStream

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

_NEXT_ADDRESS_S = 0.25  # RFC 8305: a host whose IPv6 leads nowhere must not cost the whole limit


# `ValueError`: a name that is none, a length that is none. The last two: the other end hung up during the handshake.
_NO_ANSWER = (OSError, HTTPException, ValueError, BrokenResourceError, EndOfStream)


class PostFault(SekishoError):  # noqa: N818 - what came of one question; the caller makes *could not tell* of it
    """No answer that can be believed.

    Attributes:
        reason: for people; holds nothing of the question, and of the answer no more than a status.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class HttpsPost:
    """Posts to one address.

    Args:
        url: https; http for this machine's own address alone, as what is posted holds a secret.
        content_type: of what is posted.
        answer_bytes_max: headers included; more is a fault.

    Raises:
        ValueError: another URL. The text holds no part of it.
    """

    def __init__(self, url: str, *, content_type: str, answer_bytes_max: int) -> None:
        if not _fit(url):
            raise ValueError("a URL to post to must be https://host[:port][/path]")
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._answer_bytes_max = answer_bytes_max
        self._head = (
            f"POST {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: sekisho\r\n"
            "Accept: application/json\r\nAccept-Encoding: identity\r\nConnection: close\r\n"
            f"Content-Type: {content_type}\r\n"
        )

    async def ask(self, body: bytes, *, limit_s: float) -> bytes:
        """The body of the answer.

        Raises:
            Fault: no answer with status 200 was here, whole, within `limit_s`.
        """
        return await self._posted(body, {}, _whole, limit_s)

    async def tell(self, body: bytes, headers: Mapping[str, str], *, limit_s: float) -> None:
        """Post, and read no more of the answer than its head.

        Args:
            body: what is told.
            headers: further ones; names and values are ours, and no stranger's.
            limit_s: for all of it.

        Raises:
            Fault: no answer with a status from 200 to 299 was here within `limit_s`.
        """
        await self._posted(body, headers, _taken, limit_s)

    async def _posted(
        self, body: bytes, headers: Mapping[str, str], read: Callable[[bytes], bytes | None], limit_s: float
    ) -> bytes:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        data = f"{self._head}{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body
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
            await aclose_forcefully(stream)  # what is not whole by now never will be; a polite end could take for ever

    async def _connected(self) -> ByteStream:
        if self._tls is None:
            return await connect_tcp(self._host, self._port, happy_eyeballs_delay=_NEXT_ADDRESS_S)
        return await connect_tcp(
            self._host,
            self._port,
            ssl_context=self._tls,
            tls_standard_compatible=False,  # the length that the answer states is what tells a whole one
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


def _fit(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(
            (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or "")))
            and parts.hostname
            and parts.port != 0
            and not (parts.username or parts.password or parts.query or parts.fragment)
            and re.fullmatch("[!-~]+", url)
        )
    except ValueError:  # of a port, and its text would quote it
        return False


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Held:
    """What `HTTPResponse` takes for a socket."""

    def __init__(self, received: bytes) -> None:
        self._received = received

    def makefile(self, _mode: str) -> BytesIO:
        return BytesIO(self._received)


def _whole(received: bytes) -> bytes | None:
    """The body, or None while some of it is missing."""
    if (response := _response(received)) is None:
        return None
    if response.status != 200:
        raise PostFault(f"status {response.status}")
    if response.length is None and not response.chunked:
        # Then the end of the connection is the end of the answer, and a broken one looks like a short one.
        raise PostFault("the end of the answer is not marked")
    # Read anew with every piece: what cannot be whole yet is not, or an answer in small pieces costs their square.
    if response.chunked and not received.endswith(b"\r\n\r\n"):
        return None
    try:
        return response.read()
    except IncompleteRead:
        return None


def _taken(received: bytes) -> bytes | None:
    """Nothing once the head is here, and says that all is well; None while some of it is missing."""
    if (response := _response(received)) is None:
        return None
    if not 200 <= response.status <= 299:
        raise PostFault(f"status {response.status}")
    return b""


def _response(received: bytes) -> HTTPResponse | None:
    """The head, read; None while some of it is missing."""
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

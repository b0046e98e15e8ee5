"""A minimal HTTP/1.1 client: one request at a time over one persistent connection.

A general client would cost more than the server and so measure itself. This one uses httptools and asyncio only.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import urlencode

import httptools

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from sekisho.model.headers import Headers
    from sekisho.simulate.generator import Try

ANSWER_SECONDS_MAX = 15  # the guard sends its own answers within ten seconds
BODY_BYTES_MAX = 64 * 1024
IDLE_SECONDS_MAX = 2  # uvicorn closes an idle connection after five seconds; a request that meets the end is lost


class HttpAnswer(NamedTuple):
    """An HTTP answer. `headers` by lower-case name, in order; `body` has at most 64 KiB."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def header(self, name: bytes) -> bytes:
        """The first header of that name; empty if there is none."""
        return next((value for key, value in self.headers if key == name), b"")

    @property
    def code(self) -> str:
        """The `code` of the guard's refusal; empty if the service itself answered."""
        if not self.header(b"content-type").startswith(b"application/problem+json"):
            return ""
        return str(json.loads(self.body).get("code", "problem"))

    def cookies(self) -> dict[str, str]:
        """The cookies of `Set-Cookie`, without attributes."""
        set_cookies = (value.decode("latin-1") for key, value in self.headers if key == b"set-cookie")
        pairs = (cookie.partition(";")[0].partition("=") for cookie in set_cookies)
        return {name.strip(): value.strip() for name, _, value in pairs}


class Unanswered(Exception):  # noqa: N818 - what became of a request, and counted as such
    """The server disconnected, took longer than fifteen seconds, or sent invalid HTTP."""


def login_request(attempt: Try, *, cookie: str = "", work: str = "") -> bytes:
    """Return the bytes of a form log-in as a proxy forwards it, with the client's address in `X-Forwarded-For`.

    `work`: a solved puzzle.
    """
    fields = {"username": attempt.account, "password": attempt.password}
    return _post("/login", fields, attempt, cookie, [f"Sekisho-Work: {work}"] if work else ())


def proof_request(attempt: Try, asked: HttpAnswer, code: str, *, cookie: str = "") -> bytes:
    """Return the bytes of a request that answers a step-up with `code`. `asked`: the answer that asked for it.

    `cookie`: must include the cookies of that answer.
    """
    question = json.loads(asked.body)
    fields = {"challenge": question["challenge"], "factor": "totp", "code": code}
    return _post(question["step_up"], fields, attempt, cookie)


def _post(path: str, fields: dict[str, str], attempt: Try, cookie: str, more: Sequence[str] = ()) -> bytes:
    body = urlencode(fields)
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: shop.test",
        "Accept: */*",
        f"User-Agent: {attempt.user_agent}",
        f"X-Forwarded-For: {attempt.address}",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
        *more,
    ]
    if cookie:
        lines.append(f"Cookie: {cookie}")
    return "\r\n".join([*lines, "", body]).encode("latin-1")


class Client:
    """One connection to a port of this machine, reopened if the server has closed it or may be about to.

    `idle_s_max`: the seconds after which an idle connection is not used again.
    """

    def __init__(self, port: int, *, idle_s_max: float = IDLE_SECONDS_MAX) -> None:
        self._port = port
        self._idle_s_max = idle_s_max
        self._connection: _Connection | None = None
        self._answered_s = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._drop()

    async def send(self, request: bytes) -> HttpAnswer:
        """Send one request and wait for its answer. Raises `Unanswered`; never sends a request twice."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                answer = await (await self._connected()).send(request)
        except (OSError, TimeoutError, httptools.HttpParserError) as error:
            self._drop()
            raise Unanswered(type(error).__name__) from None
        self._answered_s = asyncio.get_running_loop().time()
        return answer

    async def _connected(self) -> _Connection:
        loop = asyncio.get_running_loop()
        if loop.time() - self._answered_s >= self._idle_s_max:
            self._drop()
        if self._connection is None or self._connection.closed:
            _, self._connection = await loop.create_connection(_Connection, "127.0.0.1", self._port)
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _Connection(asyncio.Protocol):
    """Turn the parser's callbacks into one future per answer."""

    def __init__(self) -> None:
        self.closed = False
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[HttpAnswer] | None = None
        self._begin()

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: Headers = []
        self._body = bytearray()

    async def send(self, request: bytes) -> HttpAnswer:
        if self._transport is None or self.closed:
            raise ConnectionResetError
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        self.closed = True
        if self._transport is not None:
            self._transport.close()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's has the methods without the ancestry

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(error)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc if isinstance(exc, OSError) else ConnectionResetError())

    def _fail(self, error: Exception) -> None:
        self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    # httptools

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        if len(self._body) + len(body) > BODY_BYTES_MAX:
            raise OSError("an answer too long")
        self._body += body

    def on_message_complete(self) -> None:
        answer = HttpAnswer(self._parser.get_status_code(), tuple(self._headers), bytes(self._body))
        if not self._parser.should_keep_alive():
            self.close()
        self._begin()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)

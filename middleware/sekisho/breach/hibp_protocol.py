"""One question to the range API through `pwnedpasswords`, with bounds that the library does not have.

The library has no limit in all, reads whatever it is sent, follows redirects, logs each URL at INFO, sets its logger's
level whenever a `Password` is made, and has the service's address built in. None of this is mended for everybody in
the process: its module is loaded once more, for us alone, and in that copy `urllib`, the logger and the address are
ours. It keeps what it is good at: what is asked, how, and how the rows are read.

It is given the five digits and 35 zeros, never a digest, so that no version of it can send more than it may.

The bounds are put where bytes arrive: every address, the TLS handshake and each read get what is left of one limit, so
that a byte a second ends as soon as silence does; and no more bytes are taken than an answer can have.
"""

from __future__ import annotations

import codecs
import re
import socket
import ssl
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from importlib.util import module_from_spec
from io import BufferedReader, BytesIO, RawIOBase
from logging import Logger
from time import monotonic
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib import error as urllib_error
from urllib.parse import urlsplit
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request

from pwnedpasswords import pwnedpasswords as library  # type: ignore[import-untyped] # it has no types

from sekisho.breach.hibp_range import PREFIX_DIGITS, PackedRange
from sekisho.model import SekishoError

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import Message

URL = "https://api.pwnedpasswords.com"

_REST = "0" * (40 - PREFIX_DIGITS)
_ROW = rb"[0-9A-Fa-f]{35}:[0-9]{1,10}"
_ROWS = re.compile(_ROW + rb"(?:\r?\n" + _ROW + rb")*+(?:\r?\n)?")  # mirrors made of files end their last row, too


class HibpFault(SekishoError):  # noqa: N818 - what came of one question; the caller makes *unknown* of it
    """No answer that can be believed.

    Attributes:
        reason: for people; holds nothing of the question or the answer but a status.
        pause_s: what the service asked for with `Retry-After`, if it did.
    """

    def __init__(self, reason: str, pause_s: float | None = None) -> None:
        self.reason = reason
        self.pause_s = pause_s
        super().__init__(reason)


class HibpProtocol:
    """Asks, in whatever thread calls. Shareable between threads.

    Args:
        url: of the service or of a mirror: `{url}/range/5BAA6` is asked.
        answer_bytes_max: headers included; more is a fault.
        rows_min: an answer with fewer is not believed.

    Raises:
        ValueError: `url` is none of http or https, or holds a user, a query or a fragment. The text holds no part
            of it.
    """

    def __init__(self, url: str, *, answer_bytes_max: int, rows_min: int) -> None:
        if not _fit(url):
            raise ValueError("the range API's URL must be http(s)://host[:port][/path]")
        self._rows_min = rows_min
        self._opener = _opener(answer_bytes_max, secure=url.lower().startswith("https:"))
        self._library = _copy_of_library(url.rstrip("/"), self._open)

    def ask(self, prefix: str, limit_s: float) -> PackedRange:
        """The range of five hex digits.

        Returns within `limit_s`, but for one thing that cannot be bounded in a thread: the system's resolver.

        Raises:
            Fault: whatever else came.
        """
        try:
            found = PackedRange(self._library.Password(prefix + _REST).range(timeout=limit_s))
            if len(found) < max(1, self._rows_min) or found.has_hole():
                raise HibpFault("rows are missing")  # noqa: TRY301 - nothing else may escape from here, or a thread is lost
        except HibpFault:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the library trips over, and its text may quote the answer
            raise HibpFault(_words(error)) from None
        return found

    def _open(self, request: Request, timeout: float) -> BytesIO:
        """Stand in for `urlopen` in our copy of the library: what it gets is a whole range, or it gets nothing."""
        request.add_header("Add-Padding", "true")  # or the length of what comes back would tell the range
        response: HTTPResponse
        with self._opener.open(request, timeout=timeout) as response:
            if response.status != 200:  # a redirect, too: who is asked is the operator's choice
                raise HibpFault(f"status {response.status}", _retry_after_s(response.headers))
            if response.length is None and not response.chunked:
                # Then the end of the connection is the end of the answer, and a broken one looks like a short one.
                raise HibpFault("the end of the answer is not marked")
            body = response.read().removeprefix(codecs.BOM_UTF8)
        if not _ROWS.fullmatch(body):
            raise HibpFault("not a range")
        return BytesIO(b"\r\n".join(body.split()))  # the library trips over an ended last row


def _fit(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(
            parts.scheme in {"http", "https"}
            and parts.hostname
            and parts.port != 0
            and not (parts.username or parts.password or parts.query or parts.fragment)
        )
    except ValueError:  # of a port, and its text would quote it
        return False


def _copy_of_library(url: str, urlopen: Callable[[Request, float], BytesIO]) -> Any:
    own: Any = module_from_spec(library.__spec__)
    library.__spec__.loader.exec_module(own)
    own.urllib = SimpleNamespace(request=SimpleNamespace(Request=Request, urlopen=urlopen), error=urllib_error)
    own.PwnedPasswordsAPI.url = staticmethod(lambda *parts: "/".join((url, *parts)))
    own.logger = Logger(own.__name__)  # noqa: LOG001 - on purpose in no hierarchy: nobody's level can make it speak
    own.logger.disabled = True
    return own


def _retry_after_s(headers: Message) -> float | None:
    """Of its two forms (RFC 9110, 10.2.3) the one in seconds; a date would need a clock that agrees with theirs."""
    value = headers.get("Retry-After", "").strip()
    return float(value) if re.fullmatch("[0-9]{1,9}", value) else None


def _words(error: Exception) -> str:
    cause = getattr(error, "reason", error)  # `URLError` carries one
    kinds = {
        TimeoutError: "too slow",
        ssl.SSLError: "no TLS that can be trusted",
        OSError: "no connection",
        HTTPException: "cut short, or no HTTP",
    }
    return next((words for kind, words in kinds.items() if isinstance(cause, kind)), "not a range")


# What follows bounds `urllib` and `http.client` from outside: a connection that dials and reads within `_Bounds`.


def _opener(answer_bytes_max: int, *, secure: bool) -> OpenerDirector:
    """Proxies as the environment says, and nothing else: no redirects, no files, no cookies, no log-in."""
    opener = OpenerDirector()
    opener.add_handler(ProxyHandler())
    opener.add_handler(_Http(answer_bytes_max))
    if secure:
        opener.add_handler(_Https(answer_bytes_max))
    return opener


class _Bounds:
    """What is left of one question's time and bytes. Made when it is sent."""

    def __init__(self, limit_s: float, bytes_max: int) -> None:
        self._deadline = monotonic() + limit_s
        self._bytes_left = bytes_max
        self.bytes_max = bytes_max

    def left_s(self) -> float:
        if (left := self._deadline - monotonic()) <= 0:
            raise TimeoutError
        return left

    def take(self, size: int) -> None:
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise HibpFault("too long")

    def dial(self, address: tuple[str, int], *_: object) -> socket.socket:
        """Like `socket.create_connection`, which would give each address the whole limit."""
        found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)
        refused = OSError("no address")
        for at, (*_rest, where) in enumerate(found):
            try:
                sock = socket.create_connection((str(where[0]), address[1]), self.left_s() / (len(found) - at))
            except OSError as error:
                refused = error
            else:
                sock.settimeout(self.left_s())  # for what TLS does; reading sets its own
                return sock
        raise refused


class _Connection(HTTPConnection):
    """Both are attributes so that they can be replaced; a Python without them fails the tests of slow services."""

    def __init__(self, host: str, *, timeout: float, bytes_max: int, **rest: Any) -> None:
        super().__init__(host, timeout=timeout, **rest)
        bounds = _Bounds(timeout, bytes_max)
        self._create_connection = bounds.dial
        self.response_class = partial(_Response, bounds)  # type: ignore[assignment] # it is only ever called


class _SecureConnection(_Connection, HTTPSConnection):
    pass


class _Http(HTTPHandler):
    def __init__(self, bytes_max: int) -> None:
        super().__init__(debuglevel=0)  # said outright: the process's own would print URLs
        self._connection = partial(_Connection, bytes_max=bytes_max)

    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(self._connection, req)


class _Https(HTTPSHandler):
    def __init__(self, bytes_max: int) -> None:
        context = ssl.create_default_context()  # once: it takes longer than the question
        context.set_alpn_protocols(["http/1.1"])
        super().__init__(debuglevel=0)
        self._connection = partial(_SecureConnection, bytes_max=bytes_max, context=context)

    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(self._connection, req)


class _Response(HTTPResponse):
    def __init__(self, bounds: _Bounds, sock: socket.socket, *args: Any, **rest: Any) -> None:
        super().__init__(sock, *args, **rest)
        self.fp = _Reader(_Arriving(self.fp.detach(), sock, bounds))


class _Arriving(RawIOBase):
    """Bytes from a socket, as many and for as long as is left."""

    def __init__(self, inner: RawIOBase, sock: socket.socket, bounds: _Bounds) -> None:
        self._inner = inner
        self._sock = sock
        self.bounds = bounds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self.bounds.left_s())
        size = self._inner.readinto(buffer)
        self.bounds.take(size or 0)
        return size

    def close(self) -> None:
        self._inner.close()
        super().close()


class _Reader(BufferedReader):
    """Refuses to make room for what a header or a chunk promises beyond the bound: a terabyte is one line to write."""

    raw: _Arriving

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self.raw.bounds.bytes_max:
            raise HibpFault("too long")
        return super().read(size)

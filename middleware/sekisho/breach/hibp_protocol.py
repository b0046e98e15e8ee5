"""Sends one question to the range API through `pwnedpasswords`, within bounds that the library lacks.

The library has no overall time limit, reads answers of any length, follows redirects, logs each URL at INFO, sets its
logger's level whenever a `Password` is made, and fixes the service's address. We do not patch the module that the rest
of the process uses. We load a second copy, and replace `urllib`, the logger and the address in that copy. The library
still defines the request and parses the rows.

It gets the five digits and 35 zeros, never a digest, so no version of it can send more than the five digits.

The bounds apply where bytes arrive. Every address, the TLS handshake and each read get the rest of one time limit, so a
server that sends a byte a second is cut off as soon as a silent one. No more bytes are read than an answer can have.
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
_ROWS = re.compile(_ROW + rb"(?:\r?\n" + _ROW + rb")*+(?:\r?\n)?")  # mirrors that serve files also end their last row


class HibpFault(SekishoError):  # noqa: N818 - a result; the caller turns it into *unknown*
    """There is no answer that can be trusted.

    Attributes:
        reason: a text for operators; contains no part of the question, and of the answer no more than a status.
        pause_s: the seconds of the service's `Retry-After`, if it sent one.
    """

    def __init__(self, reason: str, pause_s: float | None = None) -> None:
        self.reason = reason
        self.pause_s = pause_s
        super().__init__(reason)


class HibpProtocol:
    """Asks the service in the calling thread. Threads may share it.

    Args:
        url: the service's, or a mirror's: `{url}/range/5BAA6` is requested.
        answer_bytes_max: limit of the answer in bytes, headers included; a longer one is a fault.
        rows_min: an answer with fewer rows is a fault.

    Raises:
        ValueError: `url` is neither http nor https, or has a user, a query or a fragment. The text contains no part of
            it.
    """

    def __init__(self, url: str, *, answer_bytes_max: int, rows_min: int) -> None:
        if not _fit(url):
            raise ValueError("the range API's URL must be http(s)://host[:port][/path]")
        self._rows_min = rows_min
        self._opener = _opener(answer_bytes_max, secure=url.lower().startswith("https:"))
        self._library = _copy_of_library(url.rstrip("/"), self._open)

    def ask(self, prefix: str, limit_s: float) -> PackedRange:
        """Return the leaked passwords whose SHA-1 begins with these five hex digits.

        It returns within `limit_s` seconds, with one exception that no thread can bound: the system's resolver.

        Raises:
            HibpFault: any other result.
        """
        try:
            found = PackedRange(self._library.Password(prefix + _REST).range(timeout=limit_s))
            if len(found) < max(1, self._rows_min) or found.has_hole():
                raise HibpFault("rows are missing")  # noqa: TRY301 - no other error may escape, or a thread is lost
        except HibpFault:
            raise
        except Exception as error:  # noqa: BLE001 - any error of the library; its text may quote the answer
            raise HibpFault(_words(error)) from None
        return found

    def _open(self, request: Request, timeout: float) -> BytesIO:
        """Replace `urlopen` in our copy of the library: return a whole range, or raise `HibpFault`."""
        request.add_header("Add-Padding", "true")  # or the length of the answer would reveal the range
        response: HTTPResponse
        with self._opener.open(request, timeout=timeout) as response:
            if response.status != 200:  # redirects included: the operator decides which server is asked
                raise HibpFault(f"status {response.status}", _retry_after_s(response.headers))
            if response.length is None and not response.chunked:
                # The end of the connection would be the end of the answer: a broken connection would look like a short
                # answer.
                raise HibpFault("the end of the answer is not marked")
            body = response.read().removeprefix(codecs.BOM_UTF8)
        if not _ROWS.fullmatch(body):
            raise HibpFault("not a range")
        return BytesIO(b"\r\n".join(body.split()))  # the library fails on a terminated last row


def _fit(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(
            parts.scheme in {"http", "https"}
            and parts.hostname
            and parts.port != 0
            and not (parts.username or parts.password or parts.query or parts.fragment)
        )
    except ValueError:  # an invalid port; the text of the error would quote it
        return False


def _copy_of_library(url: str, urlopen: Callable[[Request, float], BytesIO]) -> Any:
    own: Any = module_from_spec(library.__spec__)
    library.__spec__.loader.exec_module(own)
    own.urllib = SimpleNamespace(request=SimpleNamespace(Request=Request, urlopen=urlopen), error=urllib_error)
    own.PwnedPasswordsAPI.url = staticmethod(lambda *parts: "/".join((url, *parts)))
    own.logger = Logger(own.__name__)  # noqa: LOG001 - outside the hierarchy on purpose: no configuration can enable it
    own.logger.disabled = True
    return own


def _retry_after_s(headers: Message) -> float | None:
    """Return `Retry-After` in seconds. Its other form (RFC 9110, 10.2.3) is a date, which needs synchronised clocks."""
    value = headers.get("Retry-After", "").strip()
    return float(value) if re.fullmatch("[0-9]{1,9}", value) else None


def _words(error: Exception) -> str:
    cause = getattr(error, "reason", error)  # `URLError` has a cause
    kinds = {
        TimeoutError: "too slow",
        ssl.SSLError: "no TLS that can be trusted",
        OSError: "no connection",
        HTTPException: "cut short, or no HTTP",
    }
    return next((words for kind, words in kinds.items() if isinstance(cause, kind)), "not a range")


# The rest bounds `urllib` and `http.client` from outside: a connection that connects and reads within `_Bounds`.


def _opener(answer_bytes_max: int, *, secure: bool) -> OpenerDirector:
    """Return an opener that uses proxies from the environment, but no redirects, files, cookies or authentication."""
    opener = OpenerDirector()
    opener.add_handler(ProxyHandler())
    opener.add_handler(_Http(answer_bytes_max))
    if secure:
        opener.add_handler(_Https(answer_bytes_max))
    return opener


class _Bounds:
    """The remaining time and bytes of one question. Made when the question is sent."""

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
        """Connect like `socket.create_connection`, which would give each address the whole limit."""
        found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)
        refused = OSError("no address")
        for at, (*_rest, where) in enumerate(found):
            try:
                sock = socket.create_connection((str(where[0]), address[1]), self.left_s() / (len(found) - at))
            except OSError as error:
                refused = error
            else:
                sock.settimeout(self.left_s())  # for the TLS handshake; each read sets its own
                return sock
        raise refused


class _Connection(HTTPConnection):
    """Sets two attributes of the base class. On a Python without them, the tests with slow services fail."""

    def __init__(self, host: str, *, timeout: float, bytes_max: int, **rest: Any) -> None:
        super().__init__(host, timeout=timeout, **rest)
        bounds = _Bounds(timeout, bytes_max)
        self._create_connection = bounds.dial
        self.response_class = partial(_Response, bounds)  # type: ignore[assignment] # it is only called


class _SecureConnection(_Connection, HTTPSConnection):
    pass


class _Http(HTTPHandler):
    def __init__(self, bytes_max: int) -> None:
        super().__init__(debuglevel=0)  # explicit: the process's own level would print URLs
        self._connection = partial(_Connection, bytes_max=bytes_max)

    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(self._connection, req)


class _Https(HTTPSHandler):
    def __init__(self, bytes_max: int) -> None:
        context = ssl.create_default_context()  # made once: it takes longer than a question
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
    """A socket's bytes, within the remaining bytes and time."""

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
    """Refuses to allocate more than the bound, which a header or a chunk size may announce at no cost."""

    raw: _Arriving

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self.raw.bounds.bytes_max:
            raise HibpFault("too long")
        return super().read(size)

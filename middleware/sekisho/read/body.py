"""A request's body: collected under a size limit, and decompressed under the same limit.

No I/O: the caller passes the received chunks in. The chunk boundaries do not affect the result.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from sekisho.model import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sekisho.model.headers import Header

_WINDOW = {b"gzip": 16 + zlib.MAX_WBITS, b"x-gzip": 16 + zlib.MAX_WBITS, b"deflate": zlib.MAX_WBITS}
_LENGTH_DIGITS_MAX = 18  # an exabyte; longer numbers are too large without parsing them


class Body:
    """The received part of a body, at most `bytes_max` bytes."""

    __slots__ = ("_bytes_max", "_chunks", "_size")

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._chunks: list[bytes] = []
        self._size = 0

    def add(self, chunk: bytes) -> None:
        """Add the next chunk. Raises `Unreadable` (413) if the body exceeds the limit."""
        self._size += len(chunk)
        if self._size > self._bytes_max:
            raise Unreadable(413, "body_too_large")
        if chunk:
            self._chunks.append(chunk)

    @property
    def bytes(self) -> bytes:
        """All received bytes, as one object."""
        if len(self._chunks) > 1:
            self._chunks = [b"".join(self._chunks)]
        return self._chunks[0] if self._chunks else b""


def declared_too_large(headers: Iterable[Header], bytes_max: int) -> bool:
    """Whether `Content-Length` announces too large a body. If not, it may still be too large: `Body` counts."""
    return any(_exceeds(value, bytes_max) for name, value in headers if name == b"content-length")


def _exceeds(length: bytes, bytes_max: int) -> bool:
    return length.isdigit() and (len(length) > _LENGTH_DIGITS_MAX or int(length) > bytes_max)


def decoded(headers: Iterable[Header], body: bytes, bytes_max: int) -> bytes:
    """Remove the `Content-Encoding` of a body (RFC 9110 section 8.4); returns the same object if it has none.

    Raises:
        Unreadable: 415 for other or stacked codings, 413 for more than `bytes_max` bytes, 400 for damaged data.
    """
    codings = [value for name, value in headers if name == b"content-encoding"]
    if not codings:
        return body
    coding = codings[0].strip().lower()
    if len(codings) == 1 and coding == b"identity":
        return body
    if len(codings) > 1 or coding not in _WINDOW:
        raise Unreadable(415, "content_encoding")
    return _inflated(body, _WINDOW[coding], bytes_max)


def _inflated(body: bytes, window: int, bytes_max: int) -> bytes:
    inflater = zlib.decompressobj(window)
    try:
        # One byte over the limit distinguishes a bomb from a body of exactly that size, without unpacking it.
        data = inflater.decompress(body, bytes_max + 1)
    except zlib.error:
        data = None
    if data is None:
        raise Unreadable(400, "content_damaged")
    if len(data) > bytes_max:
        raise Unreadable(413, "body_too_large")
    # Some decoders read trailing data as a second member, others ignore it.
    if not inflater.eof or inflater.unused_data:
        raise Unreadable(400, "content_damaged")
    return data

"""A request's body: gathered under a cap, and decompressed under the same cap.

No I/O: whoever receives the chunks hands them in, so that the same bytes, cut in any way, read the same.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from sekisho.model import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable

_WINDOW = {b"gzip": 16 + zlib.MAX_WBITS, b"x-gzip": 16 + zlib.MAX_WBITS, b"deflate": zlib.MAX_WBITS}
_LENGTH_DIGITS_MAX = 18  # an exabyte; longer numbers need not be computed to be too large


class Body:
    """What has arrived of a body, at most `bytes_max` bytes of it."""

    __slots__ = ("_bytes_max", "_chunks", "_size")

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._chunks: list[bytes] = []
        self._size = 0

    def add(self, chunk: bytes) -> None:
        """Take the next chunk. Raises `Unreadable` (413) instead of keeping more than the cap."""
        self._size += len(chunk)
        if self._size > self._bytes_max:
            raise Unreadable(413, "body_too_large")
        if chunk:
            self._chunks.append(chunk)

    @property
    def bytes(self) -> bytes:
        """All that has arrived, as one object."""
        if len(self._chunks) > 1:
            self._chunks = [b"".join(self._chunks)]
        return self._chunks[0] if self._chunks else b""


def declared_too_large(headers: Iterable[tuple[bytes, bytes]], bytes_max: int) -> bool:
    """Whether `Content-Length` admits that reading would be in vain. No promise otherwise: `Body` counts."""
    return any(_exceeds(value, bytes_max) for name, value in headers if name == b"content-length")


def _exceeds(length: bytes, bytes_max: int) -> bool:
    return length.isdigit() and (len(length) > _LENGTH_DIGITS_MAX or int(length) > bytes_max)


def decoded(headers: Iterable[tuple[bytes, bytes]], body: bytes, bytes_max: int) -> bytes:
    """The body without its `Content-Encoding` (RFC 9110 section 8.4); the same object where it has none.

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
        # One byte more than allowed tells a bomb from a body of just that size, without unpacking it.
        data = inflater.decompress(body, bytes_max + 1)
    except zlib.error:
        data = None
    if data is None:
        raise Unreadable(400, "content_damaged")
    if len(data) > bytes_max:
        raise Unreadable(413, "body_too_large")
    # What follows the end is a second member to some decoders and nothing to others.
    if not inflater.eof or inflater.unused_data:
        raise Unreadable(400, "content_damaged")
    return data

"""Single headers of an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    Headers = Iterable[tuple[bytes, bytes]]


def header(headers: Headers, wanted: bytes) -> bytes:
    # A loop: compiled, a generator takes as long as the whole search.
    for name, value in headers:
        if name.lower() == wanted:
            return value
    return b""


def media_type(headers: Headers) -> bytes:
    return header(headers, b"content-type").partition(b";")[0].strip().lower()


def is_json(headers: Headers) -> bool:
    """Whether an answer's `Content-Type` is JSON, compressed or not."""
    media = media_type(headers)
    return media == b"application/json" or (media.startswith(b"application/") and media.endswith(b"+json"))


def is_page(headers: Headers) -> bool:
    return media_type(headers) in {b"text/html", b"application/xhtml+xml", b"text/plain"}

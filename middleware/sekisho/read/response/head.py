"""Single headers of an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping

    Headers = Iterable[tuple[bytes, bytes]]


def readable(start: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The start of an answer with headers that can be read twice: ASGI allows any iterable, and Sanic's is a generator.

    Without this the client would get what was left of it: no session, no type.
    """
    headers = start.get("headers", ())
    return start if isinstance(headers, list | tuple) else {**start, "headers": list(headers)}


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

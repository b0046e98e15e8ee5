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


def redirect_of_htmx(headers: Headers) -> bytes:
    """Where HTMX goes after an answer that is a success to it: `HX-Redirect`, or `HX-Location` as a path; else empty.

    HTMX follows a redirect's status unseen, so applications answer its forms with 200 or 204 and this header.
    """
    found = header(headers, b"hx-redirect") or header(headers, b"hx-location")
    return b"" if found.lstrip()[:1] == b"{" else found


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

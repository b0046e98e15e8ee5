"""Single headers of an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping

    from sekisho.model.headers import Header


def readable(start: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Return an answer's `http.response.start` with headers as tuples that can be read twice; itself if they are.

    ASGI allows any iterable of pairs: Sanic's is a generator, and many applications write lists of lists. Without this
    the client would get what was left of a generator: no session, no type.
    """
    headers = start.get("headers", ())
    # Not `list | tuple`: compiled, such a union is made anew each time.
    if isinstance(headers, (list, tuple)) and _are_tuples(headers):
        return start
    return {**start, "headers": [(name, value) for name, value in headers]}


def _are_tuples(pairs: Iterable[object]) -> bool:
    for pair in pairs:  # noqa: SIM110 - compiled, a generator takes longer than the search
        if not isinstance(pair, tuple):
            return False
    return True


def redirect_of_htmx(headers: Iterable[Header]) -> bytes:
    """Return where HTMX goes after an answer: `HX-Redirect`, or `HX-Location` if that is a path; else empty.

    HTMX follows a redirect's status unseen, so applications answer its forms with 200 or 204 and this header.
    """
    found = header(headers, b"hx-redirect") or header(headers, b"hx-location")
    return b"" if found.lstrip()[:1] == b"{" else found


def bearer_token(headers: Iterable[Header]) -> str:
    """Return the token of an answer's `Authorization: Bearer`, in which Litestar's `JWTAuth` sends it; else empty."""
    scheme, _, token = header(headers, b"authorization").decode("latin-1").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def header(headers: Iterable[Header], wanted: bytes) -> bytes:
    # A loop: compiled, a generator takes as long as the whole search.
    length = len(wanted)
    for name, value in headers:
        if len(name) == length and name.lower() == wanted:  # a method of bytes costs more than a length
            return value
    return b""


def media_type(headers: Iterable[Header]) -> bytes:
    return header(headers, b"content-type").partition(b";")[0].strip().lower()


def is_json(headers: Iterable[Header]) -> bool:
    """Whether an answer's `Content-Type` is JSON, compressed or not."""
    media = media_type(headers)
    return media == b"application/json" or (media.startswith(b"application/") and media.endswith(b"+json"))


def is_page(headers: Iterable[Header]) -> bool:
    return media_type(headers) in {b"text/html", b"application/xhtml+xml", b"text/plain"}

"""CORS headers, for preflights and answers (the Fetch standard, section 3.3).

Only origins that the operator named are allowed. A page of another origin could otherwise post to the API with its
visitor's cookies, in requests that a form cannot make.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sekisho.model.headers import Header


_EXPOSED: Final = b"retry-after, sekisho-challenge, sekisho-device, sekisho-tie"
_ALLOWED: Final = (
    b"content-type, sekisho-challenge, sekisho-work, sekisho-captcha, sekisho-proof, sekisho-device, sekisho-tie, "
    b"authorization"
)
_METHODS: Final = b"GET, POST"
_SECONDS: Final = b"600"


def readable_by(origin: bytes) -> tuple[Header, ...]:
    """The headers that let a page of this origin read an answer."""
    return (
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", _EXPOSED),
    )


def allowed_to(origin: bytes) -> tuple[Header, ...]:
    """The headers that answer a preflight of this origin."""
    return (
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-allow-methods", _METHODS),
        (b"access-control-allow-headers", _ALLOWED),
        (b"access-control-max-age", _SECONDS),
        (b"vary", b"Origin"),
        (b"cache-control", b"no-store"),
        (b"content-length", b"0"),
    )


def preflighting(headers: Iterable[Header]) -> bytes:
    """The origin of a CORS preflight; empty where the request is no preflight, or names several origins."""
    origins: list[bytes] = []
    asks = False
    for name, value in headers:
        if name == b"origin":
            origins.append(value)
        asks = asks or name == b"access-control-request-method"
    return origins[0] if asks and len(origins) == 1 else b""
